//! Checks the user column.

use super::message;
use super::sample::{Sample, percent};
use crate::model::{Finding, counted};
use crate::sessions::lookup::NAMES;
use crate::store::{Reader, UserColumn, UserType};

const CHECK: &str = "user-column";

/// The user column, if there is one, or a finding that says why it cannot be used.
pub(super) fn find(reader: &mut dyn Reader) -> Result<Option<UserColumn>, Finding> {
    let mut failed = None;
    for name in NAMES {
        match reader.user_column(name) {
            Ok(Some(column)) => return Ok(Some(column)),
            Ok(None) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    match failed {
        None => Ok(None),
        Some(error) => {
            let next_step = error.next_step().unwrap_or("`sessctl backfill` adds one").to_owned();
            Err(Finding::warning(CHECK, message(error), next_step))
        }
    }
}

pub(super) fn describe(column: Option<&UserColumn>, sample: &Sample) -> Finding {
    let Some(column) = column else {
        return Finding::ok(CHECK, "none: logout-user and list --user decode every row")
            .next("where that takes long, `sessctl backfill` adds and fills one");
    };
    let kind = match column.kind {
        UserType::Text => "text",
        UserType::Bigint => "bigint",
        UserType::Uuid => "uuid",
    };
    let (stamped, when) = match sample.recent.logins {
        0 => (sample.logins, "newest"),
        _ => (sample.recent, "of the last hour"),
    };
    let logins = counted(stamped.logins, "login");
    let says = match stamped.logins {
        0 => "no login was seen in it".into(),
        all => format!("right for {} of {logins} {when}", percent(stamped.right, all)),
    };
    let index = if column.indexed { "indexed" } else { "without an index" };
    let text = format!("{} ({kind}), {index}, {says}", column.name);
    if stamped.wrong > stamped.right {
        let text = format!("{text}: it says something else than whose the sessions are");
        Finding::warning(CHECK, text, "it is not used; `sessctl backfill --column NAME` adds one")
    } else if stamped.right < stamped.logins {
        let next_step = if stamped.right == 0 {
            "`sessctl backfill` fills it"
        } else {
            "`sessctl backfill` fills it, and with `sessctl django-code` the site does so itself"
        };
        Finding::warning(CHECK, text, next_step)
    } else if !column.indexed {
        Finding::warning(CHECK, text, "`sessctl backfill` makes the index")
    } else {
        Finding::ok(CHECK, text)
    }
}
