//! What `doctor` checks on the server and the table. What the account may not see is "not known", and never "none".

use mysql_async::Row;

use super::MySql;
use super::catalog::{Found, look, named};
use super::client::Client;
use super::fault::{Failure, fail};
use super::reader::read_only;
use super::row::{number, text};
use super::session::{Access, Server, refused};
use super::sql::{quote, quoted};
use crate::model::Finding;
use crate::store::StoreError;
use crate::store::facts::{Column, Facts, column_finding, in_full, not_made, reference_finding};

/// The columns as Django creates them. (Django 5.2 `mysql/base.py`)
const EXPECTED: [(&str, &str); 3] =
    [("session_key", "varchar(40)"), ("session_data", "longtext"), ("expire_date", "datetime(6)")];

const FLAVOUR: &str = "SELECT VERSION(), @@version_comment, @@global.tx_isolation";
const FLAVOUR_OF_MYSQL: &str =
    "SELECT VERSION(), @@version_comment, @@global.transaction_isolation";

/// A transaction of this age, in seconds, makes a purge slow: what it deletes stays in the indexes.
const OLD: u64 = 600;

const SHAPE: &str = "SELECT engine, table_collation, row_format, data_free FROM information_schema.tables \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";

const TRIGGERS: &str = "SELECT trigger_name FROM information_schema.triggers \
    WHERE event_object_schema = COALESCE(?, DATABASE()) AND event_object_table = ? ORDER BY trigger_name";

const OLDEST: &str =
    "SELECT TIMESTAMPDIFF(SECOND, MIN(trx_started), NOW()) FROM information_schema.innodb_trx";

impl MySql {
    pub(super) fn gather_facts(&self) -> Result<Facts, StoreError> {
        let (mut client, server) = self.connect(Access::Read)?;
        let client = &mut client;
        let mut facts = Facts::default();
        let findings = &mut facts.findings;
        let encrypted = refused(client.first("SHOW SESSION STATUS LIKE 'Ssl_version'", Vec::new()));
        let encrypted = encrypted.map_err(|failure| fail(failure, self.what("read")))?;
        let version = encrypted.flatten().map(|row| text(&row, 1)).unwrap_or_default();
        findings.push(Finding::ok(
            "connection",
            format!(
                "{}, {}",
                self.params.place(),
                if version.is_empty() { "not encrypted" } else { &version }
            ),
        ));
        findings.push(self.made("server", flavour(client, &server)));
        findings.push(self.made("writes", writes(client)));
        let found =
            look(client, &self.table).map_err(|failure| fail(failure, self.what("read")))?;
        if (found.columns.is_empty() || found.is_view)
            && let Err(error) = self.find(client)
        {
            let next_step = error.next_step().unwrap_or_default();
            findings.push(Finding::problem("table", in_full(&error), next_step));
            return Ok(facts);
        }
        findings.push(self.made("table", self.shape(client, &found)));
        findings.push(self.made("privileges", self.privileges(client)));
        let columns: Vec<Column> = found
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.kind.clone(), !column.is_nullable))
            .collect();
        findings.push(column_finding(&EXPECTED, &columns));
        let indexed = self.is_indexed(client, "expire_date");
        facts.expiry_indexed = matches!(indexed, Ok(true));
        findings.push(self.made("indexes", self.indexes(client, &server, &found, indexed)));
        findings.push(self.made("triggers", self.triggers(client, &server)));
        findings.push(match self.references(client) {
            Err(error) => not_made("foreign-keys", &error),
            // Those of a table without any right to it are not listed.
            Ok(found) if found.is_empty() && !sees_all(client) => Finding::unknown(
                "foreign-keys",
                "none points at the table of those that this account may see; with PROCESS it would see all",
            ),
            Ok(found) => reference_finding(&found),
        });
        findings.push(self.made("transactions", oldest(client)));
        Ok(facts)
    }

    fn made(&self, check: &'static str, found: Result<Finding, Failure>) -> Finding {
        found.unwrap_or_else(|failure| not_made(check, &fail(failure, self.what("read"))))
    }

    fn shape(&self, client: &mut Client, found: &Found) -> Result<Finding, Failure> {
        const CHECK: &str = "table";
        if found.is_view {
            return Ok(Finding::unknown(CHECK, format!("{} is a view", self.table)));
        }
        let Some(row) = client.first(SHAPE, named(&self.table))? else {
            return Ok(Finding::unknown(CHECK, format!("{}: it is gone", self.table)));
        };
        let (engine, collation, format) = (text(&row, 0), text(&row, 1), text(&row, 2));
        let words = format!("{}: {engine}, {collation}, row format {format}", self.table);
        Ok(if engine.eq_ignore_ascii_case("InnoDB") {
            Finding::ok(CHECK, words)
        } else {
            Finding::warning(
                CHECK,
                format!(
                    "{words}: this engine has no transactions, and one writer locks the whole table"
                ),
                format!(
                    "ALTER TABLE {} ENGINE = InnoDB, which copies the table",
                    quoted(&self.table)
                ),
            )
        })
    }

    /// What the account may do, as the server says before it does it.
    fn privileges(&self, client: &mut Client) -> Result<Finding, Failure> {
        const CHECK: &str = "privileges";
        const NEXT: &str = "`sessctl doctor --grants` prints what to grant for each command";
        let table = quoted(&self.table);
        // The server refuses to prepare a write for a session that may not write. None of these runs.
        client.execute("SET SESSION TRANSACTION READ WRITE")?;
        let mut may = |sql: String| Ok::<_, Failure>(refused(client.prepare(&sql))?.is_some());
        let reads = may(format!("SELECT session_key, session_data, expire_date FROM {table}"))?;
        let deletes = may(format!("DELETE FROM {table} WHERE session_key = ?"))?;
        let updates = may(format!("UPDATE {table} SET session_data = ? WHERE session_key = ?"))?;
        client.execute("SET SESSION TRANSACTION READ ONLY")?;
        Ok(match (reads, deletes, updates) {
            (false, ..) => {
                Finding::problem(CHECK, "not enough for any command: SELECT is lacking", NEXT)
            }
            (true, false, _) => Finding::warning(
                CHECK,
                "enough for list, show, stats, check; not for others (DELETE)",
                NEXT,
            ),
            (true, true, false) => Finding::ok(
                CHECK,
                "enough for logout-user, purge-expired, flush-all, delete; not for --keep-data (UPDATE)",
            )
            .next(NEXT),
            (true, true, true) => Finding::ok(CHECK, "SELECT, DELETE and UPDATE on the table"),
        })
    }

    fn triggers(&self, client: &mut Client, server: &Server) -> Result<Finding, Failure> {
        const CHECK: &str = "triggers";
        let rows = client.query(TRIGGERS, named(&self.table))?;
        let names: Vec<String> = rows.iter().map(|row| text(row, 0)).collect();
        Ok(match names.as_slice() {
            // MySQL shows them only to those with TRIGGER on the table.
            [] if !server.is_mariadb() && !has_right(client, "TRIGGER")? => Finding::unknown(
                CHECK,
                "none that this account may see; with TRIGGER on the table it would see all",
            ),
            [] => Finding::ok(CHECK, "none"),
            names => Finding::warning(
                CHECK,
                format!("{}: they run for rows that are deleted or written", names.join(", ")),
                format!(
                    "see what they do (SHOW CREATE TRIGGER {}) before a purge",
                    quote(names.first().map_or("", String::as_str))
                ),
            ),
        })
    }
}

