//! Whether the key that was given is the site's: one that verifies nothing is taken for a wrong one.

use crate::model::Signature;

/// Of how many rows the signature was checked, and of how many it was right.
#[derive(Clone, Copy, Default)]
pub(super) struct Signatures {
    checked: u64,
    valid: u64,
}

impl Signatures {
    /// One more, unless there was no key to check it with.
    pub(super) fn count(&mut self, signature: Signature) {
        self.checked += u64::from(signature != Signature::Unchecked);
        self.valid += u64::from(signature == Signature::Valid);
    }

    pub(super) fn add(&mut self, others: Self) {
        self.checked += others.checked;
        self.valid += others.valid;
    }

    pub(super) fn some_are_valid(self) -> bool {
        self.valid > 0
    }

    /// How many rows were checked, if none of them verified. It proves something only of a look at all rows.
    pub(super) fn none_is_valid(self) -> Option<u64> {
        (self.checked > 0 && self.valid == 0).then_some(self.checked)
    }
}
