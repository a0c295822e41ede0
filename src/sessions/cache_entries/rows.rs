//! Compares the entries of a cache with the rows of the table.

use std::collections::{BTreeSet, HashMap};

use django_session::{Decoder, Verdict};

use crate::cache::Entry;
use crate::engine::{Driver, StopReason};
use crate::model::Page;
use crate::sessions::query::{Answer, SessionQuery, Whose};
use crate::sessions::removal::Removal;

/// The keys of the entries whose sessions have no row.
pub(super) fn without_row(
    entries: &[Entry],
    driver: &mut Driver<'_>,
) -> Result<Vec<String>, StopReason> {
    let keys: BTreeSet<&str> = entries.iter().map(|entry| &*entry.session_key).collect();
    let keys: Vec<&str> = keys.into_iter().collect();
    let rows = driver.once(|writer| writer.read(&keys))?;
    let there: BTreeSet<&str> = rows.rows().map(|row| row.key).collect();
    let orphans = entries.iter().filter(|entry| !there.contains(&*entry.session_key));
    Ok(orphans.map(|entry| entry.key.clone()).collect())
}

/// The entries of users whom the query names, or may name.
pub(super) fn named(
    entries: Vec<Entry>,
    query: &SessionQuery<'_>,
    decoder: &mut Decoder<'_>,
) -> Vec<(Entry, Whose)> {
    let whose = |entry: Entry| {
        let session = decoder.decode_bare(&entry.value, entry.is_cut);
        let whose = match query.users.whose(&session.verdict(|_| false)) {
            // Who is behind an impersonation may stand in what was not read.
            Whose::Others if entry.is_cut && query.users.is_about_some() => Whose::Unknown,
            whose => whose,
        };
        (whose != Whose::Others).then_some((entry, whose))
    };
    entries.into_iter().filter_map(whose).collect()
}

/// What a row is to a cache entry of the same session.
#[derive(Clone, Copy, PartialEq)]
enum InTable {
    /// A session of these users that is not to be ended, of which the entry is a copy.
    Stays,
    /// It cannot be read.
    Unreadable,
    /// Anything else, such as a session that has lost its login.
    Other,
}

/// Of these entries, the keys of those that let users in who are logged out by the table, and of those that cannot be
/// told from these and whose row the site reads in their place.
pub(super) fn compare(
    entries: &[(Entry, Whose)],
    query: &SessionQuery<'_>,
    removal: Removal,
    driver: &mut Driver<'_>,
    decoder: &mut Decoder<'_>,
) -> Result<(Vec<String>, Vec<String>), StopReason> {
    let keys: Vec<&str> = entries.iter().map(|(entry, _)| &*entry.session_key).collect();
    let rows = driver.once(|writer| writer.read(&keys))?;
    let rows = in_table(&rows, query, decoder);
    let (mut stale, mut harmless) = (Vec::new(), Vec::new());
    for (entry, whose) in entries {
        let key = entry.key.clone();
        match (rows.get(&*entry.session_key), whose) {
            (Some(InTable::Stays), _) => {}
            (None, _) | (Some(InTable::Other), Whose::Theirs) => stale.push(key),
            // A row that only lost its login does not tell what its entry holds.
            (Some(_), Whose::Unknown | Whose::Others) if removal != Removal::KeepData => {}
            (Some(_), _) => harmless.push(key),
        }
    }
    Ok((stale, harmless))
}

fn in_table<'p>(
    rows: &'p Page,
    query: &SessionQuery<'_>,
    decoder: &mut Decoder<'_>,
) -> HashMap<&'p str, InTable> {
    let mut known = HashMap::new();
    for row in rows.rows() {
        let session = row.decode(decoder);
        let verdict = query.verdict(&row, &session);
        let is = match &verdict {
            Verdict::Login(login) if query.users.wants(Some(login)) => {
                match query.answer(&row, &session, &verdict) {
                    // Which of them are beyond the newest, the scan of the table tells.
                    _ if query.newest.is_some() => InTable::Stays,
                    Answer::Other | Answer::Undated | Answer::SavedLater => InTable::Stays,
                    _ => InTable::Other,
                }
            }
            Verdict::Login(_) | Verdict::Anonymous { .. } => InTable::Other,
            Verdict::Unreadable(_) | Verdict::Damaged(_) => InTable::Unreadable,
        };
        known.insert(row.key, is);
    }
    known
}
