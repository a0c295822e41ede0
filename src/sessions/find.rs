//! Finds the one session whose key begins with a given text (`show KEY`, `--except KEY`).

use std::ops::ControlFlow;

use crate::error::Error;
use crate::model::{Leftover, MASKED_KEY_CHARS, Page, Row};
use crate::store::{Filter, Reader};

/// The session that was found. Its row is moved, not copied: it may be large.
pub(crate) struct Found {
    row: Leftover,
    /// The masked beginning of its key.
    shown: String,
}

impl Found {
    pub(crate) fn row(&self) -> Result<Row<'_>, Error> {
        let mut rows = self.row.rows();
        rows.next().ok_or_else(|| Error::NoSuchSession { prefix: self.shown.clone() })
    }
}

pub(crate) fn find(reader: &mut dyn Reader, prefix: &str) -> Result<Found, Error> {
    let shown = shown(prefix);
    let (row, rows) = search(reader, &shown, |key| key.starts_with(prefix))?;
    match rows {
        0 => Err(Error::NoSuchSession { prefix: shown }),
        1 => Ok(Found { row, shown }),
        _ => Err(Error::AmbiguousSession { prefix: shown }),
    }
}

/// The session with this key, if there still is one.
pub(crate) fn with_key(reader: &mut dyn Reader, key: &str) -> Result<Leftover, Error> {
    Ok(search(reader, &shown(key), |other| other == key)?.0)
}

/// The database may log its queries, so a query contains no more of a key than reports show.
fn shown(key: &str) -> String {
    key.chars().take(MASKED_KEY_CHARS).collect()
}

/// The session whose key begins so and for which `is_it` holds, and how many there are.
fn search(
    reader: &mut dyn Reader,
    shown: &str,
    is_it: impl Fn(&str) -> bool,
) -> Result<(Leftover, usize), Error> {
    let filter = Filter { key_prefix: Some(shown.to_owned()), ..Filter::default() };
    let (mut row, mut rows) = (Leftover::default(), 0);
    reader.scan(&filter, &mut |mut page: Page| {
        let matches = page.rows().enumerate().filter(|(_, row)| is_it(row.key));
        let places: Vec<usize> = matches.map(|(at, _)| at).collect();
        rows += places.len();
        if rows > 1 {
            return ControlFlow::Break(());
        }
        if !places.is_empty() {
            row = page.leave(places);
        }
        page.clear();
        ControlFlow::Continue(page)
    })?;
    Ok((row, rows))
}
