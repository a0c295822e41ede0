//! Refuses views that would run code of others with the rights of an account that may do more than they.

use mysql_async::Row;

use super::MySql;
use super::catalog::named;
use super::client::Client;
use super::fault::{Failure, fail};
use super::row::{number, text};
use super::sql::quoted;
use crate::store::{Fault, StoreError, Table};

/// A view whose functions have the rights of whoever reads it. All else that a table runs, triggers above all, has those
/// of the account that made it. (MySQL docs, "Stored Object Access Control")
const IS_INVOKER: &str = "SELECT COUNT(*) FROM information_schema.views \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND security_type = 'INVOKER'";

impl MySql {
    /// Called before the table is read or written, each time: its owner can put a view in its place.
    pub(super) fn demand_trust(
        &self,
        client: &mut Client,
        table: &Table,
    ) -> Result<(), StoreError> {
        let what = || format!("cannot read table \"{table}\" in {}", self.params.place());
        let Some(account) =
            self.strong_account(client).map_err(|failure| fail(failure, what()))?.as_deref()
        else {
            return Ok(());
        };
        let row = client.first(IS_INVOKER, named(table));
        let row = row.map_err(|failure| fail(failure, what()))?;
        if row.and_then(|row| number(&row, 0)) == Some(0) {
            return Ok(());
        }
        let view = quoted(table);
        let why = format!(
            "with the rights of account {account} it would run code that others can change: view {view} (SQL SECURITY INVOKER)"
        );
        if self.terms.superuser_ok {
            self.terms.warn(&why);
            return Ok(());
        }
        Err(StoreError::new(Fault::Fatal, what()).because(why).hint(
            "connect as an account with rights in this database only (`sessctl doctor --grants` prints what it needs); \
             --superuser-ok runs it all the same",
        ))
    }

    /// The account, if it may do more than use databases of sites.
    fn strong_account(&self, client: &mut Client) -> Result<&Option<String>, Failure> {
        if let Some(known) = self.strong.get() {
            return Ok(known);
        }
        let grants = client.query("SHOW GRANTS", Vec::new())?;
        let is_strong = |row: &Row| !is_of_databases(&text(row, 0));
        let account = client.first("SELECT CURRENT_USER()", Vec::new())?;
        let account = account.map(|row| text(&row, 0)).filter(|_| grants.iter().any(is_strong));
        Ok(self.strong.get_or_init(|| account))
    }
}

/// Whether a line of SHOW GRANTS gives nothing but rights in a database other than the server's own. One that gives a role
/// does not tell.
fn is_of_databases(grant: &str) -> bool {
    let (rights, place) = grant.split_once(" ON ").unwrap_or((grant, ""));
    rights == "GRANT USAGE" || place.starts_with('`') && !place.starts_with("`mysql`")
}

#[cfg(test)]
mod tests {
    use super::is_of_databases;

    #[test]
    fn what_gives_more_than_rights_in_databases_is_known() {
        for (grant, is_weak) in [
            ("GRANT USAGE ON *.* TO `site`@`%` IDENTIFIED BY PASSWORD '*00'", true),
            ("GRANT ALL PRIVILEGES ON `shop`.* TO `site`@`%`", true),
            ("GRANT SELECT, DELETE ON `shop`.`django_session` TO `site`@`%`", true),
            ("GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION", false),
            ("GRANT FILE ON *.* TO `site`@`%`", false),
            ("GRANT UPDATE ON `mysql`.* TO `site`@`%`", false),
            ("GRANT PROXY ON ''@'%' TO 'root'@'localhost'", false),
            ("GRANT `admin`@`%` TO `site`@`%`", false),
        ] {
            assert_eq!(is_of_databases(grant), is_weak, "{grant}");
        }
    }
}
