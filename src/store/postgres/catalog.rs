//! Reads from the server's catalog what the table is and what the role may do with it, before any row is read
//! or written.

use std::collections::BTreeSet;

use tokio_postgres::Error;
use tokio_postgres::types::{ToSql, Type};

use super::Postgres;
use super::client::Client;
use super::fault::fail;
use super::grants::{Need, printable};
use super::instant::Times;
use super::sight::{HIDDEN, SEE_ALL};
use crate::store::table::{check_columns, missing};
use crate::store::{Fault, OtherTable, StoreError, Table};

/// What the catalog says of a table that exists, has the columns of a session table, and may be used.
#[allow(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(super) struct Found {
    pub(super) oid: u32,
    /// Its name with its schema: no table of another schema can come before it.
    pub(super) table: Table,
    /// Whether the server is PostgreSQL itself, with all its settings.
    pub(super) is_genuine: bool,
    /// Whether a row address (`ctid`) identifies a row, as in heap tables of PostgreSQL itself. Partitions
    /// and foreign tables repeat each other's addresses, and other servers and access methods may have none.
    pub(super) has_row_addresses: bool,
    /// Whether locked rows can be skipped. `FOR UPDATE` needs the `UPDATE` privilege, and foreign servers
    /// cannot skip.
    pub(super) can_skip_locked: bool,
    /// Whether some of its rows are on another server.
    pub(super) has_foreign_parts: bool,
    pub(super) times: Times,
    pub(super) is_on_replica: bool,
    /// Whether transactions are read-only, on a replica or by default.
    pub(super) is_read_only: bool,
    /// Whether other roles may add code to the table that would run with a superuser's rights.
    pub(super) is_guarded: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Right {
    Select,
    /// `DELETE`, or at least `UPDATE`, which is enough for a backfill.
    Write,
}

impl Right {
    fn privilege(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Write => "DELETE",
        }
    }

    /// The argument of `has_table_privilege`, which accepts any of several privileges.
    fn any_of(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Write => "DELETE, UPDATE",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Select => "read",
            Self::Write => "write to",
        }
    }
}

/// Why sessctl stops if a name finds another table than before.
pub(super) const REPLACED: &str =
    "another table came in the place of this one, or of one that belongs to it, while sessctl ran";

const FIND: &str = "
    SELECT c.oid,
           ARRAY(SELECT attname::text FROM pg_catalog.pg_attribute
                 WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
           pg_catalog.has_table_privilege(c.oid, $2),
           current_user::text,
           pg_catalog.row_security_active(c.oid),
           pg_catalog.current_setting('transaction_read_only')::bool,
           c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = c.oid)
               -- PostgreSQL 11 names no kind, and what it does with addresses is not relied on.
               AND (SELECT amname = 'heap' FROM pg_catalog.pg_am a WHERE a.oid = c.relam),
           pg_catalog.has_any_column_privilege(c.oid, 'UPDATE'),
           EXISTS (
               WITH RECURSIVE parts (part) AS (
                   SELECT c.oid UNION SELECT inhrelid FROM parts JOIN pg_catalog.pg_inherits ON inhparent = part)
               SELECT FROM parts JOIN pg_catalog.pg_class p ON p.oid = part WHERE p.relkind = 'f'),
           EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attname = 'expire_date'
                   AND 'pg_catalog.timestamptz'::pg_catalog.regtype IN (
                       atttypid, (SELECT typbasetype FROM pg_catalog.pg_type t WHERE t.oid = atttypid))),
           pg_catalog.version(),
           pg_catalog.pg_is_in_recovery(),
           c.relkind IN ('v', 'm'),
           nspname::text,
           relname::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace WHERE c.oid = $1";

const TABLES_ALIKE: &str = "
    SELECT attrelid
    FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid
    WHERE attname IN ('session_key', 'session_data', 'expire_date')
      AND NOT attisdropped AND c.relkind IN ('r', 'p', 'f')
    GROUP BY attrelid HAVING count(*) = 3";

/// The search path decides which of several tables a name finds, so tables are compared by what their names
/// find.
const OTHERS_ALIKE: &str = "
    WITH RECURSIVE own (part) AS (
        SELECT $1
        UNION SELECT inhrelid FROM own JOIN pg_catalog.pg_inherits ON inhparent = part)
    SELECT attrelid, n.oid IS NOT DISTINCT FROM (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = $1),
           pg_catalog.has_schema_privilege(n.oid, 'USAGE')
    FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE attname IN ('session_key', 'session_data', 'expire_date')
      AND NOT attisdropped AND c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND NOT EXISTS (SELECT FROM own WHERE part = attrelid) AND ($2::text IS NULL OR n.nspname = $2)
    GROUP BY attrelid, n.oid HAVING count(*) = 3";

