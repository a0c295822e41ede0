//! django-allauth's own rows of sessions.

use rusqlite::Connection;

use super::fault::fail;
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
    /// A row goes only with the session that went.
    pub(super) fn delete_both(&mut self, keys: &[&str]) -> Result<Gone, StoreError> {
        let (sessions, allauth) = (&self.store.table, self.store.table.of_allauth());
        let delete = |table: String| format!("DELETE FROM {table} WHERE session_key = ?1");
        let (delete_session, delete_listed) = (delete(sessions.quoted()), delete(allauth.quoted()));
        self.transaction("delete from", |transaction| {
            let mut session = transaction.prepare_cached(&delete_session)?;
            let mut listed = transaction.prepare_cached(&delete_listed)?;
            let mut gone = Gone::default();
            for key in keys {
                if session.execute([key])? > 0 {
                    gone.sessions += 1;
                    gone.allauth += u64::try_from(listed.execute([key])?).unwrap_or(u64::MAX);
                }
            }
            Ok((gone.sessions + gone.allauth, gone))
        })
    }
}
