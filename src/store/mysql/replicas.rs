//! Asks replicas how far they are behind. A primary does not know: replicas fetch what it wrote, and do not tell it when
//! they have it. So the operator names them, and each is asked over a connection of its own.

use std::time::Duration;

use mysql_async::Row;

use super::MySql;
use super::client::Client;
use super::fault::{Failure, fail};
use super::row::number;
use super::session::{Access, Server};
use crate::store::{Fault, StoreError};

const SYNTAX_ERROR: u16 = 1064;
const LACKS_RIGHT: u16 = 1227;

/// How many seconds a replica is behind what it has fetched, by MySQL's name and by MariaDB's. NULL while it does not replicate.
const BEHIND: [&str; 2] = ["Seconds_Behind_Source", "Seconds_Behind_Master"];

/// The replicas that were named, with the connections to those that were asked before.
pub(super) struct Replicas(Vec<(MySql, Option<(Client, Server)>)>);

impl Replicas {
    pub(super) fn of(store: &MySql) -> Self {
        let at = |params: &super::Params| {
            let (params, table) = (params.clone(), store.table.clone());
            let (clock, waits, terms) =
                (store.clock.clone(), store.waits.clone(), store.terms.clone());
            (MySql::new(params, table, clock, waits, terms), None)
        };
        Self(store.replicas.iter().map(at).collect())
    }

    /// The lag of the slowest. One that does not replicate is behind without end.
    pub(super) fn lag(&mut self) -> Result<Option<Duration>, StoreError> {
        let mut most = None;
        for (replica, open) in &mut self.0 {
            if open.as_ref().is_none_or(|(client, _)| !client.is_sound()) {
                *open = Some(replica.connect(Access::Read)?);
            }
            let Some((client, server)) = open else { continue };
            most = most.max(Some(replica.lag(client, server)?));
        }
        Ok(most)
    }
}

impl MySql {
    fn lag(&self, client: &mut Client, server: &Server) -> Result<Duration, StoreError> {
        let place = &self.params.endpoint;
        let what = || format!("cannot see how far the replica at {place} is behind");
        let rows = status(client, server).map_err(|failure| {
            let lacks_right = failure.code() == Some(LACKS_RIGHT);
            let error = fail(failure, what());
            if lacks_right { error.hint(right(server)) } else { error }
        })?;
        let Some(lag) = rows.iter().filter_map(behind).max() else {
            return Err(StoreError::new(Fault::Fatal, what()).because("it is no replica").hint(
                "--replica names a server that follows the database; leave --max-lag out if there is none",
            ));
        };
        if lag == Duration::MAX {
            self.terms.note(&format!(
                "the replica at {place} does not replicate (SHOW REPLICA STATUS tells why): it is waited for"
            ));
        }
        Ok(lag)
    }
}

/// A row for each source that it follows.
fn status(client: &mut Client, server: &Server) -> Result<Vec<Row>, Failure> {
    if server.is_mariadb() {
        return client.query("SHOW ALL SLAVES STATUS", Vec::new());
    }
    match client.query("SHOW REPLICA STATUS", Vec::new()) {
        // Before MySQL 8.0.22.
        Err(failure) if failure.code() == Some(SYNTAX_ERROR) => {
            client.query("SHOW SLAVE STATUS", Vec::new())
        }
        answer => answer,
    }
}

/// The lag in a row, without end where it is NULL; `None` if there is no such column.
fn behind(row: &Row) -> Option<Duration> {
    let is_lag = |name: &str| BEHIND.iter().any(|known| known.eq_ignore_ascii_case(name));
    let at = row.columns_ref().iter().position(|column| is_lag(&column.name_str()))?;
    Some(number(row, at).map_or(Duration::MAX, Duration::from_secs))
}

fn right(server: &Server) -> &'static str {
    if server.is_mariadb() {
        "GRANT SLAVE MONITOR ON *.* to the account on the replica (before MariaDB 10.5: REPLICATION CLIENT), or leave --max-lag out"
    } else {
        "GRANT REPLICATION CLIENT ON *.* to the account on the replica, or leave --max-lag out"
    }
}
