//! Foreign keys of other tables that point at the sessions. Commands that delete say before the first
//! batch what these mean for them, and so do their dry runs.

use std::collections::{BTreeSet, HashSet};

use crate::context::Ctx;
use crate::error::Error;
use crate::model::Keys;
use crate::report::Referenced;
use crate::store::{Kept, Reader, Reference, Store, StoreError};

/// Keys that are looked up in one statement.
const KEYS_AT_ONCE: usize = 5_000;

/// Says what the foreign keys mean that point at the table, and returns them.
pub(crate) fn note(ctx: &Ctx<'_>, reader: &mut dyn Reader) -> Result<Vec<Reference>, Error> {
    let references = reader.references()?;
    for reference in &references {
        let Reference { table, on_delete, .. } = reference;
        let columns = reference.columns.join(", ");
        ctx.talk.note(&if reference.takes_sessions() {
            format!(
                "sessions refer to each other ({columns}) ON DELETE CASCADE: a session to which another one refers stays, \
                 since that one would go with it, whosever it is"
            )
        } else if reference.hinders() {
            format!(
                "table {table} ({columns}) refers to sessions: the database does not let a session go to which a row \
                 of it refers, so these stay"
            )
        } else {
            format!(
                "table {table} refers to sessions ON DELETE {on_delete}: the database does that to its rows"
            )
        });
    }
    Ok(references)
}

/// Whether the foreign keys keep sessions from being deleted.
pub(crate) fn hinder(references: &[Reference]) -> bool {
    references.iter().any(Reference::hinders)
}

/// Sessions that stay because rows of other tables refer to them.
#[derive(Default)]
pub(crate) struct KeptSessions(Kept);

impl KeptSessions {
    /// Of the sessions that a dry run found, those that would stay, as far as that can be seen.
    pub(crate) fn foreseen(store: &dyn Store, keys: &Keys) -> Result<Self, StoreError> {
        let keys: Vec<&str> = keys.iter().collect();
        let mut kept = Kept::default();
        if !keys.is_empty() {
            let mut reader = store.reader()?;
            for some in keys.chunks(KEYS_AT_ONCE) {
                kept.add(reader.referenced(some)?);
            }
        }
        Ok(Self(kept))
    }

    /// What was kept of sessions that were to be deleted.
    pub(crate) fn acted(&mut self, keys: &Keys, kept: Kept) {
        for key in keys.iter() {
            self.0.rows.remove(key);
        }
        self.0.add(kept);
    }

    /// What a look did not find any more the site has ended meanwhile.
    pub(crate) fn retain(&mut self, found: &Keys) {
        let there: HashSet<&str> = found.iter().collect();
        self.0.rows.retain(|key| there.contains(&**key));
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.count()
    }

    /// How many of these are kept.
    pub(crate) fn among(&self, keys: &Keys) -> usize {
        keys.iter().filter(|key| self.0.rows.contains(*key)).count()
    }

    /// Those of these that are not kept.
    pub(crate) fn not_among<'k>(&self, keys: &'k Keys) -> Vec<&'k str> {
        keys.iter().filter(|key| !self.0.rows.contains(*key)).collect()
    }

    /// Of keys that were deleted, those that were found again although no other table keeps them.
    pub(crate) fn deleted_and_found(&self, deleted: &Keys, found: &Keys) -> u64 {
        let found: HashSet<&str> = found.iter().collect();
        let again = self.not_among(deleted).into_iter().filter(|key| found.contains(key)).count();
        u64::try_from(again).unwrap_or(u64::MAX)
    }

    pub(crate) fn report(self) -> Referenced {
        let referenced = self.count();
        let referenced_by = if referenced > 0 { self.0.by } else { BTreeSet::new() };
        Referenced { referenced, referenced_by }
    }
}

/// Refuses where the database would refuse, whether or not a row refers to a session.
pub(crate) fn refuse(reader: &mut dyn Reader) -> Result<(), Error> {
    let tables: Vec<_> =
        reader.references()?.into_iter().map(|reference| reference.table).collect();
    if tables.is_empty() { Ok(()) } else { Err(Error::Referenced { tables: tables.join(", ") }) }
}
