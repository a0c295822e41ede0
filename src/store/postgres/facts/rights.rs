//! Checks what the role may do, and what it would have to be granted.

use std::collections::BTreeSet;

use tokio_postgres::Error;
use tokio_postgres::types::{ToSql, Type};

use super::Subject;
use crate::model::Finding;
use crate::store::postgres::client::Client;
use crate::store::postgres::grants::{Need, printable};
use crate::store::table::quote;
use crate::store::{Purpose, Table, Users};

const RIGHTS: &str = "
    SELECT current_user::text,
           pg_catalog.has_schema_privilege(relnamespace, 'USAGE'),
           pg_catalog.has_table_privilege(c.oid, 'SELECT'), pg_catalog.has_table_privilege(c.oid, 'DELETE'),
           pg_catalog.has_table_privilege(c.oid, 'UPDATE'), pg_catalog.has_table_privilege(c.oid, 'TRUNCATE'),
           pg_catalog.pg_has_role(relowner, 'USAGE'),
           ARRAY(SELECT DISTINCT confrelid::pg_catalog.regclass::text || ' (' || pg_catalog.quote_ident(attname) || ')'
                 FROM pg_catalog.pg_constraint
                 JOIN pg_catalog.pg_attribute ON attrelid = confrelid AND attnum = confkey[1]
                 WHERE conrelid = c.oid AND contype = 'f' AND pg_catalog.cardinality(confkey) = 1),
           EXISTS (SELECT FROM pg_catalog.pg_class a
                   WHERE a.relnamespace = c.relnamespace AND a.relname = $2 AND a.relkind IN ('r', 'p', 'f')),
           ARRAY(SELECT DISTINCT pg_catalog.quote_ident(nspname) FROM pg_catalog.pg_constraint f
                 JOIN pg_catalog.pg_class u ON u.oid = f.confrelid
                 JOIN pg_catalog.pg_namespace n ON n.oid = u.relnamespace AND n.oid <> c.relnamespace
                 WHERE f.conrelid = c.oid AND contype = 'f' AND pg_catalog.cardinality(confkey) = 1)
    FROM pg_catalog.pg_class c WHERE c.oid = $1";

/// The rights on the table that each command needs.
const COMMANDS: [(Purpose, &str, &[&str]); 7] = [
    (Purpose::Read, "list, show, stats, check, doctor", &["SELECT"]),
    (Purpose::LogoutUser, "logout-user", &["SELECT", "DELETE"]),
    (Purpose::PurgeExpired, "purge-expired", &["SELECT", "DELETE"]),
    (Purpose::FlushAll, "flush-all, delete", &["SELECT", "DELETE"]),
    (Purpose::Truncate, "flush-all --truncate", &["SELECT", "DELETE", "TRUNCATE"]),
    (Purpose::KeepData, "--keep-data", &["SELECT", "DELETE", "UPDATE"]),
    (Purpose::Backfill, "backfill", &["SELECT", "UPDATE"]),
];

