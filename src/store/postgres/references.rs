//! Foreign keys of other tables that point at the session table: finds them, and deletes rows except those
//! that they keep.

use std::rc::Rc;

use tokio_postgres::Error;
use tokio_postgres::types::{ToSql, Type};

use super::Postgres;
use super::client::Client;
use super::doomed::Doomed;
use super::fault::fail;
use super::grants::Need;
use super::referring::{Referring, delete_with, deleted};
use super::sql::BEGIN_SCAN;
use super::transaction::Failed;
use super::writer::PostgresWriter;
use crate::store::reference::{Broken, columns, delete_in_halves, hindrances, kept, unless_kept};
use crate::store::table::quote;
use crate::store::{Gone, Kept, Reference, StoreError};

/// The foreign keys that point at the table or at one of its partitions. The operators are those by which the
/// server itself compares. ON DELETE SET NULL and SET DEFAULT fail where NULL is forbidden; since PostgreSQL
/// 15 they may set only some of the columns (`confdelsetcols`).
const REFERENCES: &str = "
    WITH RECURSIVE parts (part) AS (
        SELECT $1 UNION SELECT inhrelid FROM parts JOIN pg_catalog.pg_inherits ON inhparent = part)
    SELECT conrelid,
           CASE confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
                            WHEN 'r' THEN 'RESTRICT' ELSE 'NO ACTION' END,
           ARRAY(SELECT attname::text FROM pg_catalog.unnest(conkey) WITH ORDINALITY AS k (number, place)
                 JOIN pg_catalog.pg_attribute ON attrelid = conrelid AND attnum = k.number ORDER BY k.place),
           ARRAY(SELECT attname::text FROM pg_catalog.unnest(confkey) WITH ORDINALITY AS k (number, place)
                 JOIN pg_catalog.pg_attribute ON attrelid = confrelid AND attnum = k.number ORDER BY k.place),
           ARRAY(SELECT pg_catalog.quote_ident(nspname) || '.' || oprname
                 FROM pg_catalog.unnest(conpfeqop) WITH ORDINALITY AS k (operator, place)
                 JOIN pg_catalog.pg_operator o ON o.oid = k.operator
                 JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace ORDER BY k.place),
           pg_catalog.has_schema_privilege(relnamespace, 'USAGE') AND NOT pg_catalog.row_security_active(conrelid)
               AND NOT EXISTS (SELECT FROM pg_catalog.unnest(conkey) AS k (number)
                               WHERE NOT pg_catalog.has_column_privilege(conrelid, k.number, 'SELECT')),
           CASE confdeltype WHEN 'a' THEN true WHEN 'r' THEN true
               WHEN 'c' THEN conrelid IN (SELECT part FROM parts)
               ELSE EXISTS (
                   SELECT FROM pg_catalog.unnest(conkey) AS k (number)
                   JOIN pg_catalog.pg_attribute ON attrelid = conrelid AND attnum = k.number
                   JOIN pg_catalog.pg_type t ON t.oid = atttypid
                   WHERE (attnotnull OR typnotnull) AND (confdeltype = 'n' OR NOT atthasdef AND typdefault IS NULL)
                       AND coalesce(nullif(pg_catalog.to_jsonb(c) -> 'confdelsetcols', 'null')
                                    @> pg_catalog.to_jsonb(k.number), true)) END
    FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class other ON other.oid = conrelid
    WHERE contype = 'f' AND confrelid IN (SELECT part FROM parts) AND conparentid = 0";

/// The site locks a row that refers to a session before the session, where it deletes or adds both, and a batch with such rows
/// the session first. At the end of `deadlock_timeout`, by default 1 s, the server might end the site's transaction.
const SHORTER_THAN_DEADLOCKS: &str = "SET LOCAL lock_timeout = '500ms'";

/// The alias of the other table in conditions.
const OTHER: &str = "sessctl_other";

