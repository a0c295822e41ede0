//! Foreign keys of other tables that point at the sessions. Commands that delete say before the first
//! batch what these mean for them, and so do their dry runs.

use super::Ctx;
use crate::error::Error;
use crate::model::Keys;
use crate::store::{Kept, Reader, Reference, Store, StoreError};

/// Keys that are looked up in one statement.
const KEYS_AT_ONCE: usize = 5_000;

/// Says what the foreign keys mean that point at the table, and returns them.
pub(super) fn note(ctx: &Ctx<'_>, reader: &mut dyn Reader) -> Result<Vec<Reference>, Error> {
    let references = reader.references()?;
    for reference in &references {
        let Reference { table, on_delete, .. } = reference;
        let columns = reference.columns.join(", ");
        ctx.talk.note(&if reference.hinders() {
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
pub(super) fn hinder(references: &[Reference]) -> bool {
    references.iter().any(Reference::hinders)
}

/// Of the sessions that a dry run found, those that would stay, as far as that can be seen.
pub(super) fn kept(store: &dyn Store, keys: &Keys) -> Result<Kept, StoreError> {
    let keys: Vec<&str> = keys.iter().collect();
    let mut kept = Kept::default();
    if !keys.is_empty() {
        let mut reader = store.reader()?;
        for some in keys.chunks(KEYS_AT_ONCE) {
            kept.add(reader.referenced(some)?);
        }
    }
    Ok(kept)
}

/// Refuses where the database would refuse, whether or not a row refers to a session.
pub(super) fn refuse(reader: &mut dyn Reader) -> Result<(), Error> {
    let tables: Vec<_> =
        reader.references()?.into_iter().map(|reference| reference.table).collect();
    if tables.is_empty() { Ok(()) } else { Err(Error::Referenced { tables: tables.join(", ") }) }
}
