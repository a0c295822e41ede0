//! The permission to write. A dry run has none, and without it no write connection can be opened.

/// What the operator said about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask<'a> {
    /// `--dry-run`: show what would happen.
    DryRun,
    /// The command line asks for the change; no question is needed.
    Explicit,
    /// The operator was shown a number and typed an answer.
    Typed {
        /// The number: rows that will be deleted.
        rows: u64,
        /// The answer.
        answer: &'a str,
    },
}

/// Proof that the operator wants the table changed. [`Store::writer`](crate::store::Store::writer) demands
/// it, and only [`Consent::from_ask`] creates it.
#[derive(Clone, Copy, Debug)]
pub struct Consent(());

impl Consent {
    /// The consent; `None` in a dry run or if the answer is not the number.
    pub fn from_ask(ask: Ask<'_>) -> Option<Self> {
        match ask {
            Ask::DryRun => None,
            Ask::Explicit => Some(Self(())),
            Ask::Typed { rows, answer } => (answer.trim() == rows.to_string()).then_some(Self(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_number_that_was_shown_is_consent() {
        let consents = |answer| Consent::from_ask(Ask::Typed { rows: 1200, answer }).is_some();
        assert!(consents("1200") && consents(" 1200\n"));
        for answer in ["", "y", "yes", "1,200", "120", "12000", "01200", "-1200"] {
            assert!(!consents(answer), "{answer:?}");
        }
        assert!(Consent::from_ask(Ask::DryRun).is_none());
    }
}
