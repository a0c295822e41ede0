//! Checks the table itself: its kind, its columns, and the triggers, rules and policies on it.

use tokio_postgres::Error;
use tokio_postgres::types::{ToSql, Type};

use super::{RowSecurity, Subject};
use crate::model::{Finding, shell_word};
use crate::store::facts::column_finding;
use crate::store::postgres::Postgres;
use crate::store::postgres::catalog::alike;
use crate::store::postgres::client::Client;
use crate::store::postgres::fault::fail;
use crate::store::postgres::grants::printable;
use crate::store::table::quote;
use crate::store::{StoreError, Table};

/// Tables with this name, first the one that the name without a schema finds. Sizes are the planner's
/// estimates: measuring them takes a lock.
const FIND: &str = "
    SELECT c.oid, nspname::text, relname::text, relkind::text, pg_catalog.pg_get_userbyid(relowner)::text,
           coalesce(c.oid = $3, false),
           relpages::int8 * pg_catalog.current_setting('block_size')::int8, reltuples,
           pg_catalog.row_security_active(c.oid), relrowsecurity
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    WHERE relname = $1 AND ($2::text IS NULL OR nspname = $2) AND relkind IN ('r', 'p', 'f', 'v', 'm')
    ORDER BY 6 DESC, nspname";

const COLUMNS: &str = "
    SELECT attname::text, pg_catalog.format_type(atttypid, atttypmod), attnotnull
    FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";

const TRIGGERS: &str = "
    SELECT tgname::text FROM pg_catalog.pg_trigger
    WHERE tgrelid = $1 AND NOT tgisinternal AND tgenabled <> 'D' ORDER BY 1";

/// The columns as Django creates them (Django 5.2 `sessions/base_session.py`, `postgresql/base.py`).
const EXPECTED: [(&str, &str); 3] = [
    ("session_key", "character varying(40)"),
    ("session_data", "text"),
    ("expire_date", "timestamp with time zone"),
];

impl Subject {
    pub(super) fn named(client: &mut Client, table: &Table) -> Result<Vec<Self>, Error> {
        let (name, schema) = (table.name(), table.schema());
        let visible = client.resolve(&quote(name))?;
        let values: [(&(dyn ToSql + Sync), Type); 3] =
            [(&name, Type::TEXT), (&schema, Type::TEXT), (&visible, Type::OID)];
        let rows = client.query_typed(FIND, &values)?;
        rows.iter()
            .map(|row| {
                let (schema, name): (String, String) = (row.try_get(1)?, row.try_get(2)?);
                Ok(Self {
                    oid: row.try_get(0)?,
                    kind: row.try_get(3)?,
                    owner: row.try_get(4)?,
                    visible: row.try_get::<_, bool>(5)? || table.schema().is_some(),
                    bytes: row.try_get(6)?,
                    rows: row.try_get(7)?,
                    row_security: match (row.try_get(8)?, row.try_get(9)?) {
                        (true, _) => RowSecurity::Active,
                        (false, true) => RowSecurity::ForOthers,
                        (false, false) => RowSecurity::Off,
                    },
                    table: Table::new(Some(schema), name),
                    is_trap: false,
                })
            })
            .collect()
    }

    pub(super) fn describe(&self) -> Finding {
        const CHECK: &str = "table";
        let table = &self.table;
        let kind = match &*self.kind {
            "v" | "m" => {
                return Finding::problem(
                    CHECK,
                    format!("{table} is a view"),
                    "name the table itself with --table",
                );
            }
            "p" => ", partitioned",
            "f" => ", on a foreign server",
            _ => "",
        };
        if !self.visible {
            return Finding::problem(
                CHECK,
                format!(
                    "{table} is not in the search path of this role, or it may not use the schema"
                ),
                format!(
                    "name it with --table {}, and see `sessctl doctor --grants`",
                    shell_word(&table.to_string())
                ),
            );
        }
        let size = if self.rows < 0.0 || self.kind == "p" {
            "nobody has counted its rows yet".into()
        } else {
            format!("about {} rows in {} MB", self.rows, self.bytes / 1_000_000)
        };
        Finding::ok(CHECK, format!("{table}{kind}: {size}"))
    }

    pub(super) fn describe_row_security(&self) -> Finding {
        const CHECK: &str = "row-security";
        match self.row_security {
            RowSecurity::Off => Finding::ok(CHECK, "off"),
            RowSecurity::ForOthers => Finding::ok(CHECK, "on, but it hides nothing from this role"),
            RowSecurity::Active => Finding::problem(
                CHECK,
                "it hides rows from this role, so that nothing could be proved: every command refuses",
                "connect as the owner of the table or as a role with BYPASSRLS",
            ),
        }
    }
}

impl Postgres {
    /// Tables with the columns of a session table.
    pub(in crate::store::postgres) fn find_alike(
        &self,
        client: &mut Client,
    ) -> Result<Vec<String>, StoreError> {
        alike(client).map_err(|error| fail(error, self.what("look for")))
    }
}

pub(super) fn columns(client: &mut Client, subject: &Subject) -> Result<Finding, Error> {
    let rows = client.query_typed(COLUMNS, &[(&subject.oid, Type::OID)])?;
    let mut found = Vec::new();
    for row in rows {
        found.push((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    }
    Ok(column_finding(&EXPECTED, &found))
}

pub(super) fn triggers(client: &mut Client, subject: &Subject) -> Result<Finding, Error> {
    let rows = client.query_typed(TRIGGERS, &[(&subject.oid, Type::OID)])?;
    let names: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(match names.as_slice() {
        [] => Finding::ok("triggers", "none"),
        names => Finding::warning(
            "triggers",
            format!("{}: they run for rows that are deleted or written", names.join(", ")),
            format!(
                "see what they do (\\d {}) before a purge; ALTER TABLE ... DISABLE TRIGGER, if they are not needed",
                printable(&quote(subject.table.name()))
            ),
        ),
    })
}
