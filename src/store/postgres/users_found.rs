//! Finds the tables that may be the table of the site's users.

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::Postgres;
use super::client::Client;
use super::fault::fail;
use crate::store::table::quote;
use crate::store::users::{OF_HISTORY, PEOPLE, REFERRING};
use crate::store::{Evidence, StoreError, Table, Uniqueness, Users, UsersFound};

/// The schema of the table `$2` that belongs to the sessions `$1`, along the search path `$3`. The site finds
/// its sessions along the path, so it finds the table in the schema of the sessions or in a later one.
const SCHEMA_BESIDE: &str = "
    WITH own (schema) AS (
        SELECT n.nspname::text FROM pg_catalog.pg_class s JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
        WHERE s.oid = $1),
    places (schema, place) AS (
        SELECT schema, 0 FROM own
        UNION ALL
        SELECT p.schema, p.place FROM own, pg_catalog.unnest($3) WITH ORDINALITY AS p (schema, place)
        WHERE p.place > coalesce(pg_catalog.array_position($3, own.schema), 0))
    SELECT p.schema, c.oid
    FROM places p JOIN pg_catalog.pg_namespace n ON n.nspname = p.schema
        LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = $2 AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
    WHERE c.oid IS NOT NULL OR p.place = 0
    ORDER BY c.oid IS NULL, p.place LIMIT 1";

/// The candidates for the table of users: the table, its key, the evidence (see [`Evidence`]), the schema,
/// the columns, and the table that its key refers to. The schema of the sessions `$1` has place 0. Later
/// schemas of the search path `$2` have higher places; earlier ones count only if the path led to the
/// sessions (`$3`).
const FOUND: &str = "
    WITH own (oid, schema, at) AS (
        SELECT s.oid, n.oid, coalesce(pg_catalog.array_position($2, n.nspname::text), 0)
        FROM pg_catalog.pg_class s JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
        WHERE s.oid = $1),
    places (schema, place) AS (
        SELECT schema, 0 FROM own
        UNION ALL
        SELECT n.oid, p.at::int - own.at
        FROM own, pg_catalog.unnest($2) WITH ORDINALITY AS p (name, at) JOIN pg_catalog.pg_namespace n ON n.nspname = p.name
        WHERE p.at > own.at OR p.at < own.at AND $3),
    tables (oid, name, kind, schema, place) AS (
        SELECT c.oid, c.relname, c.relkind, c.relnamespace, p.place
        FROM places p JOIN pg_catalog.pg_class c ON c.relnamespace = p.schema
        WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND NOT c.relispartition),
    keys (oid, number, name) AS (
        SELECT i.indrelid, a.attnum, a.attname
        FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indisprimary AND i.indnkeyatts = 1),
    refers (by, name, schema, place, attribute, users, number) AS (
        SELECT t.oid, t.name, t.schema, t.place, a.attname, f.confrelid, f.confkey[1]
        FROM tables t JOIN pg_catalog.pg_constraint f ON f.conrelid = t.oid AND f.contype = 'f'
            JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND f.conkey = ARRAY[a.attnum]),
    found (oid, number, evidence, place) AS (
        SELECT r.users, r.number, 2, r.place FROM refers r, own
        WHERE r.attribute = 'user_id' AND (r.by = own.oid OR r.name = ANY($4))
        UNION ALL
        SELECT g.users, g.number, 1, g.place
        FROM refers g JOIN pg_catalog.pg_class u ON u.oid = g.users AND g.name = u.relname || '_groups'
            JOIN refers p ON p.users = u.oid AND p.schema = g.schema AND p.name = u.relname || '_user_permissions'
        UNION ALL
        SELECT t.oid, k.number, 0, t.place
        FROM tables t LEFT JOIN keys k ON k.oid = t.oid
        WHERE t.name = 'auth_user' OR t.kind IN ('r', 'p') AND k.name <> ALL($5) AND EXISTS (
            SELECT 1 FROM pg_catalog.pg_attribute
            WHERE attrelid = t.oid AND attname = 'password' AND NOT attisdropped)
            AND (t.name ILIKE ANY($6) OR EXISTS (
                SELECT 1 FROM pg_catalog.pg_attribute
                WHERE attrelid = t.oid AND attname = 'last_login' AND NOT attisdropped)))
    SELECT DISTINCT f.oid, coalesce(a.attname, 'id')::text, f.evidence, f.place,
        ARRAY(SELECT attname::text FROM pg_catalog.pg_attribute
              WHERE attrelid = f.oid AND attnum > 0 AND NOT attisdropped),
        (SELECT min(r.confrelid::pg_catalog.int8)::pg_catalog.oid FROM pg_catalog.pg_constraint r
         WHERE r.conrelid = f.oid AND r.contype = 'f' AND r.conkey = ARRAY[f.number])
    FROM found f LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = f.oid AND a.attnum = f.number";

const DESCRIBED: &str = "
    SELECT a.attname::text,
        ARRAY(SELECT attname::text FROM pg_catalog.pg_attribute
              WHERE attrelid = i.indrelid AND attnum > 0 AND NOT attisdropped)
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = $1 AND i.indisprimary AND i.indnkeyatts = 1";

