use super::{Reference, StoreError};
use crate::model::Finding;

/// What a store says of itself and of the table, whoever asks: nothing here needs a right.
#[derive(Debug, Default)]
pub struct Facts {
    /// One for each thing that was looked at.
    pub findings: Vec<Finding>,
    /// Whether an index finds the rows that expire last.
    pub expiry_indexed: bool,
}

/// A table beside the session table that has the columns of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherTable {
    /// As an operator would type it.
    pub name: String,
    /// Whether the role may use the schema of the table. A site that connects as this role cannot use a table in another.
    pub is_in_reach: bool,
}

/// For what a role is to be granted its rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Commands that only look.
    Look,
    /// `logout-user`.
    LogoutUser,
    /// Its `--username` and the like, which look into the table of users.
    Selectors,
    /// `purge-expired`.
    PurgeExpired,
    /// `flush-all`.
    FlushAll,
    /// Its `--truncate`.
    Truncate,
    /// `--keep-data`.
    KeepData,
    /// `--cleanup-allauth`.
    CleanupAllauth,
    /// `backfill`.
    Backfill,
}

/// A check that could not be made, and why.
pub(super) fn not_made(check: &'static str, error: &StoreError) -> Finding {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    let finding = Finding::unknown(check, text);
    match error.next_step() {
        Some(next_step) => finding.next(next_step),
        None => finding,
    }
}

/// A column: its name, its type, whether it is NOT NULL.
pub(super) type Column = (String, String, bool);

/// Whether a table has these columns, as Django makes them.
pub(super) fn column_finding(expected: &[(&str, &str)], found: &[Column]) -> Finding {
    const CHECK: &str = "columns";
    let (mut missing, mut odd) = (Vec::new(), Vec::new());
    for (name, declared) in expected {
        match found.iter().find(|(found, ..)| found == name) {
            None => missing.push(*name),
            Some((_, is, _)) if !is.eq_ignore_ascii_case(declared) => {
                odd.push(format!("{name} is {is}, not {declared}"));
            }
            Some((.., false)) => odd.push(format!("{name} may be NULL")),
            Some(_) => {}
        }
    }
    if !missing.is_empty() {
        return Finding::problem(
            CHECK,
            format!("it is no session table: it has no column {}", missing.join(", ")),
            "name the site's session table with --table; Django's own is django_session",
        );
    }
    if !odd.is_empty() {
        return Finding::warning(
            CHECK,
            odd.join("; "),
            "Django makes them otherwise; try each command with --dry-run first",
        );
    }
    let is_expected = |name: &str| expected.iter().any(|(expected, _)| *expected == name);
    let more: Vec<&str> =
        found.iter().map(|(name, ..)| &**name).filter(|name| !is_expected(name)).collect();
    let more = match more.as_slice() {
        [] => String::new(),
        more => format!(", and {}", more.join(", ")),
    };
    Finding::ok(CHECK, format!("as Django makes them{more}"))
}

/// What the foreign keys of other tables mean.
pub(super) fn reference_finding(found: &[Reference]) -> Finding {
    const CHECK: &str = "foreign-keys";
    if found.is_empty() {
        return Finding::ok(CHECK, "none points at the table");
    }
    let name = |reference: &Reference| {
        let columns = reference.columns.join(", ");
        format!("{} ({columns}, {})", reference.table, reference.on_delete)
    };
    let names: Vec<String> = found.iter().map(name).collect();
    let text = format!("of {}", names.join(", "));
    if found.iter().any(Reference::hinders) {
        Finding::warning(
            CHECK,
            format!("{text}: a session to which a row there refers cannot be deleted, and stays"),
            "delete these rows before the sessions, or have logout-user and flush-all --keep-data",
        )
    } else {
        Finding::warning(
            CHECK,
            format!("{text}: rows there go or change with the sessions that are deleted"),
            "see that this is what the site wants",
        )
    }
}
