//! Foreign keys of other tables that point at the session table. Before the first batch, and in a dry run,
//! commands that delete tell the operator what these keys do.

use std::collections::{BTreeSet, HashSet};

use crate::context::Ctx;
use crate::error::Error;
use crate::model::Keys;
use crate::report::Referenced;
use crate::store::{Kept, Reader, Reference, Store, StoreError};

/// Most keys in one statement.
const KEYS_AT_ONCE: usize = 5_000;

/// Tells the operator what the foreign keys do, and returns them.
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
    /// Of the sessions that a dry run found, those that other tables would keep, as far as the role can see.
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

    /// Adds the result of a batch: of the sessions with these keys, `kept` stay.
    pub(crate) fn acted(&mut self, keys: &Keys, kept: Kept) {
        for key in keys.iter() {
            self.0.rows.remove(key);
        }
        self.0.add(kept);
    }

    /// Drops sessions that a later scan did not find: the site ended them meanwhile.
    pub(crate) fn retain(&mut self, found: &Keys) {
        let there: HashSet<&str> = found.iter().collect();
        self.0.rows.retain(|key| there.contains(&**key));
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.count()
    }

    /// How many sessions with these keys are kept.
    pub(crate) fn among(&self, keys: &Keys) -> usize {
        keys.iter().filter(|key| self.0.rows.contains(*key)).count()
    }

    /// The keys among these whose sessions are not kept.
    pub(crate) fn not_among<'k>(&self, keys: &'k Keys) -> Vec<&'k str> {
        keys.iter().filter(|key| !self.0.rows.contains(*key)).collect()
    }

    /// How many deleted sessions a scan found again although no other table keeps them.
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

/// Refuses `--truncate` where the database would refuse it. TRUNCATE fails if a foreign key exists, even if
/// no row refers to a session.
pub(crate) fn refuse(reader: &mut dyn Reader) -> Result<(), Error> {
    let tables: Vec<_> =
        reader.references()?.into_iter().map(|reference| reference.table).collect();
    if tables.is_empty() { Ok(()) } else { Err(Error::Referenced { tables: tables.join(", ") }) }
}
