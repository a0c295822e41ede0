//! Asks the operator at the terminal for a number that a command has shown.

use crate::consent::{Ask, Consent};
use crate::context::Ctx;
use crate::error::Error;
use crate::ui;

/// The consent of an operator who typed this number. An error if another text was typed, or nobody is at a terminal.
pub(crate) fn confirm(
    ctx: &Ctx<'_>,
    number: u64,
    question: &str,
) -> Result<Option<Consent>, Error> {
    let answer = ctx.stop.while_unchecked(|| ui::ask(question)).unwrap_or_default();
    match Consent::from_ask(Ask::Typed { rows: number, answer: &answer }) {
        None => Err(Error::NotConfirmed),
        consent => Ok(consent),
    }
}
