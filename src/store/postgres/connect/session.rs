//! Checks a fresh connection: that the server is not too old, and is what `target_session_attrs` demands.

use tokio_postgres::SimpleQueryMessage;

use super::Reached;
use super::failure::Failure;
use crate::store::postgres::conninfo::TargetSessionAttrs;

const ASK: &str = "SELECT pg_catalog.pg_is_in_recovery(), \
                   pg_catalog.current_setting('transaction_read_only')";

/// The oldest whose settings and catalogs are those that our statements name (`conparentid`, `jit`).
const OLDEST: u32 = 11;

/// Gives the connection back if its server will do.
pub(super) fn check(mut reached: Reached, wanted: TargetSessionAttrs) -> Result<Reached, Failure> {
    if let Some(version) = reached.client.version().and_then(too_old) {
        return Err(Failure::TooOld(version.to_owned()));
    }
    if wanted == TargetSessionAttrs::Any {
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
        TargetSessionAttrs::ReadWrite if read_only => "it takes no writes",
        TargetSessionAttrs::ReadOnly if !read_only => "it takes writes",
        TargetSessionAttrs::Primary if standby => "it is a standby",
        TargetSessionAttrs::Standby | TargetSessionAttrs::PreferStandby if !standby => {
            "it is no standby"
        }
        _ => return Ok(reached),
    };
    Err(Failure::Unwanted(why))
}

/// The version, if sessctl does not work with it. Servers that only speak like PostgreSQL say a version of
/// PostgreSQL, too.
fn too_old(said: &str) -> Option<&str> {
    let version = said.split_whitespace().next()?;
    let major = version.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok()?;
    (major < OLDEST && !said.contains("bouncer")).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::too_old;

    #[test]
    fn servers_before_11_are_too_old() {
        for (said, old) in [
            ("9.6.24", Some("9.6.24")),
            ("10.23 (Ubuntu 10.23-1.pgdg18.04+1)", Some("10.23")),
            ("8.0.2", Some("8.0.2")),
            ("10beta4", Some("10beta4")),
            ("11.22", None),
            ("11beta1", None),
            ("11.2-YB-2.18.0.0-b0", None),
            ("13.0.0", None),
            ("18.1 (Debian 18.1-1.pgdg13+2)", None),
            ("1.25.0/bouncer", None),
            ("devel", None),
            ("", None),
        ] {
            assert_eq!(too_old(said), old, "{said}");
        }
    }
}