fn flavour(client: &mut Client, server: &Server) -> Result<Finding, Failure> {
    const CHECK: &str = "server";
    let sql = if server.is_mariadb() { FLAVOUR } else { FLAVOUR_OF_MYSQL };
    let row = refused(client.first(sql, Vec::new()))?.flatten();
    let told = |at| row.as_ref().map(|row| text(row, at)).unwrap_or_default();
    let (version, comment, isolation) = (server.version.clone(), told(1), told(2));
    let binlog =
        refused(client.first("SELECT @@global.log_bin, @@global.binlog_format", Vec::new()))?
            .flatten();
    let binlog = match &binlog {
        Some(row) if number(row, 0) == Some(1) => {
            format!("binary log with format {}", text(row, 1))
        }
        _ => "no binary log".into(),
    };
    let kind = if server.is_mariadb() { "MariaDB" } else { "MySQL" };
    // Debian's MySQL has parentheses there already.
    let comment = comment.trim_start_matches('(').trim_end_matches(')');
    let words = format!("{kind} {version} ({comment}), isolation {isolation}, {binlog}");
    if binlog.ends_with("STATEMENT") {
        return Ok(Finding::warning(
            CHECK,
            format!(
                "{words}: no writes at READ COMMITTED, so those of sessctl lock more than their rows"
            ),
            "binlog_format = ROW",
        ));
    }
    let is_galera = refused(client.first("SELECT @@global.wsrep_on", Vec::new()))?.flatten();
    Ok(match is_galera {
        Some(row) if number(&row, 0) == Some(1) => Finding::warning(
            CHECK,
            format!(
                "{words}, Galera: a purge through another node is not kept out, and an index that is built stops every node"
            ),
            "let purge-expired run through one node only",
        ),
        _ => Finding::ok(CHECK, words),
    })
}

fn writes(client: &mut Client) -> Result<Finding, Failure> {
    const CHECK: &str = "writes";
    Ok(match read_only(client)? {
        None => Finding::ok(CHECK, "the server takes them"),
        Some(why) => Finding::warning(
            CHECK,
            format!("the server takes none ({why}): enough for list, show, stats and check only"),
            "connect to the primary",
        ),
    })
}

/// Whether the account may see what others do.
fn sees_all(client: &mut Client) -> bool {
    client.first("SELECT COUNT(*) FROM information_schema.innodb_trx", Vec::new()).is_ok()
}

fn has_right(client: &mut Client, right: &str) -> Result<bool, Failure> {
    let grants = client.query("SHOW GRANTS", Vec::new())?;
    let has = |row: &Row| {
        let grant = text(row, 0);
        grant.contains("ALL PRIVILEGES") || grant.contains(right)
    };
    Ok(grants.iter().any(has))
}

fn oldest(client: &mut Client) -> Result<Finding, Failure> {
    const CHECK: &str = "transactions";
    let Some(row) = refused(client.first(OLDEST, Vec::new()))? else {
        return Ok(Finding::unknown(CHECK, "not known: only an account with PROCESS sees them"));
    };
    Ok(match row.and_then(|row| number(&row, 0)) {
        Some(age) if age >= OLD => Finding::warning(
            CHECK,
            format!(
                "the oldest is {} minutes old: until it ends, what is deleted stays in the indexes",
                age / 60
            ),
            "end it, or wait for it, before a large purge: SELECT * FROM information_schema.innodb_trx ORDER BY trx_started",
        ),
        Some(age) => Finding::ok(CHECK, format!("the oldest is {age} s old")),
        None => Finding::ok(CHECK, "none is open"),
    })
}
