//! Measures the lag of replicas in time. `pg_stat_replication.replay_lag` covers only what a replica has
//! replayed lately, and says nothing about one that has stopped replaying. So this module records at which
//! time the server was at which position.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::client::Client;
use super::grants::printable;
use crate::store::table::quote;
use crate::store::{Fault, StoreError};

/// The position of the server at past times, oldest first. A position is a byte of the WAL.
#[derive(Default)]
pub(super) struct Replicas(VecDeque<(Instant, i64)>);

/// Without `pg_monitor`, a role sees NULL for the columns of a replica.
const POSITIONS: &str = "
    SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::pg_catalog.int8,
           pg_catalog.min(pg_catalog.pg_wal_lsn_diff(replay_lsn, '0/0'))::pg_catalog.int8,
           pg_catalog.count(*), pg_catalog.count(state), current_user::text
    FROM pg_catalog.pg_stat_replication WHERE application_name <> 'pg_basebackup'";

impl Replicas {
    pub(super) fn lag(
        &mut self,
        client: &mut Client,
    ) -> Result<Result<Option<Duration>, StoreError>, tokio_postgres::Error> {
        let row = client.query_typed_one(POSITIONS, &[])?;
        let (replicas, seen): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
        if seen < replicas {
            let role: String = row.try_get(4)?;
            let error = StoreError::new(Fault::Fatal, "cannot see how far the replicas are behind");
            return Ok(Err(error
                .because(format!("role \"{role}\" may not read pg_stat_replication"))
                .hint(format!(
                    "GRANT pg_monitor TO {}, or leave --max-lag out",
                    printable(&quote(&role))
                ))));
        }
        let server: i64 = row.try_get(0)?;
        let behind: Option<i64> = row.try_get(1)?;
        Ok(Ok(behind.map(|behind| self.record(Instant::now(), server, behind))))
    }

    /// Records the position of the server now. Returns how long ago it was at the position of the replica.
    fn record(&mut self, now: Instant, server: i64, replica: i64) -> Duration {
        self.0.push_back((now, server));
        while self.0.front().is_some_and(|(_, position)| *position <= replica) {
            self.0.pop_front();
        }
        self.0.front().map_or(Duration::ZERO, |(then, _)| now.duration_since(*then))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_the_age_of_what_was_not_replayed() {
        let mut replicas = Replicas::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(replicas.record(at(0), 100, 100), Duration::ZERO);
        assert_eq!(replicas.record(at(1), 200, 100), Duration::ZERO);
        assert_eq!(replicas.record(at(4), 300, 100), Duration::from_secs(3));
        assert_eq!(replicas.record(at(5), 300, 250), Duration::from_secs(1));
        assert_eq!(replicas.record(at(9), 300, 300), Duration::ZERO);
    }
}
