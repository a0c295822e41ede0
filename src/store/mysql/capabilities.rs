//! The optional capabilities of the reader: expired rows, the user column, the table of users, foreign keys,
//! and django-allauth.

use std::time::Duration;

use super::catalog::{look, named};
use super::fault::fail;
use super::keys::{MOST_KEYS, Named};
use super::reader::MySqlReader;
use super::references::kept_rows;
use super::row::number;
use super::sql::quoted;
use crate::model::Timestamp;
use crate::store::{
    AllauthReader, Bloat, CredentialTable, Cursor, Expired, ExpiryReader, Kept, Reference,
    ReferenceReader, StoreError, Table, Uniqueness, User, UserColumn, UserColumnDrop,
    UserColumnPlan, UserColumnReader, UserKey, UserQuery, UserReader, Users, UsersFound,
};

impl ExpiryReader for MySqlReader<'_> {
    fn expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        patience: Duration,
    ) -> Result<Expired, StoreError> {
        self.client()?;
        let Self { store, client, server, found, .. } = self;
        store.count_expired(client, server, found, (cutoff, from), patience)
    }

    fn expired_and_kept(
        &mut self,
        cutoff: Timestamp,
        patience: Duration,
    ) -> Result<Option<u64>, StoreError> {
        let references = self.references()?;
        let Self { store, client, server, found, .. } = self;
        store.count_kept(client, server, found, &references, (cutoff, patience))
    }

    fn bloat(&mut self) -> Result<Bloat, StoreError> {
        const FREE: &str = "SELECT data_free FROM information_schema.tables \
            WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";
        let store = self.store;
        let row = self.client()?.first(FREE, named(&store.table));
        let row = row.map_err(|failure| fail(failure, store.what("read")))?;
        let free = row.and_then(|row| number(&row, 0)).unwrap_or(0) / 1_000_000;
        let advice = format!(
            "{free} MB in the table's file are free: new rows use them again; OPTIMIZE TABLE {} gives them back to the \
             file system, and copies the table for that",
            quoted(&store.table)
        );
        Ok(Bloat { dead_rows: None, advice: if free > 0 { vec![advice] } else { Vec::new() } })
    }
}

impl UserColumnReader for MySqlReader<'_> {
    fn user_column(&mut self, name: &str) -> Result<Option<UserColumn>, StoreError> {
        let store = self.store;
        store.user_column(self.client()?, name)
    }

    fn user_column_plan(&mut self, column: &UserColumn) -> Result<UserColumnPlan, StoreError> {
        Ok(self.store.user_column_plan(column))
    }

    fn user_column_drop(&mut self, column: &UserColumn) -> Result<UserColumnDrop, StoreError> {
        let store = self.store;
        store.user_column_drop(self.client()?, column)
    }
}

impl UserReader for MySqlReader<'_> {
    fn user_key(&mut self, users: &Users) -> Result<Option<UserKey>, StoreError> {
        let store = self.store;
        store.user_key(self.client()?, users)
    }

    fn users_found(&mut self) -> Result<Vec<UsersFound>, StoreError> {
        let store = self.store;
        store.users_found(self.client()?)
    }

    fn described(&mut self, users: &Table) -> Result<Option<Users>, StoreError> {
        let store = self.store;
        store.described(self.client()?, users)
    }

    fn uniqueness(&mut self, users: &Table, column: &str) -> Result<Uniqueness, StoreError> {
        let store = self.store;
        store.uniqueness(self.client()?, users, column)
    }

    fn users(
        &mut self,
        users: &Users,
        which: UserQuery<'_>,
        emit: &mut dyn FnMut(User),
    ) -> Result<(), StoreError> {
        let store = self.store;
        store.read_users(self.client()?, users, which, emit)
    }

    fn credentials(
        &mut self,
        table: &CredentialTable,
        _: Option<&str>,
        ids: &[String],
    ) -> Result<Option<u64>, StoreError> {
        let store = self.store;
        store.count_credentials(self.client()?, table, ids)
    }

    fn logins(&mut self, users: &Users, ids: &[String]) -> Result<Option<u64>, StoreError> {
        let store = self.store;
        store.count_logins(self.client()?, users, ids).map(Some)
    }
}

impl ReferenceReader for MySqlReader<'_> {
    fn references(&mut self) -> Result<Vec<Reference>, StoreError> {
        let store = self.store;
        store.references(self.client()?)
    }

    fn referenced(&mut self, keys: &[&str]) -> Result<Kept, StoreError> {
        let references = self.references()?;
        let mut kept = Kept::default();
        for keys in keys.chunks(MOST_KEYS) {
            let named = Named::new(&self.store.table, &self.found, keys, None);
            let found = kept_rows(&mut self.client, &named, &references);
            kept.add(found.map_err(|failure| fail(failure, self.store.what("read")))?);
        }
        Ok(kept)
    }
}

impl AllauthReader for MySqlReader<'_> {
    fn has_allauth(&mut self) -> Result<bool, StoreError> {
        let store = self.store;
        let found = look(self.client()?, &store.table.of_allauth());
        let found = found.map_err(|failure| fail(failure, store.what("read")))?;
        Ok(found.column("session_key").is_some())
    }
}
