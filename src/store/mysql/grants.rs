//! The GRANT statements for the rights that commands need. An account of MySQL is a name and a host.

use std::collections::BTreeSet;

use super::MySql;
use super::catalog::look;
use super::client::Client;
use super::fault::{Failure, fail};
use super::row::text;
use super::session::Access;
use super::sql::{quote, quoted};
use crate::store::{CREDENTIALS, Purpose, StoreError, Table, Users};

/// The rights on the table that each command needs.
const COMMANDS: [(Purpose, &str, &str); 7] = [
    (Purpose::Read, "list, show, stats, check, doctor", "SELECT"),
    (Purpose::LogoutUser, "logout-user", "SELECT, DELETE"),
    (Purpose::PurgeExpired, "purge-expired", "SELECT, DELETE"),
    (Purpose::FlushAll, "flush-all, delete", "SELECT, DELETE"),
    (Purpose::Truncate, "flush-all --truncate", "SELECT, DELETE, DROP"),
    (Purpose::KeepData, "--keep-data", "SELECT, DELETE, UPDATE"),
    (Purpose::Backfill, "backfill", "SELECT, UPDATE, ALTER"),
];

impl MySql {
    /// One GRANT for each set of rights, with its purpose as a comment.
    pub(super) fn gather_grants(
        &self,
        purposes: &[Purpose],
        users: Option<&Users>,
        role: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        let (mut client, _) = self.connect(Access::Read)?;
        let grants = self.write_grants(&mut client, purposes, users, role);
        grants.map_err(|failure| fail(failure, self.what("see the rights on")))
    }

    fn write_grants(
        &self,
        client: &mut Client,
        purposes: &[Purpose],
        users: Option<&Users>,
        role: Option<&str>,
    ) -> Result<Vec<String>, Failure> {
        let row = client.first("SELECT CURRENT_USER(), DATABASE()", Vec::new())?;
        let own = row.as_ref().map(|row| text(row, 0)).unwrap_or_default();
        let database = row.as_ref().map(|row| text(row, 1)).unwrap_or_default();
        let role = account(role.unwrap_or(&own));
        let name = |table: &Table| match table.schema() {
            Some(_) => quoted(table),
            None => format!("{}.{}", quote(&database), quoted(table)),
        };
        let on = |rights: &str, table: &Table, why: &str| {
            format!("GRANT {rights} ON {} TO {role}; -- {why}", name(table))
        };
        let mut grants = Vec::new();
        for (purpose, command, rights) in COMMANDS {
            if purposes.contains(&purpose) {
                grants.push(on(rights, &self.table, command));
            }
        }
        if let Some(users) = users.filter(|_| purposes.contains(&Purpose::Selectors)) {
            const WHY: &str = "logout-user --username, --email, --deactivated and the like";
            let found = look(client, &users.table)?;
            let Users { key, username, email, is_active, is_staff, is_superuser, .. } = users;
            let read = [username, email, is_active, is_staff, is_superuser].into_iter().flatten();
            let columns: BTreeSet<&str> =
                [key].into_iter().chain(read).map(String::as_str).collect();
            // A table to which the account has no right yet is not listed.
            let is_known = |name: &&str| found.columns.is_empty() || found.column(name).is_some();
            let columns: Vec<String> = columns.into_iter().filter(is_known).map(quote).collect();
            grants.push(on(&format!("SELECT ({})", columns.join(", ")), &users.table, WHY));
        }
        let allauth = self.table.of_allauth();
        if purposes.contains(&Purpose::CleanupAllauth)
            && !look(client, &allauth)?.columns.is_empty()
        {
            grants.push(on("SELECT, DELETE", &allauth, "--cleanup-allauth"));
        }
        if purposes.contains(&Purpose::RevokeTokens) {
            let database = quote(self.table.schema().unwrap_or(&database));
            grants.push(format!(
                "GRANT SHOW VIEW ON {database}.* TO {role}; -- logout-user --revoke-tokens: which tables there are"
            ));
            for table in CREDENTIALS {
                let rights = table.rights(quote);
                let mut are_there = true;
                for (name, _) in &rights {
                    are_there &= !look(client, &self.table.beside(name))?.columns.is_empty();
                }
                let rights = rights.into_iter().filter(|_| are_there);
                grants.extend(rights.map(|(name, rights)| {
                    on(&rights, &self.table.beside(name), "logout-user --revoke-tokens")
                }));
            }
        }
        Ok(grants)
    }
}

/// An account in SQL, from `name` or `name@host`.
fn account(typed: &str) -> String {
    let (name, host) = typed.rsplit_once('@').unwrap_or((typed, "%"));
    let quote = |text: &str| format!("'{}'", text.trim_matches('\'').replace('\'', "''"));
    format!("{}@{}", quote(name), quote(host))
}

#[cfg(test)]
mod tests {
    use super::account;

    #[test]
    fn an_account_is_a_name_and_a_host() {
        for (typed, account_in_sql) in [
            ("site", "'site'@'%'"),
            ("site@localhost", "'site'@'localhost'"),
            ("'site'@'10.0.0.%'", "'site'@'10.0.0.%'"),
            ("o'neil@h", "'o''neil'@'h'"),
        ] {
            assert_eq!(account(typed), account_in_sql);
        }
    }
}