impl Postgres {
    /// The foreign keys that point at the table.
    pub(super) fn references(
        &self,
        client: &mut Client,
        oid: u32,
    ) -> Result<Vec<Reference>, StoreError> {
        let cannot = |error| fail(error, self.what("read"));
        let rows = client.query_typed(REFERENCES, &[(&oid, Type::OID)]).map_err(cannot)?;
        let sessions = self.table.quoted();
        let listed = self.referring_tables(client).map_err(cannot)?;
        let tables: Result<Vec<u32>, Error> = rows.iter().map(|row| row.try_get(0)).collect();
        let names = tables.and_then(|tables| client.names(&tables)).map_err(cannot)?;
        let read = |row: &tokio_postgres::Row| {
            let (table, columns): (u32, Vec<String>) = (row.try_get(0)?, row.try_get(2)?);
            let mut listed = self.referring.iter().zip(&listed);
            let is_deleted = listed.any(|(column, oid)| *oid == table && column.is_in(&columns));
            let table = names.get(&table).cloned().unwrap_or_default();
            let keys: Vec<String> = row.try_get(3)?;
            let operators: Vec<String> = row.try_get(4)?;
            let visible = row.try_get(5)?;
            let known = keys.len() == columns.len() && operators.len() == columns.len();
            let equal =
                keys.iter().zip(&operators).zip(&columns).map(|((key, operator), column)| {
                    let (key, column) = (quote(key), quote(column));
                    format!("{sessions}.{key} OPERATOR({operator}) {OTHER}.{column}")
                });
            let equal = equal.collect::<Vec<_>>().join(" AND ");
            let refers = (visible && known)
                .then(|| format!("EXISTS (SELECT FROM {table} AS {OTHER} WHERE {equal})"));
            let (on_delete, hinders) = (row.try_get(1)?, row.try_get(6)?);
            Ok(Reference { table, columns, on_delete, hinders, is_deleted, refers })
        };
        let found: Result<Vec<Reference>, Error> = rows.iter().map(read).collect();
        let mut found = found.map_err(cannot)?;
        let read: Vec<u32> = names
            .iter()
            .filter(|(_, name)| {
                found.iter().any(|one| one.hinders() && one.is_visible() && one.table == **name)
            })
            .map(|(oid, _)| *oid)
            .collect();
        self.demand_trust(client, &read, false, || self.what("see what refers to"))?;
        found.sort_by(|one, other| one.table.cmp(&other.table));
        Ok(found)
    }
}

impl Postgres {
    /// Of the rows with these keys, those that other tables keep.
    pub(super) fn referenced(
        &self,
        client: &mut Client,
        oid: u32,
        keys: &[&str],
    ) -> Result<Kept, StoreError> {
        let references = self.references(client, oid)?;
        let (table, doomed) = (self.table.quoted(), Doomed::by_key(""));
        let mut find = || {
            client.batch_execute(BEGIN_SCAN)?;
            let values: [(&(dyn ToSql + Sync), Type); 1] = [(&keys, Type::TEXT_ARRAY)];
            let kept = kept_rows(client, &table, &doomed, &hindrances(&references), &values)?;
            client.batch_execute("COMMIT")?;
            Ok(kept)
        };
        find().map_err(|error| fail(error, self.what("read")))
    }
}