/// A `varchar(n)` has n + 4 as its `atttypmod`.
const RENAMED_ALIKE: &str = "
    SELECT c.oid
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p' AND pg_catalog.cardinality(k.conkey) = 1
        JOIN pg_catalog.pg_attribute key ON key.attrelid = c.oid AND key.attnum = k.conkey[1]
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND ($1::text IS NULL OR n.nspname = $1)
      AND key.atttypid = 'pg_catalog.varchar'::pg_catalog.regtype AND key.atttypmod = 44
      AND EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
                  AND a.atttypid = 'pg_catalog.text'::pg_catalog.regtype)
      AND EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
                  AND a.atttypid = 'pg_catalog.timestamptz'::pg_catalog.regtype)
      AND 3 > (SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
               AND a.attname IN ('session_key', 'session_data', 'expire_date'))";

/// A view may be a tenant's table. A partition counts as a table unless the partitioned table has the same
/// name.
const SCHEMAS: &str = "
    SELECT n.nspname::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
      AND NOT (c.relispartition AND EXISTS (
          SELECT FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_class whole ON whole.oid = inhparent
          WHERE inhrelid = c.oid AND whole.relname = $1))
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND 3 = (SELECT count(*) FROM pg_catalog.pg_attribute
               WHERE attrelid = c.oid AND attname IN ('session_key', 'session_data', 'expire_date') AND NOT attisdropped)
    ORDER BY n.nspname";

impl Postgres {
    /// Finds the table, and checks its columns and this role's rights.
    pub(super) fn find(&self, client: &mut Client, right: Right) -> Result<Found, StoreError> {
        let cannot = |error| fail(error, self.what(right.verb()));
        let name = self.table.quoted();
        let found = client
            .resolve(&name)
            .and_then(|oid| {
                client.query_typed_opt(FIND, &[(&oid, Type::OID), (&right.any_of(), Type::TEXT)])
            })
            .map_err(cannot)?;
        let Some(row) = found else {
            let alike = alike(client).map_err(cannot)?;
            return Err(missing(&self.table, &self.server(), &alike));
        };
        check_columns(&self.table, &row.try_get::<_, Vec<String>>(1).map_err(cannot)?)?;
        let is = |column: usize| {
            row.try_get::<_, Option<bool>>(column).map(Option::unwrap_or_default).map_err(cannot)
        };
        let refuse = |cause: &str, hint: String| {
            Err(StoreError::new(Fault::Fatal, self.what(right.verb()))
                .because(cause.to_owned())
                .hint(hint))
        };
        if !is(2)? {
            let role: String = row.try_get(3).map_err(cannot)?;
            let cause = format!("role \"{role}\" lacks the {} privilege", right.privilege());
            let grant = printable(&Need::of(right.privilege(), &self.table).grant(&role));
            let hint = format!("{grant}, or connect as another role");
            return refuse(&cause, hint);
        }
        if is(4)? {
            return refuse(HIDDEN, SEE_ALL.into());
        }
        let oid = row.try_get(0).map_err(cannot)?;
        self.demand_same(oid, right)?;
        let of_others = self.demand_trust(client, &[oid], true, || self.what(right.verb()))?;
        if is(12)? {
            self.terms
                .note(&format!("{} is a view: to read it runs code of its owner", self.table));
        }
        let version: String = row.try_get(10).map_err(cannot)?;
        let genuine = is_postgresql(&version);
        let has_foreign_parts = is(8)?;
        let [schema, name] = [13, 14].map(|column| row.try_get::<_, String>(column));
        let found = Found {
            oid,
            table: Table::new(Some(schema.map_err(cannot)?), name.map_err(cannot)?),
            is_genuine: genuine,
            has_row_addresses: genuine && is(6)?,
            can_skip_locked: genuine && is(7)? && !has_foreign_parts,
            has_foreign_parts,
            times: if is(9)? { Times::Instants } else { Times::Naive },
            is_on_replica: is(11)?,
            is_read_only: is(5)?,
            // Servers that only speak like PostgreSQL may know no such locks.
            is_guarded: of_others.is_some_and(|of_others| of_others || genuine),
        };
        if right == Right::Write {
            self.demand_writes(&found)?;
        }
        Ok(found)
    }

    /// An error if the name found another table before: what one scan shows must hold of what the next one reads.
    fn demand_same(&self, oid: u32, right: Right) -> Result<(), StoreError> {
        if *self.oid.get_or_init(|| oid) == oid {
            return Ok(());
        }
        Err(StoreError::new(Fault::Fatal, self.what(right.verb())).because(REPLACED))
    }

