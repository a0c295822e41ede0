//! The rights that commands need on tables and columns: checks whether the role has them, and writes the
//! GRANT statements.

use tokio_postgres::Error;
use tokio_postgres::types::{ToSql, Type};

use super::client::Client;
use crate::model::needs_escape;
use crate::store::Table;
use crate::store::table::quote;

/// A right on a table, or on some of its columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    pub(super) table: Table,
    /// The right, such as `SELECT`.
    pub(super) right: &'static str,
    /// Unquoted; empty for the whole table.
    pub(super) columns: Vec<String>,
}

/// Rights on columns suffice if the role has the right on each of them.
const LACKS: &str = "
    SELECT n.nspname::text, current_user::text, pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
           pg_catalog.has_table_privilege(c.oid, $3) OR pg_catalog.cardinality($4) > 0 AND NOT EXISTS (
               SELECT FROM pg_catalog.unnest($4) AS k (name)
               LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = k.name AND NOT a.attisdropped
               WHERE NOT coalesce(pg_catalog.has_column_privilege(c.oid, a.attnum, $3), false))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = $1 AND ($2::text IS NULL OR n.nspname = $2) AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
    ORDER BY coalesce(c.oid = $5, false) DESC, n.nspname LIMIT 1";

impl Need {
    /// A right on a whole table.
    pub(super) fn of(right: &'static str, table: &Table) -> Self {
        Self { table: table.clone(), right, columns: Vec::new() }
    }

    /// A right on these columns of a table.
    pub(super) fn of_columns<'c>(
        right: &'static str,
        table: &Table,
        columns: impl IntoIterator<Item = &'c str>,
    ) -> Self {
        let columns = columns.into_iter().map(str::to_owned).collect();
        Self { table: table.clone(), right, columns }
    }

    /// The SQL that grants it to a role.
    pub(super) fn grant(&self, role: &str) -> String {
        let columns: Vec<String> = self.columns.iter().map(|column| quote(column)).collect();
        let columns =
            if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        let (right, table, role) = (self.right, self.table.quoted(), quote(role));
        format!("GRANT {right}{columns} ON {table} TO {role}")
    }
}

/// The GRANTs of those rights that this role lacks.
pub(super) fn lacking(client: &mut Client, needs: &[Need]) -> Result<Vec<String>, Error> {
    let mut grants = Vec::new();
    for need in needs {
        let (name, schema) = (need.table.name(), need.table.schema());
        let visible = client.resolve(&quote(name))?;
        let values: [(&(dyn ToSql + Sync), Type); 5] = [
            (&name, Type::TEXT),
            (&schema, Type::TEXT),
            (&need.right, Type::TEXT),
            (&need.columns, Type::TEXT_ARRAY),
            (&visible, Type::OID),
        ];
        let Some(row) = client.query_typed_opt(LACKS, &values)? else { continue };
        let (schema, role): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if !row.try_get::<_, bool>(2)? {
            let usage = format!("GRANT USAGE ON SCHEMA {} TO {}", quote(&schema), quote(&role));
            if !grants.contains(&usage) {
                grants.push(usage);
            }
        }
        if !row.try_get::<_, bool>(3)? {
            grants.push(need.grant(&role));
        }
    }
    Ok(grants)
}

/// The hint for a missing right.
pub(super) fn hint(client: &mut Client, needs: &[Need]) -> Option<String> {
    let grants = lacking(client, needs).ok()?;
    Some(if grants.is_empty() {
        "the role has every right on the table itself: a trigger of it, or a foreign key, needs one on what the cause names"
            .into()
    } else {
        format!("{}, or connect as another role", printable(&grants.join("; ")))
    })
}

/// SQL for the operator to run. Names with unprintable characters are spelled with Unicode escapes
/// (PostgreSQL docs §4.1.1).
pub(super) fn printable(sql: &str) -> String {
    let mut printable = String::with_capacity(sql.len());
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '"' {
            printable.push(c);
            continue;
        }
        let mut name = String::new();
        while let Some(c) = chars.next() {
            if c == '"' && chars.next_if_eq(&'"').is_none() {
                break;
            }
            name.push(c);
        }
        if !name.contains(needs_escape) {
            printable.push_str(&quote(&name));
            continue;
        }
        printable.push_str("U&\"");
        for c in name.chars() {
            match c {
                '"' | '\\' => printable.extend([c, c]),
                c if needs_escape(c) => {
                    let escaped = format!("\\+{:06x}", u32::from(c));
                    printable.push_str(&escaped);
                }
                c => printable.push(c),
            }
        }
        printable.push('"');
    }
    printable
}
