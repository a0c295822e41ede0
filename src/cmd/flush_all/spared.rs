//! `--except-user`: whether there are such users. One who was mistyped would be logged out with everybody.

use std::borrow::Cow;
use std::ops::ControlFlow;

use django_session::{Decoder, UserIds};

use crate::cmd::Ctx;
use crate::cmd::site_users::SiteUsers;
use crate::cmd::unfit_ids::{GivenIds, some};
use crate::engine::Ended;
use crate::error::Error;
use crate::model::{Page, Row};
use crate::store::{Filter, Store};

const HINT: &str =
    "give the primary key of the user: `sessctl logout-user --username NAME --dry-run` shows it";

/// Refuses users who can have no session, or have none and are not in the table of users.
pub(super) fn demand(ctx: &mut Ctx<'_>, users: &[String]) -> Result<(), Error> {
    if users.is_empty() {
        return Ok(());
    }
    let given = GivenIds { ids: users, user_table: None, hint: HINT };
    given.refuse_unfit_everywhere(ctx)?;
    let one = ctx.schema.clone();
    let schemas = match ctx.schemas()? {
        Some(schemas) => schemas.into_iter().map(Some).collect(),
        None => vec![one.clone()],
    };
    let many = schemas.len() > 1;
    let mut nobody: Vec<&str> = users.iter().map(String::as_str).collect();
    for schema in schemas {
        if nobody.is_empty() {
            break;
        }
        ctx.schema = schema;
        let store = ctx.open()?;
        if !many {
            given.refuse_unfit(ctx, &*store)?;
        }
        drop_existing(ctx, &*store, &mut nobody)?;
        drop_logged_in(ctx, &*store, &mut nobody)?;
    }
    ctx.schema = one;
    match *nobody {
        [] => Ok(()),
        ref nobody => Err(Error::usage(
            format!(
                "--except-user: {} has no live session, and no table of users that can be read has such a user",
                some(nobody)
            ),
            HINT,
        )),
    }
}

/// Leaves only users who are not in the table of users.
fn drop_existing(ctx: &Ctx<'_>, store: &dyn Store, nobody: &mut Vec<&str>) -> Result<(), Error> {
    let Some(site) = SiteUsers::find(ctx, store, None)? else { return Ok(()) };
    let fitting = |id: &str| site.kind.fit(id).map(Cow::into_owned);
    let ids: Vec<String> = nobody.iter().filter_map(|id| fitting(id)).collect();
    match site.existing(&mut *store.reader()?, ids) {
        Ok(there) => nobody.retain(|id| !fitting(id).is_some_and(|id| there.contains_key(&id))),
        // A role may do without the right to read the users.
        Err(error) => ctx.talk.detail(&format!("users to be spared are not looked up: {error}")),
    }
    Ok(())
}

/// Leaves only users without a live session.
fn drop_logged_in(ctx: &Ctx<'_>, store: &dyn Store, nobody: &mut Vec<&str>) -> Result<(), Error> {
    if nobody.is_empty() {
        return Ok(());
    }
    let users: UserIds = nobody.iter().collect();
    let codec = &ctx.codec;
    let worker = || {
        let mut decoder = Decoder::new(codec);
        let users = &users;
        move |page: &mut Page| -> UserIds {
            let mut decoder = decoder.page();
            // A row of a user who is to be spared stays, also where no key verifies it.
            let named = |row: Row<'_>| -> Vec<String> {
                let Ok(auth) = row.decode(&mut decoder).auth() else { return Vec::new() };
                let named = auth.user_id.into_iter().chain(auth.others);
                named.filter(|id| users.contains(id)).map(Cow::into_owned).collect()
            };
            page.rows().flat_map(named).collect()
        }
    };
    let mut rows = store.reader()?;
    let filter = Filter { live_at: Some(rows.now()?), ..Filter::default() };
    let ended = ctx.scan().run(&mut *rows, &filter, worker, |found| {
        nobody.retain(|id| !found.contains(id));
        if nobody.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    match ended {
        Ended::Interrupted(signal) => Err(Error::Interrupted { signal }),
        Ended::Whole | Ended::Enough => Ok(()),
    }
}
