//! Counts of rows by what they are. Every command counts with it.

use std::ops::{AddAssign, SubAssign};

use django_session::{Signature, Verdict};
use serde::Serialize;

/// Rows by what they are. Every command counts with this, so that no two of them can disagree.
///
/// A row that is read and not expired is counted in exactly one of `logins`, `anonymous`, `unverified`,
/// `unreadable` and `damaged`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Rows that were read.
    pub scanned: u64,
    /// Of these: rows that expired before the scan began.
    pub expired: u64,
    /// Live sessions that name a user. If no key was given, or the command did not check the signature, they
    /// include sessions that would fail verification.
    pub logins: u64,
    /// Live sessions that name no user.
    pub anonymous: u64,
    /// Live sessions that name a user and that none of the given keys verifies.
    pub unverified: u64,
    /// Live rows that sessctl cannot read and that may be logins.
    pub unreadable: u64,
    /// Live rows that none of the given keys verifies and that no Django release could read with any key.
    pub damaged: u64,
    /// Rows whose signature was checked, and those that a key verified.
    #[serde(skip)]
    pub signatures: Signatures,
}

impl Tally {
    /// Counts a live row.
    pub fn count(&mut self, verdict: &Verdict<'_>) {
        self.scanned += 1;
        *match verdict {
            Verdict::Login(login) if login.is_unverified() => &mut self.unverified,
            Verdict::Login(_) => &mut self.logins,
            Verdict::Anonymous { .. } => &mut self.anonymous,
            Verdict::Unreadable(_) => &mut self.unreadable,
            Verdict::Damaged(_) => &mut self.damaged,
        } += 1;
    }

    /// Counts an expired row, without regard to its data.
    pub fn count_expired(&mut self) {
        self.scanned += 1;
        self.expired += 1;
    }

    /// Live sessions with a login, verified or not.
    pub fn named(&self) -> u64 {
        self.logins + self.unverified
    }

    /// Live rows of any kind.
    pub fn live(&self) -> u64 {
        self.scanned.saturating_sub(self.expired)
    }
}

impl SubAssign for Tally {
    /// Takes away rows that were counted in both.
    fn sub_assign(&mut self, other: Self) {
        self.scanned -= other.scanned.min(self.scanned);
        self.expired -= other.expired.min(self.expired);
        self.logins -= other.logins.min(self.logins);
        self.anonymous -= other.anonymous.min(self.anonymous);
        self.unverified -= other.unverified.min(self.unverified);
        self.unreadable -= other.unreadable.min(self.unreadable);
        self.damaged -= other.damaged.min(self.damaged);
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.scanned += other.scanned;
        self.expired += other.expired;
        self.logins += other.logins;
        self.anonymous += other.anonymous;
        self.unverified += other.unverified;
        self.unreadable += other.unreadable;
        self.damaged += other.damaged;
        self.signatures += other.signatures;
    }
}

/// Whether the given keys are the site's. Keys that verify no row count as wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signatures {
    /// Rows whose signature was checked.
    pub checked: u64,
    /// Rows that one of the keys verified.
    pub valid: u64,
}

impl Signatures {
    /// Counts one row, unless no key was given.
    pub fn count(&mut self, signature: Signature) {
        self.checked += u64::from(signature != Signature::Unchecked);
        self.valid += u64::from(signature == Signature::Valid);
    }

    /// The number of rows that were checked, if none of them verified. It proves something only after a scan
    /// of all rows.
    pub fn none_is_valid(self) -> Option<u64> {
        (self.checked > 0 && self.valid == 0).then_some(self.checked)
    }
}

impl AddAssign for Signatures {
    fn add_assign(&mut self, other: Self) {
        self.checked += other.checked;
        self.valid += other.valid;
    }
}
