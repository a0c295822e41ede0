//! Other credentials of users than their sessions, which a logout does not end.

use serde::Serialize;

/// The credentials of the users in one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OtherCredentials {
    /// The table.
    pub table: &'static str,
    /// What a row of it is.
    pub what: &'static str,
    /// The package that makes them.
    pub package: &'static str,
    /// Valid ones, after those that were ended; `None` if the table cannot be read.
    pub valid: Option<u64>,
    /// How many were ended, with `--revoke-tokens`.
    pub revoked: u64,
    /// The SQL that ends them, if the users are few.
    pub sql: Option<String>,
    /// Why they could not be counted or ended.
    pub error: Option<String>,
}

impl OtherCredentials {
    /// Adds those of another schema.
    pub fn add(all: &mut Vec<Self>, others: &[Self]) {
        for other in others {
            let Some(one) = all.iter_mut().find(|one| one.table == other.table) else {
                all.push(other.clone());
                continue;
            };
            one.valid = one.valid.zip(other.valid).map(|(one, other)| one + other);
            one.revoked += other.revoked;
            one.error = one.error.take().or_else(|| other.error.clone());
            if one.sql != other.sql {
                one.sql = None;
            }
        }
    }
}
