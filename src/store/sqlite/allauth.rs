//! The table of django-allauth that has a row for each login: finds it, and deletes from it together with the
//! sessions.

use rusqlite::Connection;

use super::fault::fail;
use super::row::NAMED;
use super::writer::SqliteWriter;
use super::{Sqlite, columns};
use crate::store::{Gone, StoreError};

impl Sqlite {
    pub(super) fn has_allauth(&self, connection: &Connection) -> Result<bool, StoreError> {
        let columns = columns(connection, &self.table.of_allauth())
            .map_err(|error| fail(error, self.what("read")))?;
        Ok(columns.iter().any(|column| column == "session_key"))
    }
}

impl SqliteWriter<'_> {
    /// Deletes sessions and their rows of django-allauth. A row of django-allauth goes only if its session
    /// went.
    pub(super) fn delete_both(&mut self, keys: &[&str]) -> Result<Gone, StoreError> {
        let allauth = self.store.table.of_allauth().quoted();
        let delete_listed = format!("DELETE FROM {allauth} WHERE {NAMED}");
        self.delete_by_key(keys, &mut |transaction, key, gone| {
            let mut listed = transaction.prepare_cached(&delete_listed)?;
            gone.allauth += u64::try_from(listed.execute([key])?).unwrap_or(u64::MAX);
            Ok(())
        })
    }
}
