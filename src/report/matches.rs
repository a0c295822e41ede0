//! Counts of the rows that a command's query selected, by what they are.

use std::ops::AddAssign;

use serde::Serialize;

/// Rows by what they are to the query of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Matches {
    /// Sessions that the query asks for.
    pub matched: u64,
    /// Of these: sessions that none of the given keys verifies. Django reads them as empty, unless it has
    /// another key. With `--verified-only` they are counted here and not in `matched`.
    pub unverified: u64,
    /// Of these: sessions of another user whom a user who was asked for impersonates. One click ends the
    /// impersonation and leads back.
    pub impersonated: u64,
    /// Sessions that stay because they name a spared user and another user too: one impersonates the other.
    pub shared: u64,
    /// Sessions that stay, whose id is not spelled like that of a user who was asked for or is spared, but
    /// which Django may read as that user's: ` 42` as 42.
    pub alike: u64,
    /// Sessions that stay, whose id the key of the table of users cannot hold. It may be that of a user who
    /// was asked for or is spared.
    pub unfit: u64,
    /// Rows that sessctl cannot read and that may be such sessions.
    pub unreadable: u64,
    /// Rows that sessctl cannot read, that go with all others, and that may be sessions of spared users.
    pub maybe_spared: u64,
    /// Logins of another user than the one in the user column.
    pub different: u64,
    /// Sessions of these users without a time of saving, if the query has a time window.
    pub undated: u64,
    /// Sessions of these users that were saved again after the time window. A row has only the time of its
    /// last save.
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
