//! The members of a document's top level, and how long their values are.

use super::super::{DecodeError, Limits};
use super::Member;
use super::scanner::Scanner;

/// Calls `member` with each key of the top level and the bytes of its value; with none if the
/// document is no object.
pub(in super::super) fn members(
    payload: &[u8],
    limits: &Limits,
    member: Member<'_>,
) -> Result<(), DecodeError> {
    Scanner::new(payload, limits)
        .members(|scanner, key| {
            scanner.space();
            let before = scanner.rest.len();
            scanner.value(&mut ())?;
            member(key.to_str(), before - scanner.rest.len());
            Ok(())
        })
        .map(|_| ())
}
