//! Finds the one session whose key begins with a given text.

use std::ops::ControlFlow;

use django_session::Decoder;

use crate::error::Error;
use crate::model::{MASKED_KEY_CHARS, Page};
use crate::store::{Filter, Reader};

use super::Ctx;
use super::describe::{Detail, KeyDisplay, describe_row};
use crate::report::ListedSession;

/// The session, described, and its whole key.
pub(super) struct Found {
    pub(super) key: String,
    pub(super) session: ListedSession,
    /// The users whom it names: its own first, then those who are behind an impersonation.
    pub(super) users: Vec<String>,
}

pub(super) fn find(
    ctx: &Ctx<'_>,
    reader: &mut dyn Reader,
    prefix: &str,
    keys: KeyDisplay,
) -> Result<Found, Error> {
    // The database sees, and may log, no more of a key than everybody may see.
    let shown: String = prefix.chars().take(MASKED_KEY_CHARS).collect();
    let filter = Filter { key_prefix: Some(shown.clone()), ..Filter::default() };
    let mut decoder = Decoder::new(&ctx.codec);
    let mut found = Vec::new();
    reader.scan(&filter, &mut |page: Page| {
        let matches = page.rows().filter(|row| row.key.starts_with(prefix));
        for row in matches.take(2 - found.len().min(2)) {
            let session = describe_row(&mut decoder, &row, Detail::Payload, keys);
            let auth = row.decode(&mut decoder).auth().unwrap_or_default();
            let users = auth.user_id.into_iter().chain(auth.others);
            let users = users.map(std::borrow::Cow::into_owned).collect();
            found.push(Found { key: row.key.to_owned(), session, users });
        }
        if found.len() > 1 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(Page::default())
        }
    })?;
    match (found.pop(), found.pop()) {
        (Some(found), None) => Ok(found),
        (None, _) => Err(Error::NoSuchSession { prefix: shown }),
        (Some(_), Some(_)) => Err(Error::AmbiguousSession { prefix: shown }),
    }
}
