//! Findings of a store about its database and table, for `doctor`. They need no right to the table.

use super::{Reference, StoreError};
use crate::model::Finding;

/// The findings of a store. They need no right to the table.
#[derive(Debug, Default)]
pub struct Facts {
    /// One finding per check.
    pub findings: Vec<Finding>,
    /// Whether an index on the expiry exists, so that a scan can read the newest rows.
    pub expiry_indexed: bool,
}

/// Another table with the columns of a session table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherTable {
    /// As an operator would type it.
    pub name: String,
    /// Whether the role may use the schema of the table. A site that connects as this role cannot use a table in another.
    pub is_in_reach: bool,
}

/// What a role is granted rights for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Commands that only read.
    Read,
    /// `logout-user`.
    LogoutUser,
    /// Options such as `--username`, which read the table of users.
    Selectors,
    /// `purge-expired`.
    PurgeExpired,
    /// `flush-all` and `delete`.
    FlushAll,
    /// Its `--truncate`.
    Truncate,
    /// `--keep-data`.
    KeepData,
    /// `--cleanup-allauth`.
    CleanupAllauth,
    /// `--revoke-tokens`.
    RevokeTokens,
    /// `backfill`.
    Backfill,
}

/// The finding for a check that failed with an error.
pub(super) fn not_made(check: &'static str, error: &StoreError) -> Finding {
    let finding = Finding::unknown(check, in_full(error));
    match error.next_step() {
        Some(next_step) => finding.next(next_step),
        None => finding,
    }
}

/// What failed, and why.
pub(super) fn in_full(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}

/// The name and type of a column, and whether it is NOT NULL.
pub(super) type Column = (String, String, bool);

/// Checks that a table has these columns, as Django creates them.
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

/// Reports what the foreign keys of other tables do.
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
            "delete these rows with the sessions (--delete-references), or have logout-user and flush-all --keep-data",
        )
    } else {
        Finding::warning(
            CHECK,
            format!("{text}: rows there go or change with the sessions that are deleted"),
            "see that this is what the site wants",
        )
    }
}