impl PostgresWriter<'_> {
    /// The foreign keys, read once before the first delete.
    pub(super) fn references(&mut self) -> Result<Rc<[Reference]>, StoreError> {
        if let Some(references) = &self.references {
            return Ok(Rc::clone(references));
        }
        let found: Rc<[Reference]> =
            self.store.references(&mut self.client, self.found.oid)?.into();
        for (table, _) in hindrances(&found) {
            self.guard_read(table)?;
        }
        self.references = Some(Rc::clone(&found));
        Ok(found)
    }

    /// The names of the tables and columns whose rows go with their sessions, found once before the first delete. Has each
    /// batch check these tables, too, if it checks that of the sessions.
    pub(super) fn referring(&mut self) -> Result<Rc<[Referring]>, StoreError> {
        if let Some(referring) = &self.referring {
            return Ok(Rc::clone(referring));
        }
        let mut find = || -> Result<Rc<[Referring]>, Error> {
            let mut found = self.store.find_referring(&mut self.client)?;
            for Referring { table, .. } in &mut found {
                if let Some(name) = self.guarded.also_written(&mut self.client, table)? {
                    *table = name;
                }
            }
            Ok(found.into())
        };
        let found = find().map_err(|error| fail(error, self.store.what("delete from")))?;
        self.referring = Some(Rc::clone(&found));
        Ok(found)
    }

    /// Has each batch check that this name still leads to the same table, if it checks that of the sessions.
    pub(super) fn guard_read(&mut self, name: &str) -> Result<(), StoreError> {
        let what = || self.store.what("see what refers to");
        let found = self.guarded.also_read(&mut self.client, name);
        match found.map_err(|error| fail(error, what()))? {
            Some(oid) => self.store.demand_trust(&mut self.client, &[oid], false, what).map(drop),
            None => Ok(()),
        }
    }

    /// Deletes rows, except those that another table keeps.
    pub(super) fn delete_rows(
        &mut self,
        rows: &[&str],
        doomed: &Doomed<'_>,
    ) -> Result<Gone, StoreError> {
        let references = self.references()?;
        let hindrances = hindrances(&references);
        let table = self.found.table.quoted();
        let referring = self.referring()?;
        let delete =
            format!("DELETE FROM {table} WHERE {}{}", doomed.delete, unless_kept(&hindrances));
        let with_others = (!referring.is_empty()).then(|| delete_with(&delete, &referring));
        let plan = match with_others {
            Some(_) => &*format!("{SHORTER_THAN_DEADLOCKS}; {}", doomed.plan),
            None => doomed.plan,
        };
        let store = self.store;
        let others = store.referring.iter().map(|column| column.table_beside(&store.table));
        let needs: Vec<Need> = std::iter::once(store.table.clone())
            .chain(others)
            .flat_map(|table| [Need::of("SELECT", &table), Need::of("DELETE", &table)])
            .collect();
        self.in_halves(rows, plan, &needs, |client, rows| {
            let mut values: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&rows, Type::TEXT_ARRAY)];
            if let Some(cutoff) = &doomed.cutoff {
                values.push((cutoff, Type::TIMESTAMPTZ));
            }
            let mut gone = match &with_others {
                Some(sql) => deleted(&client.query_typed_one(sql, &values)?)?,
                None => Gone::of(client.execute_typed(&delete, &values)?),
            };
            if gone.sessions < u64::try_from(rows.len()).unwrap_or(u64::MAX) {
                gone.kept = kept_rows(client, &table, doomed, &hindrances, &values)?;
            }
            Ok(gone)
        })
    }

    /// Runs a delete in a transaction. It splits the delete if a foreign key forbids it that we cannot see:
    /// that of a table that this role may not read, or one further on, behind ON DELETE CASCADE.
    pub(super) fn in_halves(
        &mut self,
        rows: &[&str],
        plan: &str,
        needs: &[Need],
        delete: impl Fn(&mut Client, &[&str]) -> Result<Gone, Error>,
    ) -> Result<Gone, StoreError> {
        let gone = delete_in_halves(rows, |part| {
            self.transaction("delete from", plan, |client| delete(client, part)).map_err(|error| {
                match forbidden_by(&error) {
                    Some(table) => {
                        // If this fails, the next statement fails too.
                        let _ = self.client.batch_execute("ROLLBACK");
                        Broken::Reference(error, table)
                    }
                    None => Broken::Otherwise(error),
                }
            })
        });
        gone.map_err(|error| self.give_up_for(error, "delete from", needs))
    }
}

/// Of the rows to delete, those that another table keeps.
pub(super) fn kept_rows(
    client: &mut Client,
    table: &str,
    doomed: &Doomed<'_>,
    hindrances: &[(&str, &str)],
    values: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Kept, Error> {
    let mut found = Kept::default();
    let Some(kept) = kept(hindrances) else { return Ok(found) };
    let each = columns(hindrances);
    let sql = format!(
        "SELECT {}::pg_catalog.text{each} FROM {table} WHERE {} AND {kept}",
        doomed.address, doomed.find
    );
    for row in client.query_typed(&sql, values)? {
        found.rows.insert(row.try_get(0)?);
        for (place, (table, _)) in hindrances.iter().enumerate() {
            if row.try_get(place + 1)? {
                found.by.insert((*table).to_owned());
            }
        }
    }
    Ok(found)
}

/// The table whose constraint forbids the delete: a foreign key, which some versions report as "restrict", or
/// a constraint that ON DELETE SET NULL would break (PostgreSQL docs, Appendix A, class 23).
fn forbidden_by(error: &Failed) -> Option<String> {
    let Failed::Server(error) = error else { return None };
    if !error.code().is_some_and(|code| code.code().starts_with("23")) {
        return None;
    }
    let said = error.as_db_error()?;
    let table = said.table().unwrap_or("another table");
    Some(match said.schema() {
        Some(schema) if schema != "public" => format!("{schema}.{table}"),
        _ => table.to_owned(),
    })
}
