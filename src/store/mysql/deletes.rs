//! Deletes rows by their keys, except those that another table keeps. Each batch is one autocommitted statement, so that no
//! transaction can be left open, unless it has to leave out what others have locked, or takes rows of other tables along.

use std::rc::Rc;

use super::fault::{Failure, fail};
use super::keys::{MOST_KEYS, Named, padded};
use super::references::kept_rows;
use super::referring::Referring;
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

    /// The tables whose rows go with their sessions, read once before the first delete. An error if the account may not delete
    /// from them.
    fn referring(&mut self) -> Result<Rc<[Referring]>, StoreError> {
        if let Some(referring) = &self.referring {
            return Ok(Rc::clone(referring));
        }
        let store = self.store;
        let mut all = Vec::new();
        for column in &store.referring {
            let referring = Referring::of(store, &mut self.client, column).and_then(|referring| {
                self.client.prepare(&referring.named(&[""]).delete())?;
                Ok(referring)
            });
            let what = || store.what("delete what refers to");
            all.push(referring.map_err(|failure| fail(failure, what()))?);
        }
        let all: Rc<[Referring]> = all.into();
        self.referring = Some(Rc::clone(&all));
        Ok(all)
    }

    /// Deletes the rows that refer to these keys.
    fn delete_referring(
        &mut self,
        keys: &[&str],
        referring: &[Referring],
    ) -> Result<Vec<u64>, Failure> {
        let mut counts = Vec::new();
        for referring in referring {
            let named = referring.named(&padded(keys));
            counts.push(self.client.change(&named.delete(), named.values)?);
        }
        Ok(counts)
    }

    pub(super) fn delete_rows(&mut self, keys: &[&str], how: How<'_>) -> Result<Gone, StoreError> {
        let references = self.references()?;
        let referring = self.referring()?;
        self.demand_trust()?;
        for referring in &*referring {
            self.store.demand_trust(&mut self.client, &referring.table)?;
        }
        let mut gone = Gone::default();
        for keys in keys.chunks(MOST_KEYS) {
            let deleted = delete_in_halves(keys, |part| {
                self.delete_part(part, how, (&references, &referring)).map_err(|failure| {
                    let is_left = how.locked == Locked::Skip
                        && self.halves_at_locks()
                        && failure.code() == Some(LOCK_WAIT_TIMEOUT);
                    match forbidden_by(&failure) {
                        _ if is_left || matches!(failure, Failure::Stays) => Broken::Stays(failure),
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
        (references, referring): (&[Reference], &[Referring]),
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
        let deleted = match how.locked {
            Locked::Skip => self.delete_but_locked(&keys, how.before, referring),
            Locked::Wait => self.delete_all(&keys, how.before, referring),
        };
        gone.add(deleted?);
        Ok(gone)
    }

    /// Waits for locked rows.
    fn delete_all(
        &mut self,
        keys: &[&str],
        before: Option<&str>,
        referring: &[Referring],
    ) -> Result<Gone, Failure> {
        self.wait_for_locks(LOCK_WAIT)?;
        self.delete_at_once(keys, before, referring)
    }

    fn delete_at_once(
        &mut self,
        keys: &[&str],
        before: Option<&str>,
        referring: &[Referring],
    ) -> Result<Gone, Failure> {
        if referring.is_empty() {
            return self.delete_now(keys, before).map(Gone::of);
        }
        self.in_transaction(|writer| writer.delete_found(keys, before, ("", referring)))
    }

    /// To look first which rows are locked takes half as long again, so it does that only for a batch that meets a lock.
    fn delete_but_locked(
        &mut self,
        keys: &[&str],
        before: Option<&str>,
        referring: &[Referring],
    ) -> Result<Gone, Failure> {
        if !self.skips_locked {
            return self.delete_unless_locked(keys, before, referring);
        }
        self.wait_for_locks(self.shortest_lock_wait)?;
        match self.delete_at_once(keys, before, referring) {
            Err(failure) if failure.code() == Some(LOCK_WAIT_TIMEOUT) => {}
            deleted => return deleted,
        }
        self.wait_for_locks(LOCK_WAIT)?;
        let free = (" FOR UPDATE SKIP LOCKED", referring);
        match self.in_transaction(|writer| writer.delete_found(keys, before, free)) {
            // The server does not know the words.
            Err(failure) if failure.code() == Some(SYNTAX_ERROR) => {
                self.skips_locked = false;
                self.delete_unless_locked(keys, before, referring)
            }
            deleted => deleted,
        }
    }

    /// The same on a server that does not know `SKIP LOCKED`. Where a lock need not be waited for (MariaDB), the batch that
    /// meets one fails at once, and [`Self::delete_rows`] halves it until the locked rows are alone.
    fn delete_unless_locked(
        &mut self,
        keys: &[&str],
        before: Option<&str>,
        referring: &[Referring],
    ) -> Result<Gone, Failure> {
        if !self.halves_at_locks() {
            return self.delete_all(keys, before, referring);
        }
        self.wait_for_locks(self.shortest_lock_wait)?;
        self.delete_at_once(keys, before, referring)
    }

    fn halves_at_locks(&self) -> bool {
        !self.skips_locked && self.shortest_lock_wait == 0
    }

    fn delete_now(&mut self, keys: &[&str], before: Option<&str>) -> Result<u64, Failure> {
        let named = Named::new(&self.store.table, &self.found, &padded(keys), before);
        self.client.change(&named.delete(), named.values)
    }

    /// In a transaction: finds the rows that are there and deletes these, and before them what refers to them: foreign keys
    /// demand this order, and the site has it, too, so that neither waits for the other in a circle. With `SKIP LOCKED` it
    /// locks the rows first that nobody else has locked.
    fn delete_found(
        &mut self,
        keys: &[&str],
        before: Option<&str>,
        (how, referring): (&str, &[Referring]),
    ) -> Result<Gone, Failure> {
        let found = self.find_rows(keys, before, how)?;
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        if found.is_empty() {
            return Ok(Gone::default());
        }
        let referring = self.delete_referring(&found, referring)?;
        let sessions = self.delete_now(&found, before)?;
        if usize::try_from(sessions).is_ok_and(|rows| rows < found.len()) && !referring.is_empty() {
            return Err(Failure::Stays);
        }
        Ok(Gone { referring, ..Gone::of(sessions) })
    }

    /// Returns the keys of the rows with these keys, each once, and locks them if `how` says how.
    fn find_rows(
        &mut self,
        keys: &[&str],
        before: Option<&str>,
        how: &str,
    ) -> Result<Vec<String>, Failure> {
        let named = Named::to_lock(&self.store.table, &self.found, &padded(keys), before);
        let sql = format!("{}{how}", named.select("s.session_key"));
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
fn forbidden_by(failure: &Failure) -> Option<String> {
    match failure.server_error()? {
        (1451, said) => Some(said.split('`').nth(3).unwrap_or("another table").to_owned()),
        (1217, _) => Some("another table".into()),
        _ => None,
    }
}
