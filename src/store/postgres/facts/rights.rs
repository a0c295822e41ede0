//! What the role may do, and what it would have to be granted.

use tokio_postgres::Error;
use tokio_postgres::types::Type;

use super::Subject;
use crate::model::{Finding, steers_terminal};
use crate::store::postgres::client::Client;
use crate::store::table::quote;

const RIGHTS: &str = "
    SELECT current_user::text,
           pg_catalog.has_schema_privilege(relnamespace, 'USAGE'),
           pg_catalog.has_table_privilege(c.oid, 'SELECT'), pg_catalog.has_table_privilege(c.oid, 'DELETE'),
           pg_catalog.has_table_privilege(c.oid, 'UPDATE'), pg_catalog.has_table_privilege(c.oid, 'TRUNCATE'),
           pg_catalog.pg_has_role(relowner, 'USAGE'),
           ARRAY(SELECT DISTINCT confrelid::pg_catalog.regclass::text FROM pg_catalog.pg_constraint
                 WHERE conrelid = c.oid AND contype = 'f'),
           EXISTS (SELECT FROM pg_catalog.pg_class a
                   WHERE a.relnamespace = c.relnamespace AND a.relname = $2 AND a.relkind IN ('r', 'p', 'f'))
    FROM pg_catalog.pg_class c WHERE c.oid = $1";

/// What each command needs on the table.
const COMMANDS: [(&str, &[&str]); 7] = [
    ("list, show, stats, check, doctor", &["SELECT"]),
    ("logout-user", &["SELECT", "DELETE"]),
    ("purge-expired", &["SELECT", "DELETE"]),
    ("flush-all", &["SELECT", "DELETE"]),
    ("flush-all --truncate", &["SELECT", "DELETE", "TRUNCATE"]),
    ("--keep-data", &["SELECT", "DELETE", "UPDATE"]),
    ("backfill", &["SELECT", "UPDATE"]),
];

pub(super) struct Rights {
    role: String,
    schema: String,
    table: String,
    owner: String,
    uses_schema: bool,
    held: Vec<&'static str>,
    owns: bool,
    /// Tables that columns of ours refer to.
    users: Vec<String>,
    /// The table of django-allauth, if there is one.
    allauth: Option<String>,
}

impl Rights {
    pub(super) fn of(client: &mut Client, subject: &Subject) -> Result<Self, Error> {
        let allauth = subject.table.of_allauth();
        let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
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
        for (command, needed) in COMMANDS {
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

    /// One statement for each set of rights, and what it is for as a comment.
    pub(super) fn grants(&self) -> Vec<String> {
        let role = quote(&self.role);
        let on = |rights: &str, table: &str, why: &str| {
            format!("GRANT {rights} ON {table} TO {role}; -- {why}")
        };
        let mut grants =
            vec![format!("GRANT USAGE ON SCHEMA {} TO {role}; -- every command", self.schema)];
        for (command, needed) in COMMANDS {
            let why = match command {
                "backfill" => {
                    "backfill, once the owner has run the SQL that backfill --dry-run shows"
                }
                command => command,
            };
            grants.push(on(&needed.join(", "), &self.table, why));
        }
        for users in &self.users {
            grants.push(on("SELECT", users, "backfill: the column refers to it"));
        }
        if let Some(allauth) = &self.allauth {
            grants.push(on("SELECT, DELETE", allauth, "--cleanup-allauth"));
        }
        grants.iter().map(|grant| printable(grant)).collect()
    }
}

/// The same SQL, in which names that would steer a terminal are spelled with Unicode escapes (PostgreSQL docs §4.1.1).
fn printable(sql: &str) -> String {
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
        if !name.contains(steers_terminal) {
            printable.push_str(&quote(&name));
            continue;
        }
        printable.push_str("U&\"");
        for c in name.chars() {
            match c {
                '"' | '\\' => printable.extend([c, c]),
                c if steers_terminal(c) => {
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
