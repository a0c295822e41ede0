//! The optional capabilities of the reader: expired rows, the user column, the table of users, foreign keys, and
//! columns of other tables with keys of sessions.

use std::time::Duration;

use super::catalog::named;
use super::checkout::Reading;
use super::fault::fail;
use super::keys::{MOST_KEYS, Named};
use super::reader::MySqlReader;
use super::references::kept_rows;
use super::referring::Referring;
use super::row::number;
use super::sql::{quote, quoted};
use crate::model::Timestamp;
use crate::store::reference::{hindrances, kept, unless_kept};
use crate::store::{
    Bloat, CredentialTable, Cursor, Expired, ExpiryReader, Kept, Reference, ReferenceReader,
    ReferringReader, StoreError, Table, Uniqueness, User, UserColumn, UserColumnDrop,
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
        let Self { store, client, found, .. } = self;
        let Reading { client, server } = &mut **client;
        store.count_expired(client, server, found, (cutoff, from), patience)
    }

    fn expired_and_kept(
        &mut self,
        cutoff: Timestamp,
        patience: Duration,
    ) -> Result<Option<u64>, StoreError> {
        let references = self.references()?;
        let Some(kept) = kept(&hindrances(&references)) else { return Ok(Some(0)) };
        let (kept, Self { store, client, found, .. }) = (format!(" AND {kept}"), self);
        let Reading { client, server } = &mut **client;
        store.count_expired_with(client, server, found, ("", &kept), (cutoff, patience))
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

impl ReferringReader for MySqlReader<'_> {
    fn check_referring(&mut self) -> Result<Vec<String>, StoreError> {
        let store = self.store;
        store.check_referring(self.client()?)
    }

    fn count_referring(&mut self, keys: &[&str]) -> Result<Vec<u64>, StoreError> {
        let store = self.store;
        store.count_referring(self.client()?, keys)
    }

    fn count_referring_to_expired(
        &mut self,
        cutoff: Timestamp,
        patience: Duration,
    ) -> Result<Vec<Option<u64>>, StoreError> {
        let references = self.references()?;
        let stay = unless_kept(&hindrances(&references));
        let Self { store, client, found, .. } = self;
        let Reading { client, server } = &mut **client;
        let mut counts = Vec::new();
        for column in &store.referring {
            let cannot = |failure| fail(failure, store.what("see what refers to"));
            let referring = Referring::of(store, client, column).map_err(cannot)?;
            let (table, name) = (quoted(&referring.table), quote(column.column()));
            let key = referring.found.key_of("s.session_key");
            let joined = format!(
                " JOIN {table} sessctl_joined ON sessctl_joined.{name} = {key} \
                 AND CAST(sessctl_joined.{name} AS BINARY) = CAST(s.session_key AS BINARY)"
            );
            let rows = store.count_expired_with(
                client,
                server,
                found,
                (&joined, &stay),
                (cutoff, patience),
            );
            counts.push(rows?);
        }
        Ok(counts)
    }
}
