//! Deletes rows by their keys, except those that another table keeps. Each batch is one autocommitted statement, so that no
//! transaction can be left open, unless it has to leave out what others have locked, or takes rows of django-allauth along.

use std::rc::Rc;

use super::catalog::look;
use super::fault::{Failure, fail};
use super::keys::{MOST_KEYS, Named, padded};
use super::references::kept_rows;
use super::row::text;
use super::session::LOCK_WAIT;
use super::writer::{How, MySqlWriter};
use crate::store::reference::{Broken, delete_in_halves};
use crate::store::{Gone, Locked, Reference, StoreError};

const SYNTAX_ERROR: u16 = 1064;
const LOCK_WAIT_TIMEOUT: u16 = 1205;

impl MySqlWriter<'_> {
    /// The foreign keys, read once before the first delete.
    fn references(&mut self) -> Result<Rc<[Reference]>, StoreError> {
        if let Some(references) = &self.references {
            return Ok(Rc::clone(references));
        }
        let found: Rc<[Reference]> = self.store.references(&mut self.client)?.into();
        self.references = Some(Rc::clone(&found));
        Ok(found)
    }

    pub(super) fn delete_rows(&mut self, keys: &[&str], how: How<'_>) -> Result<Gone, StoreError> {
        let references = self.references()?;
        self.demand_trust()?;
        if how.with_allauth {
            self.store.demand_trust(&mut self.client, &self.store.table.of_allauth())?;
        }
        let mut gone = Gone::default();
        for keys in keys.chunks(MOST_KEYS) {
            let deleted = delete_in_halves(keys, |part| {
                self.delete_part(part, how, &references).map_err(|failure| {
                    match referring(&failure) {
                        Some(table) => Broken::Reference(failure, table),
                        None => Broken::Otherwise(failure),
                    }
                })
            });
            gone.add(deleted.map_err(|failure| fail(failure, self.store.what("delete from")))?);
        }
        Ok(gone)
    }

    fn delete_part(
        &mut self,
        keys: &[&str],
        how: How<'_>,
        references: &[Reference],
    ) -> Result<Gone, Failure> {
        let mut gone = Gone::default();
        if references.iter().any(Reference::hinders) {
            let named = Named::new(&self.store.table, &self.found, keys, how.before);
            gone.kept = kept_rows(&mut self.client, &named, references)?;
        }
        let keys: Vec<&str> =
            keys.iter().copied().filter(|key| !gone.kept.rows.contains(*key)).collect();
        if keys.is_empty() {
            return Ok(gone);
        }
        if how.with_allauth {
            let both = self.in_transaction(|writer| writer.delete_both(&keys))?;
            gone.add(both);
            return Ok(gone);
        }
        gone.sessions = match how.locked {
            Locked::Skip => self.delete_but_locked(&keys, how.before),
            Locked::Wait => {
                self.wait_for_locks(LOCK_WAIT).and_then(|()| self.delete_now(&keys, how.before))
            }
        }?;
        Ok(gone)
    }

    /// To look first which rows are locked takes half as long again, so it does that only for a batch that meets a lock.
    fn delete_but_locked(&mut self, keys: &[&str], before: Option<&str>) -> Result<u64, Failure> {
        if !self.skips_locked {
            self.wait_for_locks(LOCK_WAIT)?;
            return self.delete_now(keys, before);
        }
        self.wait_for_locks(self.shortest_lock_wait)?;
        match self.delete_now(keys, before) {
            Err(failure) if failure.code() == Some(LOCK_WAIT_TIMEOUT) => {}
            deleted => return deleted,
        }
        self.wait_for_locks(LOCK_WAIT)?;
        match self.in_transaction(|writer| writer.delete_unlocked(keys, before)) {
            // The server does not know the words.
            Err(failure) if failure.code() == Some(SYNTAX_ERROR) => {
                self.skips_locked = false;
                self.delete_now(keys, before)
            }
            deleted => deleted,
        }
    }

    fn delete_now(&mut self, keys: &[&str], before: Option<&str>) -> Result<u64, Failure> {
        let named = Named::new(&self.store.table, &self.found, &padded(keys), before);
        self.client.change(&named.delete(), named.values)
    }

    /// In a transaction: finds, and locks, the rows that nobody else has locked, and deletes these.
    fn delete_unlocked(&mut self, keys: &[&str], before: Option<&str>) -> Result<u64, Failure> {
        let free = self.lock(keys, before, " SKIP LOCKED")?;
        let free: Vec<&str> = free.iter().map(String::as_str).collect();
        if free.is_empty() { Ok(0) } else { self.delete_now(&free, before) }
    }

    /// In a transaction: a row of django-allauth goes only if its session went.
    fn delete_both(&mut self, keys: &[&str]) -> Result<Gone, Failure> {
        let there = self.lock(keys, None, "")?;
        let there: Vec<&str> = there.iter().map(String::as_str).collect();
        if there.is_empty() {
            return Ok(Gone::default());
        }
        let mut gone = Gone::of(self.delete_now(&there, None)?);
        let table = self.store.table.of_allauth();
        let found = look(&mut self.client, &table)?;
        let named = Named::new(&table, &found, &padded(&there), None);
        gone.allauth = self.client.change(&named.delete(), named.values)?;
        Ok(gone)
    }

    /// Locks the rows with these keys, and returns their keys, each once.
    fn lock(
        &mut self,
        keys: &[&str],
        before: Option<&str>,
        how: &str,
    ) -> Result<Vec<String>, Failure> {
        let named = Named::to_lock(&self.store.table, &self.found, &padded(keys), before);
        let sql = format!("{} FOR UPDATE{how}", named.select("s.session_key"));
        let rows = self.client.query(&sql, named.values)?;
        let mut keys: Vec<String> = rows.iter().map(|row| text(row, 0)).collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// Runs statements in one transaction.
    fn in_transaction<T>(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.client.execute("START TRANSACTION")?;
        let done = run(self).and_then(|done| self.client.execute("COMMIT").map(|_| done));
        if done.is_err() {
            // 1205 undoes the statement and leaves the transaction open. If this fails, the connection is gone, and the
            // transaction with it.
            let _ = self.client.execute("ROLLBACK");
        }
        done
    }
}

/// The table whose foreign key forbids the delete: one that the account may not see, or one further on, behind ON DELETE
/// CASCADE. The server names it between backticks, after its database, unless the account has no right to it (1217).
fn referring(failure: &Failure) -> Option<String> {
    match failure.server_error()? {
        (1451, said) => Some(said.split('`').nth(3).unwrap_or("another table").to_owned()),
        (1217, _) => Some("another table".into()),
        _ => None,
    }
}
