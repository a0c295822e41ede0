//! The indexes that commands rely on, for `doctor`.

use std::time::Duration;

use super::MySql;
use super::catalog::{Found, named};
use super::client::Client;
use super::expired::limited;
use super::fault::Failure;
use super::row::text;
use super::session::Server;
use super::sql::{quote, quoted};
use crate::model::Finding;
use crate::store::indexes::{
    Dialect, Doubles, KeyIndex, Maker, Missing, SHOWN, find_doubles, index_finding,
};

/// Who writes meanwhile is not kept out.
const DIALECT: Dialect = Dialect { quote, quoted, end: " ALGORITHM=INPLACE LOCK=NONE" };

/// How long to search for duplicate keys.
const PATIENCE: Duration = Duration::from_secs(3);

/// An index belongs to its table: that of another may have the same name.
const NAMES: &str = "SELECT DISTINCT index_name FROM information_schema.statistics \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";

impl MySql {
    pub(super) fn indexes(
        &self,
        client: &mut Client,
        server: &Server,
        found: &Found,
        expiry_indexed: Result<bool, Failure>,
    ) -> Result<Finding, Failure> {
        if found.is_view {
            return Ok(Finding::unknown("indexes", "a view has those of its tables"));
        }
        let key = if found.is_unique {
            KeyIndex::Unique(Vec::new())
        } else {
            KeyIndex::Missing(Missing {
                finds_key: self.is_indexed(client, "session_key")?,
                with: Vec::new(),
                doubles: self.doubles(client, server)?,
            })
        };
        let rows = client.query(NAMES, named(&self.table))?;
        let names: Vec<String> = rows.iter().map(|row| text(row, 0)).collect();
        let is_taken = |name: &str| names.iter().any(|taken| taken.eq_ignore_ascii_case(name));
        let maker = Maker {
            dialect: DIALECT,
            table: &self.table,
            is_taken: &is_taken,
            concurrently: "",
            caution: "",
        };
        Ok(index_finding(&key, expiry_indexed?, &maker))
    }

    /// Searches for duplicate keys, as the collation of the column sees them and its index would.
    fn doubles(&self, client: &mut Client, server: &Server) -> Result<Doubles, Failure> {
        let find = find_doubles(&DIALECT, &self.table, &[]);
        // Nothing tells rows apart that have the same key and expire at the same time.
        let ties = format!("{find} AND count(*) > count(DISTINCT expire_date) LIMIT 1");
        let sql = format!("{find} LIMIT {}", SHOWN + 1);
        let searched = limited(client, server, PATIENCE, |client| {
            let keys = client.query(&sql, Vec::new())?;
            let has_ties = !keys.is_empty() && client.first(&ties, Vec::new())?.is_some();
            Ok((keys, has_ties))
        })?;
        let Some((keys, has_ties)) = searched else {
            return Ok(Doubles::Unknown("to search for them takes long".into()));
        };
        let keys: Vec<String> = keys.iter().map(|row| text(row, 0)).collect();
        let table = quoted(&self.table);
        let delete = format!(
            "DELETE s FROM {table} s JOIN (SELECT session_key, MAX(expire_date) AS latest FROM {table} \
             GROUP BY session_key HAVING count(*) > 1) x ON x.session_key = s.session_key WHERE s.expire_date < x.latest"
        );
        Ok(Doubles::of(&keys, || (!has_ties).then_some(delete)))
    }
}
