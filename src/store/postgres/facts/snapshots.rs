//! Checks for old snapshots, which keep vacuum from removing deleted rows.

use std::cmp::Reverse;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};

use super::activity::hidden;
use crate::model::{Finding, Status, counted, rough_time};
use crate::store::postgres::client::Client;

const CHECK: &str = "snapshots";

/// Statements with the same result columns: the holder, the next step, its age in seconds if known, its age
/// in transactions, and whether it will never end by itself.
const PREPARED: &str = "
    SELECT 'prepared transaction ' || gid,
           pg_catalog.format('COMMIT PREPARED %L, or ROLLBACK PREPARED %1$L', gid),
           extract(epoch FROM pg_catalog.clock_timestamp() - prepared)::int8, pg_catalog.age(transaction), false
    FROM pg_catalog.pg_prepared_xacts WHERE database = current_database()";
/// A replication slot keeps rows in every database, as long as it exists.
const SLOTS: &str = "
    SELECT 'replication slot ' || slot_name || CASE WHEN active THEN '' ELSE ', which nobody uses' END,
           CASE WHEN active THEN $1
                ELSE pg_catalog.format('start what follows it, or drop it: SELECT pg_drop_replication_slot(%L)', slot_name)
           END, NULL::int8, pg_catalog.age(xmin), NOT active
    FROM pg_catalog.pg_replication_slots WHERE xmin IS NOT NULL";
/// The snapshot of a vacuum does not hinder other vacuums. A walsender without a slot keeps what its standby
/// asks for, in every database.
const BACKENDS: &str = "
    SELECT CASE WHEN is_standby THEN 'standby ' || application ELSE
               'pid ' || pid || ' (user ' || coalesce(usename::text, '?') || ', application ' || application || ', '
               || coalesce(state, '?') || ')' END,
           CASE WHEN is_standby THEN $1
                ELSE 'let it end, or end it: SELECT pg_terminate_backend(' || pid || ')' END,
           CASE WHEN NOT is_standby THEN extract(epoch FROM pg_catalog.clock_timestamp() - xact_start)::int8 END,
           greatest(pg_catalog.age(backend_xmin), pg_catalog.age(backend_xid)), false
    FROM (SELECT *, coalesce(nullif(application_name, ''), '?') AS application,
                 backend_type = 'walsender' AND datname IS NULL AS is_standby
          FROM pg_catalog.pg_stat_activity) a
    WHERE coalesce(backend_xmin, backend_xid) IS NOT NULL AND pid <> pg_catalog.pg_backend_pid()
        AND (is_standby OR datname = current_database())
        AND pid NOT IN (SELECT pid FROM pg_catalog.pg_stat_progress_vacuum)";
/// The next step for a standby whose queries hold a snapshot.
const FEEDBACK: &str = "end what runs long on that standby, or turn its hot_standby_feedback off";

/// The age from which a snapshot is reported, in seconds, or in transactions if the seconds are unknown.
const OLD: u64 = 3_600;
const MANY_TRANSACTIONS: u64 = 1_000_000;
/// Most holders that are named.
const MOST_TOLD: usize = 5;

/// The holder of a snapshot, or of something with the same effect.
struct Holder {
    who: String,
    next_step: String,
    seconds: Option<u64>,
    transactions: u64,
    is_left_behind: bool,
}

impl Holder {
    fn is_old(&self) -> bool {
        let is_old = self.seconds.map_or(self.transactions > MANY_TRANSACTIONS, |age| age > OLD);
        is_old || self.is_left_behind
    }

    fn describe(&self) -> String {
        let age = match self.seconds {
            Some(seconds) => rough_time(seconds),
            None => counted(self.transactions, "transaction"),
        };
        format!("{age} old: {}", self.who)
    }
}

/// The finding about the oldest snapshots. Every role sees prepared transactions and slots, but not the
/// activity of other roles.
pub(super) fn describe(client: &mut Client) -> Result<Finding, Error> {
    let hidden = hidden(client, CHECK)?;
    let mut found = holders(client, PREPARED, &[])?;
    let feedback: [(&(dyn ToSql + Sync), Type); 1] = [(&FEEDBACK, Type::TEXT)];
    found.extend(holders(client, SLOTS, &feedback)?);
    if hidden.is_none() {
        found.extend(holders(client, BACKENDS, &feedback)?);
    }
    let finding = oldest(found);
    Ok(match hidden {
        Some(hidden) if finding.status == Status::Ok => hidden,
        _ => finding,
    })
}

fn holders(
    client: &mut Client,
    sql: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Holder>, Error> {
    let number = |number| u64::try_from(number).unwrap_or(0);
    let holder = |row: &Row| {
        Ok(Holder {
            who: row.try_get(0)?,
            next_step: row.try_get(1)?,
            seconds: row.try_get::<_, Option<i64>>(2)?.map(number),
            transactions: number(row.try_get::<_, i32>(3)?.into()),
            is_left_behind: row.try_get(4)?,
        })
    };
    client.query_typed(sql, parameters)?.iter().map(holder).collect()
}

fn oldest(mut found: Vec<Holder>) -> Finding {
    found.sort_by_key(|holder| (Reverse(holder.is_old()), Reverse(holder.transactions)));
    let old: Vec<&Holder> =
        found.iter().take_while(|holder| holder.is_old()).take(MOST_TOLD).collect();
    match (old.as_slice(), found.first()) {
        ([], None) => Finding::ok(CHECK, "nobody else has one"),
        ([], Some(holder)) => Finding::ok(CHECK, format!("the oldest is {}", holder.describe())),
        (old, _) => {
            let who: Vec<String> = old.iter().map(|holder| holder.describe()).collect();
            let next: Vec<&str> = old.iter().map(|holder| &*holder.next_step).collect();
            let until = "deleted rows cannot be vacuumed before that ends";
            Finding::warning(CHECK, format!("{}; {until}", who.join("; ")), next.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(who: &str, seconds: Option<u64>, transactions: u64) -> Holder {
        Holder {
            who: who.into(),
            next_step: format!("end {who}"),
            seconds,
            transactions,
            is_left_behind: false,
        }
    }

    #[test]
    fn the_oldest_is_named_and_warned_of_after_an_hour() {
        assert_eq!(oldest(Vec::new()).text, "nobody else has one");
        let young = oldest(vec![holder("pid 8", Some(9), 3), holder("pid 7", Some(3_600), 100)]);
        assert_eq!(
            (young.status, &*young.text, young.next_step),
            (Status::Ok, "the oldest is 60 minutes old: pid 7", None)
        );
        let old = oldest(vec![holder("pid 8", Some(9), 300), holder("pid 7", Some(7_200), 100)]);
        assert_eq!(
            (old.status, &*old.text, old.next_step.as_deref()),
            (
                Status::Warning,
                "2 hours old: pid 7; deleted rows cannot be vacuumed before that ends",
                Some("end pid 7")
            )
        );
    }

    #[test]
    fn what_has_no_age_is_old_after_many_transactions_and_when_it_is_left_behind() {
        assert_eq!(oldest(vec![holder("slot s", None, 1_000_000)]).status, Status::Ok);
        assert_eq!(oldest(vec![holder("slot s", None, 1_000_001)]).status, Status::Warning);
        let left = Holder { is_left_behind: true, ..holder("slot s", None, 1) };
        let both = oldest(vec![holder("standby b", None, 2_000_000), left]);
        assert_eq!(both.next_step.as_deref(), Some("end standby b; end slot s"));
        assert!(both.text.starts_with("2000000 transactions old: standby b; 1 transaction old:"));
    }
}