/// Whether the column `$2` of the table `$1`, or `lower()` or `upper()` of it, is unique by itself, and whether
/// anything but the primary key is.
const UNIQUE: &str = "
    SELECT coalesce(pg_catalog.bool_or(i.indnkeyatts = 1 AND i.indpred IS NULL
            AND (i.indkey[0] = a.attnum OR pg_catalog.pg_get_indexdef(i.indexrelid, 1, false) IN (
                SELECT pg_catalog.format(form, a.attname)
                FROM pg_catalog.unnest(ARRAY['lower(%I)', 'lower((%I)::text)', 'upper(%I)', 'upper((%I)::text)']) AS c (form)))), false),
        coalesce(pg_catalog.bool_or(NOT i.indisprimary), false)
    FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attname = $2 AND NOT a.attisdropped
    WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid";

impl Postgres {
    pub(super) fn uniqueness(
        &self,
        client: &mut Client,
        users: &Table,
        column: &str,
    ) -> Result<Uniqueness, StoreError> {
        let cannot = |error| fail(error, self.what("look beside"));
        let oid = client.resolve(&users.quoted()).map_err(cannot)?;
        let values: [(&(dyn ToSql + Sync), Type); 2] = [(&oid, Type::OID), (&column, Type::TEXT)];
        let row = client.query_typed_one(UNIQUE, &values).map_err(cannot)?;
        let column_is_unique = row.try_get(0).map_err(cannot)?;
        Ok(Uniqueness::of(column_is_unique, row.try_get(1).map_err(cannot)?))
    }

    pub(super) fn schema_beside(
        &self,
        client: &mut Client,
        oid: u32,
        name: &str,
    ) -> Result<Option<String>, StoreError> {
        let cannot = |error| fail(error, self.what("look beside"));
        let front = client.resolve(&quote(name)).map_err(cannot)?;
        let path = client.search_path().map_err(cannot)?;
        let values: [(&(dyn ToSql + Sync), Type); 3] =
            [(&oid, Type::OID), (&name, Type::TEXT), (&path, Type::TEXT_ARRAY)];
        let found = client.query_typed_opt(SCHEMA_BESIDE, &values).map_err(cannot)?;
        let Some(row) = found else { return Ok(None) };
        let table: Option<u32> = row.try_get(1).map_err(cannot)?;
        // The name alone finds it, and is shorter in messages.
        if front == table && self.table.schema().is_none() {
            return Ok(None);
        }
        row.try_get(0).map_err(cannot).map(Some)
    }

    pub(super) fn users_found(
        &self,
        client: &mut Client,
        oid: u32,
    ) -> Result<Vec<UsersFound>, StoreError> {
        let cannot = |error| fail(error, self.what("look beside"));
        let path = client.search_path().map_err(cannot)?;
        let people = PEOPLE.map(|word| format!("%{word}%"));
        let values: [(&(dyn ToSql + Sync), Type); 6] = [
            (&oid, Type::OID),
            (&path, Type::TEXT_ARRAY),
            (&self.table.schema().is_none(), Type::BOOL),
            (&REFERRING.as_slice(), Type::TEXT_ARRAY),
            (&OF_HISTORY.as_slice(), Type::TEXT_ARRAY),
            (&people.as_slice(), Type::TEXT_ARRAY),
        ];
        let rows = client.query_typed(FOUND, &values).map_err(cannot)?;
        let oids = |row: &Row| -> Result<(u32, Option<u32>), tokio_postgres::Error> {
            Ok((row.try_get(0)?, row.try_get(5)?))
        };
        let mut seen = Vec::new();
        for row in &rows {
            let (table, parent) = oids(row).map_err(cannot)?;
            seen.extend(std::iter::once(table).chain(parent));
        }
        let names = client.names(&seen).map_err(cannot)?;
        let table = |oid: u32| names.get(&oid).and_then(|name| name.parse::<Table>().ok());
        let read = |row: &Row| -> Result<Option<UsersFound>, tokio_postgres::Error> {
            let (oid, parent) = oids(row)?;
            let Some(name) = table(oid) else { return Ok(None) };
            let columns: Vec<String> = row.try_get(4)?;
            Ok(Some(UsersFound {
                users: Users::of(name, row.try_get(1)?, &columns),
                evidence: match row.try_get(2)? {
                    2 => Evidence::Referred,
                    1 => Evidence::Groups,
                    _ => Evidence::Shape,
                },
                place: row.try_get(3)?,
                parent: parent.and_then(table),
            }))
        };
        rows.iter()
            .filter_map(|row| read(row).transpose())
            .collect::<Result<_, _>>()
            .map_err(cannot)
    }

    pub(super) fn described(
        &self,
        client: &mut Client,
        users: &Table,
    ) -> Result<Option<Users>, StoreError> {
        let cannot = |error| fail(error, self.what("look beside"));
        let oid = client.resolve(&users.quoted()).map_err(cannot)?;
        let found = client.query_typed_opt(DESCRIBED, &[(&oid, Type::OID)]).map_err(cannot)?;
        let Some(row) = found else { return Ok(None) };
        let columns: Vec<String> = row.try_get(1).map_err(cannot)?;
        Ok(Some(Users::of(users.clone(), row.try_get(0).map_err(cannot)?, &columns)))
    }
}
