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
    // The database may log its queries, so the query contains no more of the key than reports show.
    let shown: String = prefix.chars().take(MASKED_KEY_CHARS).collect();
    let filter = Filter { key_prefix: Some(shown.clone()), ..Filter::default() };
    let (mut row, mut rows) = (Leftover::default(), 0);
    reader.scan(&filter, &mut |mut page: Page| {
        let matches = page.rows().enumerate().filter(|(_, row)| row.key.starts_with(prefix));
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
    match rows {
        0 => Err(Error::NoSuchSession { prefix: shown }),
        1 => Ok(Found { row, shown }),
        _ => Err(Error::AmbiguousSession { prefix: shown }),
    }
}
