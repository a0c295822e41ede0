//! Counts sessions by the hash of their user, in little memory: never too few, and too many where hashes meet.

use std::hash::{BuildHasher, RandomState};

/// Bits of the number of counters.
const BITS: u32 = 24;

/// Counts by user.
pub(super) struct Sketch {
    counts: Vec<u8>,
    /// What tells this sketch from others: users whose counts meet in one have their own in the next.
    factor: u64,
}

impl Sketch {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; 1 << BITS], factor: RandomState::new().hash_one(0) | 1 }
    }

    pub(super) fn count(&mut self, user: u128) {
        let place = self.place(user);
        if let Some(count) = self.counts.get_mut(place) {
            *count = count.saturating_add(1);
        }
    }

    /// Whether a user may have more sessions than so many.
    pub(super) fn may_exceed(&self, user: u128, sessions: usize) -> bool {
        let count = self.counts.get(self.place(user)).copied().unwrap_or(u8::MAX);
        count == u8::MAX || usize::from(count) > sessions
    }

    fn place(&self, user: u128) -> usize {
        // The lower half of the hash says in which pass a user is ranked.
        let upper = u64::try_from(user >> 64).unwrap_or_default();
        usize::try_from(upper.wrapping_mul(self.factor) >> (u64::BITS - BITS)).unwrap_or_default()
    }
}
