//! Checks the activity around the table: vacuum, locks and replicas.

use tokio_postgres::Error;

use super::Subject;
use crate::model::{Finding, counted, rough_time};
use crate::store::postgres::bloat::Vacuum;
use crate::store::postgres::client::Client;
use crate::store::postgres::grants::printable;
use crate::store::postgres::holders::holders;
use crate::store::table::quote;

const MAY_SEE: &str = "
    SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'), current_user::text";

/// Without `pg_monitor`, a role sees NULL for the columns of a replica.
const REPLICAS: &str = "
    SELECT pg_catalog.count(*), pg_catalog.count(state),
           coalesce(extract(epoch FROM max(replay_lag)), 0)::float8,
           coalesce(max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), replay_lsn)), 0)::int8
    FROM pg_catalog.pg_stat_replication WHERE application_name <> 'pg_basebackup'";

/// Seconds after which a lock on the table is reported.
const LONG_LOCK: u64 = 60;
/// The lag of a replica, in seconds and in bytes of WAL, that is reported.
const FAR_BEHIND: f64 = 10.0;
const MUCH_WAL: i64 = 64 << 20;
/// Fewer dead rows than this are not reported.
const FEW_DEAD: i64 = 10_000;

pub(super) fn vacuum(client: &mut Client, subject: &Subject) -> Result<Finding, Error> {
    const CHECK: &str = "vacuum";
    let Some(vacuum) = Vacuum::of(client, subject.oid)? else {
        return Ok(Finding::unknown(CHECK, "not known of the parts of such a table"));
    };
    let last = match &vacuum.last {
        Some(last) => format!("last vacuum {last}"),
        None => "never vacuumed".into(),
    };
    let dead = counted(u64::try_from(vacuum.dead).unwrap_or(0), "dead row");
    let text = format!("{dead}, {last}");
    let by_hand = format!("VACUUM {}", printable(&subject.table.quoted()));
    Ok(if !vacuum.is_automatic {
        Finding::warning(
            CHECK,
            format!("{text}, and autovacuum is off"),
            format!("turn autovacuum on, or run {by_hand} after each purge"),
        )
    } else if vacuum.dead > FEW_DEAD && vacuum.dead > vacuum.threshold.saturating_mul(2) {
        Finding::warning(
            CHECK,
            format!("{text}: autovacuum, which comes from {} on, is behind", vacuum.threshold),
            format!("{by_hand}; if they stay, an old snapshot keeps them"),
        )
    } else {
        Finding::ok(CHECK, text)
    })
}

/// Checks the locks on the table. Every role sees who holds a lock, but not since when.
pub(super) fn locks(client: &mut Client, oid: u32) -> Result<Finding, Error> {
    Ok(longest_lock(&holders(client, oid)?))
}

fn longest_lock(holders: &[(String, Option<u64>)]) -> Finding {
    const CHECK: &str = "locks";
    let Some((_, longest)) = holders.first() else {
        return Finding::ok(CHECK, "nobody else holds one on the table");
    };
    let names: Vec<&str> = holders.iter().map(|(holder, _)| &**holder).collect();
    let text = format!("held by {}", names.join(", "));
    match longest {
        Some(age) if *age > LONG_LOCK => Finding::warning(
            CHECK,
            format!("{text}: the longest for {}", rough_time(*age)),
            "backfill and flush-all --truncate wait for them; rows that they have locked stay",
        ),
        Some(_) => Finding::ok(CHECK, text),
        None => Finding::unknown(CHECK, format!("{text}; since when, this role may not see")),
    }
}

pub(super) fn replication(client: &mut Client) -> Result<Finding, Error> {
    const CHECK: &str = "replication";
    let recovery = "SELECT pg_catalog.pg_is_in_recovery()";
    if client.query_typed_one(recovery, &[])?.try_get(0)? {
        return Ok(Finding::unknown(
            CHECK,
            "only the primary knows how far its replicas are behind",
        ));
    }
    let row = client.query_typed_one(REPLICAS, &[])?;
    let (replicas, seen): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if replicas == 0 {
        return Ok(Finding::ok(CHECK, "no replica is connected"));
    }
    if seen < replicas
        && let Some(finding) = hidden(client, CHECK)?
    {
        return Ok(finding);
    }
    let (seconds, bytes): (f64, i64) = (row.try_get(2)?, row.try_get(3)?);
    let replicas = counted(u64::try_from(replicas).unwrap_or(0), "replica");
    let text = format!("{replicas}, at most {seconds:.1} s and {} MB behind", bytes / 1_000_000);
    Ok(if seconds > FAR_BEHIND || bytes > MUCH_WAL {
        Finding::warning(CHECK, text, "purge-expired --max-lag 5s pauses while replicas are behind")
    } else {
        Finding::ok(CHECK, text)
    })
}

/// The finding for a role that may not see the activity of others.
pub(super) fn hidden(client: &mut Client, check: &'static str) -> Result<Option<Finding>, Error> {
    let row = client.query_typed_one(MAY_SEE, &[])?;
    let (may, role): (bool, String) = (row.try_get(0)?, row.try_get(1)?);
    let text = format!("\"{role}\" may not see what others do");
    let grant = format!("GRANT pg_monitor TO {}", printable(&quote(&role)));
    Ok((!may).then(|| Finding::unknown(check, text).next(grant)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Status;

    #[test]
    fn a_lock_of_more_than_a_minute_is_long() {
        let status = |age| longest_lock(&[("pid 7".into(), age), ("pid 8".into(), Some(0))]).status;
        assert_eq!(status(Some(60)), Status::Ok);
        assert_eq!(status(Some(61)), Status::Warning);
        assert_eq!(status(None), Status::Unknown);
    }
}
