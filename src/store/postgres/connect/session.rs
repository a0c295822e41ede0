//! Whether a server is what `target_session_attrs` demands.

use tokio_postgres::SimpleQueryMessage;

use super::Reached;
use super::failure::Failure;
use crate::store::postgres::conninfo::Wanted;

const ASK: &str = "SELECT pg_catalog.pg_is_in_recovery(), \
                   pg_catalog.current_setting('transaction_read_only')";

/// Gives the connection back if its server will do.
pub(super) fn check(mut reached: Reached, wanted: Wanted) -> Result<Reached, Failure> {
    if wanted == Wanted::Any {
        return Ok(reached);
    }
    let answer = reached.client.simple_query(ASK).map_err(Failure::Driver)?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let is = |column, yes| row.and_then(|row| row.get(column)) == Some(yes);
    let (standby, read_only) = (is(0, "t"), is(0, "t") || is(1, "on"));
    let why = match wanted {
        Wanted::ReadWrite if read_only => "it takes no writes",
        Wanted::ReadOnly if !read_only => "it takes writes",
        Wanted::Primary if standby => "it is a standby",
        Wanted::Standby | Wanted::PreferStandby if !standby => "it is no standby",
        _ => return Ok(reached),
    };
    Err(Failure::Unwanted(why))
}
