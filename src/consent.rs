//! The permission to write. A dry run is a run in which none was given, so that no write
//! connection can exist in it.

/// Whether the operator wants the change or only wants to see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `--dry-run`: show what would happen.
    DryRun,
    /// The command itself says what to do and needs no question.
    Explicit,
}

/// Proof that the operator wants the table changed. [`Store::writer`](crate::store::Store::writer)
/// demands it, and only [`Consent::from_ask`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct Consent(());

impl Consent {
    /// Consent, unless this is a dry run.
    pub fn from_ask(ask: Ask) -> Option<Self> {
        match ask {
            Ask::DryRun => None,
            Ask::Explicit => Some(Self(())),
        }
    }
}