    /// An error if the server or the transaction accepts no writes.
    pub(super) fn demand_writes(&self, found: &Found) -> Result<(), StoreError> {
        let (cause, hint) = if found.is_on_replica {
            (
                "this server is a read replica, which takes no writes",
                "connect to the primary; of several hosts in the URL, target_session_attrs=read-write finds it",
            )
        } else if found.is_read_only {
            (
                "this server makes every transaction of this role read only",
                "connect to the primary, or as a role without default_transaction_read_only",
            )
        } else {
            return Ok(());
        };
        let what = self.what(Right::Write.verb());
        Err(StoreError::new(Fault::Fatal, what).because(cause).hint(hint))
    }

    /// Other tables with the columns of a session table.
    pub(super) fn find_others_alike(
        &self,
        client: &mut Client,
    ) -> Result<Vec<OtherTable>, StoreError> {
        let cannot = |error| fail(error, self.what("look beside"));
        let own = client.resolve(&self.table.quoted()).map_err(cannot)?;
        let values: [(&(dyn ToSql + Sync), Type); 2] =
            [(&own, Type::OID), (&self.table.schema(), Type::TEXT)];
        let rows = client.query_typed(OTHERS_ALIKE, &values).map_err(cannot)?;
        let found: Vec<(u32, bool, bool)> = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
            .collect::<Result<_, Error>>()
            .map_err(cannot)?;
        let oids: Vec<u32> = found.iter().map(|(oid, ..)| *oid).collect();
        let mut names = client.names(&oids).map_err(cannot)?;
        let mut others: Vec<(bool, OtherTable)> = found
            .into_iter()
            .filter_map(|(oid, is_beside, is_in_reach)| {
                Some((is_beside, OtherTable { name: names.remove(&oid)?, is_in_reach }))
            })
            .collect();
        others.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.name.cmp(&other.name)));
        Ok(others.into_iter().map(|(_, other)| other).collect())
    }

    /// Tables with the shape of a session table, and columns of other names.
    pub(super) fn find_renamed_alike(
        &self,
        client: &mut Client,
    ) -> Result<Vec<String>, StoreError> {
        named(client, RENAMED_ALIKE, &[(&self.table.schema(), Type::TEXT)])
            .map_err(|error| fail(error, self.what("look beside")))
    }

    /// The schemas that have a session table of this name.
    pub(super) fn find_schemas(&self) -> Result<Vec<String>, StoreError> {
        let cannot = |error| fail(error, format!("cannot look for schemas in {}", self.server()));
        let mut client = self.connect()?;
        let rows =
            client.query_typed(SCHEMAS, &[(&self.table.name(), Type::TEXT)]).map_err(cannot)?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(cannot)
    }
}

/// Tables with the columns of a session table, by their names in the role's search path, sorted.
pub(super) fn alike(client: &mut Client) -> Result<Vec<String>, Error> {
    named(client, TABLES_ALIKE, &[])
}

/// The names, by the role's search path, of the relations that a statement finds, sorted.
pub(super) fn named(
    client: &mut Client,
    sql: &str,
    values: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<String>, Error> {
    let rows = client.query_typed(sql, values)?;
    let found = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<u32>, Error>>()?;
    let names: BTreeSet<String> = client.names(&found)?.into_values().collect();
    Ok(names.into_iter().collect())
}

/// Whether a server is PostgreSQL itself, by what its `version()` says: `CockroachDB` begins with its
/// own name; `YugabyteDB`, Greenplum and Redshift begin as PostgreSQL does and say it further on.
pub(super) fn is_postgresql(version: &str) -> bool {
    let others = ["-YB-", "Greenplum", "Redshift", "EnterpriseDB"];
    version.starts_with("PostgreSQL ") && !others.iter().any(|other| version.contains(other))
}

#[cfg(test)]
mod tests {
    use super::is_postgresql;

    #[test]
    fn servers_that_only_speak_like_postgresql_are_told_apart() {
        assert!(is_postgresql("PostgreSQL 15.9 (Debian 15.9-0+deb12u1) on x86_64-pc-linux-gnu"));
        for version in [
            "CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu)",
            "PostgreSQL 11.2-YB-2.18.0.0-b0 on x86_64-pc-linux-gnu",
            "PostgreSQL 9.4.24 (Greenplum Database 6.14.0) on x86_64-unknown-linux-gnu",
            "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC, Redshift 1.0.12103",
        ] {
            assert!(!is_postgresql(version), "{version}");
        }
    }
}
