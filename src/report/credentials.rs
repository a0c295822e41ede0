//! Other credentials of users than their sessions, which a logout does not end.

use serde::Serialize;

/// The credentials of the users in one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OtherCredentials {
    /// The table.
    pub table: &'static str,
    /// Its schema, if it is another than the session table's.
    pub schema: Option<String>,
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
    /// The name of the table, with its schema if that is another than the session table's.
    pub fn name(&self) -> String {
        let schema = self.schema.as_ref();
        schema.map_or_else(|| self.table.into(), |schema| format!("{schema}.{}", self.table))
    }

    /// Adds those of another schema.
    pub fn add(all: &mut Vec<Self>, others: &[Self]) {
        for other in others {
            let is_it = |one: &&mut Self| (one.table, &one.schema) == (other.table, &other.schema);
            let Some(one) = all.iter_mut().find(is_it) else {
                all.push(other.clone());
                continue;
            };
            // A table that several schemas share is one.
            let both = one.valid.zip(other.valid);
            one.valid = match one.schema {
                Some(_) => both.map(|(one, other)| one.max(other)),
                None => both.map(|(one, other)| one + other),
            };
            one.revoked += other.revoked;
            one.error = one.error.take().or_else(|| other.error.clone());
            if one.sql != other.sql {
                one.sql = None;
            }
        }
    }
}
