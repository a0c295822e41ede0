//! Other credentials of users than their sessions, which a logout does not end.

use serde::Serialize;

/// What lets users in who were logged out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OtherAccess {
    /// Other credentials than sessions, such as API tokens, by table, where there are some, or may be.
    pub other_credentials: Vec<OtherCredentials>,
    /// What they log in with besides passwords: passkeys and accounts of other sites, by table. They are never ended.
    pub other_logins: Vec<OtherCredentials>,
    /// How many of the users can log in again: the account is active and has a password that can be used; `None` if that is
    /// unknown. Of several schemas it is the most in one.
    pub can_log_in: Option<u64>,
}

impl OtherAccess {
    /// Adds that of another schema.
    pub fn add(&mut self, other: &Self) {
        OtherCredentials::add(&mut self.other_credentials, &other.other_credentials);
        OtherCredentials::add(&mut self.other_logins, &other.other_logins);
        // The schemas may share the table of users.
        self.can_log_in = self.can_log_in.zip(other.can_log_in).map(|(one, other)| one.max(other));
    }
}

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
