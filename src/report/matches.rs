//! Counts of rows by what they are to the query of a command.

use std::ops::AddAssign;

use serde::Serialize;

/// What rows are to the question that was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Matches {
    /// Sessions that were asked for.
    pub matched: u64,
    /// Of these: sessions that none of the given keys verifies. Django reads them as empty, unless it has a key
    /// that was not given. With `--verified-only` they are counted here and not among `matched`.
    pub unverified: u64,
    /// Of these: sessions of somebody else, to whom a user who was asked for has changed and from whom one click
    /// leads back.
    pub impersonated: u64,
    /// Sessions that stay since they name a user who is to be spared, and that name somebody else, too: one of the two
    /// impersonates the other.
    pub shared: u64,
    /// Sessions that stay and whose id is spelled otherwise than that of a user who was asked for or is to be spared, but
    /// which Django may read as that user's: ` 42` as 42.
    pub alike: u64,
    /// Sessions that stay and whose id the key of the table of users cannot hold, so that it may be that of a user who was
    /// asked for or is to be spared.
    pub unfit: u64,
    /// Rows that sessctl cannot read and that may be such a session.
    pub unreadable: u64,
    /// Rows that sessctl cannot read, that were to go with all others, and that may be sessions of users who are to be
    /// spared.
    pub maybe_spared: u64,
    /// Logins of somebody else than the user column says.
    pub different: u64,
    /// Sessions of these users that do not say when they were saved, where that was asked for.
    pub undated: u64,
    /// Sessions of these users that were saved again after the time that was asked for. Only the last save is known.
    pub saved_later: u64,
}

impl AddAssign for Matches {
    fn add_assign(&mut self, other: Self) {
        self.matched += other.matched;
        self.unverified += other.unverified;
        self.impersonated += other.impersonated;
        self.shared += other.shared;
        self.alike += other.alike;
        self.unfit += other.unfit;
        self.unreadable += other.unreadable;
        self.maybe_spared += other.maybe_spared;
        self.different += other.different;
        self.undated += other.undated;
        self.saved_later += other.saved_later;
    }
}