/// The columns of a table, independent of this role's rights, and its schema.
const COLUMNS: &str = "
    SELECT n.nspname::text, ARRAY(SELECT attname::text FROM pg_catalog.pg_attribute
                                  WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = $1 AND ($2::text IS NULL OR n.nspname = $2) AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
    ORDER BY coalesce(c.oid = $3, false) DESC, n.nspname LIMIT 1";

pub(super) struct Rights {
    role: String,
    schema: String,
    table: String,
    owner: String,
    uses_schema: bool,
    held: Vec<&'static str>,
    owns: bool,
    /// Tables that columns of the session table refer to, each with its column.
    users: Vec<String>,
    /// Their schemas, except that of the session table.
    user_schemas: Vec<String>,
    /// The table of django-allauth, if there is one.
    allauth: Option<String>,
}

impl Rights {
    pub(super) fn of(client: &mut Client, subject: &Subject) -> Result<Self, Error> {
        let allauth = subject.table.of_allauth();
        let values: [(&(dyn ToSql + Sync), Type); 2] =
            [(&subject.oid, Type::OID), (&allauth.name(), Type::TEXT)];
        let row = client.query_typed_one(RIGHTS, &values)?;
        let mut held = Vec::new();
        for (column, right) in [(2, "SELECT"), (3, "DELETE"), (4, "UPDATE"), (5, "TRUNCATE")] {
            if row.try_get(column)? {
                held.push(right);
            }
        }
        Ok(Self {
            role: row.try_get(0)?,
            schema: quote(subject.table.schema().unwrap_or_default()),
            table: subject.table.quoted(),
            owner: subject.owner.clone(),
            uses_schema: row.try_get(1)?,
            held,
            owns: row.try_get(6)?,
            users: row.try_get(7)?,
            user_schemas: row.try_get(9)?,
            allauth: row.try_get::<_, bool>(8)?.then(|| allauth.quoted()),
        })
    }

    pub(super) fn describe(&self) -> Finding {
        const CHECK: &str = "privileges";
        const NEXT: &str = "`sessctl doctor --grants` prints what to grant for each command";
        if !self.uses_schema {
            let text =
                format!("\"{}\" may not use schema {}: no command works", self.role, self.schema);
            return Finding::problem(CHECK, text, NEXT);
        }
        let (mut may, mut may_not) = (Vec::new(), Vec::new());
        for (_, command, needed) in COMMANDS {
            let lacking: Vec<&str> =
                needed.iter().copied().filter(|right| !self.held.contains(right)).collect();
            match lacking.as_slice() {
                [] if command == "backfill" && !self.owns => {
                    may.push(format!("{command} (column and index: only \"{}\")", self.owner));
                }
                [] => may.push(command.to_owned()),
                lacking => may_not.push(format!("{command} ({})", lacking.join(", "))),
            }
        }
        let text = match (may.as_slice(), may_not.as_slice()) {
            (may, []) => format!("enough for {}", may.join(", ")),
            ([], _) => "not enough for any command: SELECT is lacking".into(),
            (may, may_not) => {
                format!("enough for {}; not for {}", may.join(", "), may_not.join(", "))
            }
        };
        let has = |right| self.held.contains(&right);
        match (has("SELECT"), has("DELETE")) {
            (false, _) => Finding::problem(CHECK, text, NEXT),
            (true, false) => Finding::warning(CHECK, text, NEXT),
            (true, true) if !may_not.is_empty() => Finding::ok(CHECK, text).next(NEXT),
            (true, true) => Finding::ok(CHECK, text),
        }
    }

    /// One GRANT statement for each set of rights, with its purpose as a comment.
    pub(super) fn grants(
        &self,
        purposes: &[Purpose],
        users: Option<&Need>,
        role: Option<&str>,
    ) -> Vec<String> {
        let role = role.unwrap_or(&self.role);
        let quoted = quote(role);
        let usage = |schema: &str, why: &str| {
            format!("GRANT USAGE ON SCHEMA {schema} TO {quoted}; -- {why}")
        };
        let on = |rights: &str, table: &str, why: &str| {
            format!("GRANT {rights} ON {table} TO {quoted}; -- {why}")
        };
        let mut grants = vec![usage(&self.schema, "every command")];
        for (purpose, command, needed) in COMMANDS {
            let why = match command {
                "backfill" => {
                    "backfill, once the owner has run the SQL that backfill --dry-run shows"
                }
                command => command,
            };
            if purposes.contains(&purpose) {
                grants.push(on(&needed.join(", "), &self.table, why));
            }
        }
        if let Some(need) = users.filter(|_| purposes.contains(&Purpose::Selectors)) {
            const WHY: &str = "logout-user --username, --email, --deactivated and the like";
            let schema = quote(need.table.schema().unwrap_or_default());
            if schema != self.schema {
                grants.push(usage(&schema, WHY));
            }
            grants.push(format!("{}; -- {WHY}", need.grant(role)));
        }
        if purposes.contains(&Purpose::Backfill) {
            let schemas = self.user_schemas.iter();
            grants.extend(schemas.map(|schema| usage(schema, "backfill: the column refers to it")));
        }
        for users in self.users.iter().filter(|_| purposes.contains(&Purpose::Backfill)) {
            if let Some((table, column)) = users.rsplit_once(" (") {
                let right = format!("SELECT ({column}");
                grants.push(on(&right, table, "backfill: the column refers to it"));
            }
        }
        if let Some(allauth) = &self.allauth
            && purposes.contains(&Purpose::CleanupAllauth)
        {
            grants.push(on("SELECT, DELETE", allauth, "--cleanup-allauth"));
        }
        grants.iter().map(|grant| printable(grant)).collect()
    }
}

/// The right on the table of users, if it exists: SELECT on those of its columns that are read.
pub(super) fn known(client: &mut Client, users: &Users) -> Result<Option<Need>, Error> {
    let (name, schema) = (users.table.name(), users.table.schema());
    let visible = client.resolve(&quote(name))?;
    let values: [(&(dyn ToSql + Sync), Type); 3] =
        [(&name, Type::TEXT), (&schema, Type::TEXT), (&visible, Type::OID)];
    let Some(row) = client.query_typed_opt(COLUMNS, &values)? else { return Ok(None) };
    let (schema, there): (String, Vec<String>) = (row.try_get(0)?, row.try_get(1)?);
    let Users { key, username, email, is_active, is_staff, is_superuser, .. } = users;
    let read = [username, email, is_active, is_staff, is_superuser].into_iter().flatten();
    let columns: BTreeSet<&str> = [key].into_iter().chain(read).map(String::as_str).collect();
    if !there.contains(key) {
        return Ok(None);
    }
    let columns = columns.into_iter().filter(|column| there.iter().any(|there| there == column));
    let table = Table::new(Some(schema), name.to_owned());
    Ok(Some(Need::of_columns("SELECT", &table, columns)))
}
