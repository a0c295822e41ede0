//! Foreign keys of other tables that point at the session table: finds them, and deletes rows except those
//! that they keep.

use std::rc::Rc;

use rusqlite::types::Value;
use rusqlite::vtab::array::Array;
use rusqlite::{Connection, Error, Transaction, params};

use super::Sqlite;
use super::expired::{as_text, delete_statement, find_statement, parse_address};
use super::fault::fail;
use super::referring::delete_referring;
use super::row::NAMED;
use super::writer::SqliteWriter;
use crate::store::reference::{Broken, columns, delete_in_halves, hindrances, kept, unless_kept};
use crate::store::table::quote;
use crate::store::{Gone, Kept, Reference, StoreError};

/// A foreign key that names no column means the primary key. ON DELETE SET NULL and SET DEFAULT fail where NULL is forbidden.
const REFERENCES: &str = "
    SELECT t.name, f.on_delete, f.\"from\",
           coalesce(f.\"to\", (SELECT name FROM pragma_table_info(?1) WHERE pk = f.seq + 1), 'session_key'), f.seq,
           CASE f.on_delete WHEN 'NO ACTION' THEN 1 WHEN 'RESTRICT' THEN 1
               WHEN 'CASCADE' THEN t.name = ?1 COLLATE NOCASE
               ELSE EXISTS (SELECT 1 FROM pragma_table_info(t.name) i WHERE i.name = f.\"from\" COLLATE NOCASE
                   AND i.\"notnull\" AND (f.on_delete = 'SET NULL' OR i.dflt_value IS NULL)) END
    FROM sqlite_schema t, pragma_foreign_key_list(t.name) f
    WHERE t.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE ORDER BY t.name, f.id, f.seq";

/// The condition for rows with one of the keys in the array ?1.
const AMONG: &str = "session_key IN rarray(?1) AND session_key COLLATE BINARY IN rarray(?1)";

/// The alias of the other table in conditions.
const OTHER: &str = "sessctl_other";

impl Sqlite {
    /// The foreign keys that point at the table.
    pub(super) fn references(&self, connection: &Connection) -> Result<Vec<Reference>, StoreError> {
        self.read_references(connection).map_err(|error| fail(error, self.what("read")))
    }

    fn read_references(&self, connection: &Connection) -> rusqlite::Result<Vec<Reference>> {
        let sessions = self.table.quoted();
        let mut statement = connection.prepare(REFERENCES)?;
        let mut rows = statement.query([self.table.name()])?;
        let mut found: Vec<Reference> = Vec::new();
        while let Some(row) = rows.next()? {
            let (column, key): (String, String) = (row.get(2)?, row.get(3)?);
            // The column of the session table is on the left, so that its collation decides.
            let equal = format!("{sessions}.{} = {OTHER}.{}", quote(&key), quote(&column));
            match found.last_mut() {
                Some(last) if row.get::<_, i64>(4)? > 0 => {
                    last.columns.push(column);
                    last.hinders |= row.get::<_, bool>(5)?;
                    let refers = last.refers.get_or_insert_default();
                    refers.push_str(" AND ");
                    refers.push_str(&equal);
                }
                _ => found.push(Reference {
                    table: row.get(0)?,
                    columns: vec![column],
                    on_delete: row.get(1)?,
                    hinders: row.get(5)?,
                    is_deleted: false,
                    refers: Some(equal),
                }),
            }
        }
        for reference in &mut found {
            reference.is_deleted = self.deletes_references(&reference.table, &reference.columns);
            let table = quote(&reference.table);
            reference.refers = reference
                .refers
                .take()
                .map(|equal| format!("EXISTS (SELECT 1 FROM {table} AS {OTHER} WHERE {equal})"));
        }
        Ok(found)
    }
}

impl Sqlite {
    /// Of the rows with these keys, those that other tables keep.
    pub(super) fn referenced(
        &self,
        connection: &Connection,
        keys: &[&str],
    ) -> Result<Kept, StoreError> {
        let references = self.references(connection)?;
        let hindrances = hindrances(&references);
        let (table, which) = (self.table.quoted(), AMONG);
        let Some(find) = find_kept("session_key", &table, which, &hindrances) else {
            return Ok(Kept::default());
        };
        let keys: Array = Rc::new(keys.iter().map(|key| Value::from((*key).to_owned())).collect());
        kept_rows(connection, &find, params![keys], &hindrances)
            .map_err(|error| fail(error, self.what("read")))
    }
}

impl SqliteWriter<'_> {
    /// The foreign keys, read once before the first delete.
    fn references(&mut self) -> Result<Rc<[Reference]>, StoreError> {
        if let Some(references) = &self.references {
            return Ok(Rc::clone(references));
        }
        self.store.recheck_siblings()?;
        let found: Rc<[Reference]> = self.store.references(&self.connection)?.into();
        self.references = Some(Rc::clone(&found));
        Ok(found)
    }

    /// Deletes the rows with these keys, except those that another table keeps. What refers to them goes first, as foreign
    /// keys demand.
    pub(super) fn delete_by_key(&mut self, keys: &[&str]) -> Result<Gone, StoreError> {
        let references = self.references()?;
        let hindrances = hindrances(&references);
        let table = self.store.table.quoted();
        let delete = format!("DELETE FROM {table} WHERE {NAMED}{}", unless_kept(&hindrances));
        let find = find_kept("session_key", &table, NAMED, &hindrances);
        let free = format!("SELECT 1 FROM {table} WHERE {NAMED}{}", unless_kept(&hindrances));
        let referring = self.store.referring_deletes();
        self.in_halves(keys, &mut |transaction, keys| {
            let (mut gone, mut left) = (Gone::default(), 0);
            if !referring.is_empty() {
                let mut free = transaction.prepare_cached(&free)?;
                let mut going = Vec::new();
                for key in keys {
                    if free.exists([key])? {
                        going.push(Value::from((*key).to_owned()));
                    }
                }
                left = going.len();
                gone.referring = delete_referring(transaction, &referring, going)?;
            }
            let mut statement = transaction.prepare_cached(&delete)?;
            for key in keys {
                let rows = u64::try_from(statement.execute([key])?).unwrap_or(u64::MAX);
                if rows > 0 {
                    gone.sessions += rows;
                    left = left.saturating_sub(1);
                } else if let Some(find) = &find {
                    let kept = kept_rows(transaction, find, params![key], &hindrances)?;
                    gone.kept.add(kept);
                }
            }
            all_went(left).map(|()| gone)
        })
    }

    /// Deletes rows that are named by their addresses and expired before a bound.
    pub(super) fn delete_by_address(
        &mut self,
        rows: &[&str],
        bound: &str,
    ) -> Result<Gone, StoreError> {
        let references = self.references()?;
        let hindrances = hindrances(&references);
        let store = self.store;
        let address = store.row_address(&self.connection);
        let table = store.table.quoted();
        let delete =
            format!("{}{}", delete_statement(&store.table, address), unless_kept(&hindrances));
        let referring = store.referring_deletes();
        let free = format!(
            "SELECT session_key FROM {table} NOT INDEXED WHERE {}{}",
            find_statement(address),
            unless_kept(&hindrances)
        );
        let find = find_kept(
            address,
            &format!("{table} NOT INDEXED"),
            &find_statement(address),
            &hindrances,
        );
        self.in_halves(rows, &mut |transaction, rows| {
            let named: Array =
                Rc::new(rows.iter().map(|row| parse_address(address, row)).collect());
            let (mut going, mut listed) = (0, Vec::new());
            if !referring.is_empty() {
                let mut keys = transaction.prepare_cached(&free)?;
                let keys = keys.query_map(params![named, bound], |row| row.get(0))?;
                let keys: Vec<Value> = keys.collect::<Result<_, _>>()?;
                going = keys.len();
                listed = delete_referring(transaction, &referring, keys)?;
            }
            let deleted = transaction.prepare_cached(&delete)?.execute(params![named, bound])?;
            all_went(going.saturating_sub(deleted))?;
            let sessions = u64::try_from(deleted).unwrap_or(u64::MAX);
            let mut gone = Gone { referring: listed, ..Gone::of(sessions) };
            if let Some(find) = find.as_ref().filter(|_| deleted < rows.len()) {
                gone.kept = kept_rows(transaction, find, params![named, bound], &hindrances)?;
            }
            Ok(gone)
        })
    }

    /// Runs a delete in a transaction. It splits the delete if a foreign key forbids it that does not point
    /// at the session table: one further on, behind ON DELETE CASCADE.
    fn in_halves(
        &mut self,
        rows: &[&str],
        delete: &mut dyn FnMut(&Transaction<'_>, &[&str]) -> rusqlite::Result<Gone>,
    ) -> Result<Gone, StoreError> {
        self.store.recheck_siblings()?;
        delete_in_halves(rows, |part| {
            let done = self.try_transaction(|transaction| {
                let gone = delete(transaction, part)?;
                Ok((gone.sessions + gone.referring.iter().sum::<u64>(), gone))
            });
            done.map_err(|error| {
                if matches!(error, Error::StatementChangedRows(_)) {
                    Broken::Stays(error)
                } else if is_reference(&error) {
                    Broken::Reference(error, "another table".into())
                } else {
                    Broken::Otherwise(error)
                }
            })
        })
        .map_err(|error| fail(error, self.store.what("delete from")))
    }
}

/// An error if sessions are left that were to go, and of which what refers to them is gone: a trigger keeps them.
fn all_went(left: usize) -> rusqlite::Result<()> {
    if left == 0 { Ok(()) } else { Err(Error::StatementChangedRows(left)) }
}

/// Selects the rows that another table keeps; `None` if none can.
fn find_kept(
    address: &str,
    table: &str,
    condition: &str,
    hindrances: &[(&str, &str)],
) -> Option<String> {
    let kept = kept(hindrances)?;
    let each = columns(hindrances);
    Some(format!("SELECT {address}{each} FROM {table} WHERE {condition} AND {kept}"))
}

fn kept_rows(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
    hindrances: &[(&str, &str)],
) -> rusqlite::Result<Kept> {
    let mut found = Kept::default();
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        found.rows.insert(as_text(&row.get(0)?));
        for (place, (table, _)) in hindrances.iter().enumerate() {
            if row.get(place + 1)? {
                found.by.insert((*table).to_owned());
            }
        }
    }
    Ok(found)
}

/// Whether a foreign key forbids the delete, or a constraint that ON DELETE SET NULL would break. SQLite
/// reports RESTRICT as a failed trigger of its own.
fn is_reference(error: &Error) -> bool {
    use rusqlite::ffi::{
        SQLITE_CONSTRAINT_CHECK, SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_NOTNULL,
    };
    match error {
        Error::SqliteFailure(code, said) => {
            let broken =
                [SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_NOTNULL, SQLITE_CONSTRAINT_CHECK];
            broken.contains(&code.extended_code)
                || said.as_deref() == Some("FOREIGN KEY constraint failed")
        }
        _ => false,
    }
}
