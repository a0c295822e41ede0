//! `--except-user`: checks that the users to spare exist. A mistyped id would log that user out with
//! everybody else.

use std::borrow::Cow;
use std::ops::ControlFlow;

use django_session::{Decoder, UserIds};

use crate::context::Ctx;
use crate::engine::Ended;
use crate::error::Error;
use crate::model::{Page, counted};
use crate::sessions::asked_users::AskedUsers;
use crate::sessions::site_users::SiteUsers;
use crate::sessions::unfit_ids::{GivenIds, UnfitIds, some};
use crate::store::{Filter, Store};

const HINT: &str =
    "give the primary key of the user: `sessctl logout-user --username NAME --dry-run` shows it";

/// Refuses users who can have no session, and users without a session who are missing from the table of
/// users. Refuses all if sessions do not show their users.
pub(super) fn demand(ctx: &Ctx<'_>, users: &[String]) -> Result<(), Error> {
    if users.is_empty() {
        return Ok(());
    }
    let mut nobody: Vec<&str> = users.iter().map(String::as_str).collect();
    for ctx in &ctx.each()? {
        let store = ctx.open()?;
        drop_existing(ctx, &*store, &mut nobody)?;
        drop_logged_in(ctx, &*store, users, &mut nobody)?;
    }
    let ids: Vec<String> = nobody.iter().copied().map(str::to_owned).collect();
    GivenIds { ids: &ids, lines: None, user_table: None, hint: HINT }.refuse_unfit_anywhere(ctx)?;
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

/// Keeps only users who are not in the table of users.
fn drop_existing(ctx: &Ctx<'_>, store: &dyn Store, nobody: &mut Vec<&str>) -> Result<(), Error> {
    let Some(site) = SiteUsers::find(ctx, store, None)? else { return Ok(()) };
    let fitting = |id: &str| site.kind.fit(id).map(Cow::into_owned);
    let ids: Vec<String> = nobody.iter().filter_map(|id| fitting(id)).collect();
    match site.existing(&mut *store.reader()?, ids) {
        Ok(there) => nobody.retain(|id| !fitting(id).is_some_and(|id| there.contains_key(&id))),
        // The role may lack the right to read the table of users.
        Err(error) => ctx.talk.detail(&format!("users to be spared are not looked up: {error}")),
    }
    Ok(())
}

/// The findings of one page.
#[derive(Default)]
struct Seen {
    /// Spared users who have a session.
    found: UserIds,
    unfit: u64,
    unfit_ids: UnfitIds,
}

/// Keeps only users without a live session. Fails if a session may belong to one of them under an id that the
/// key of the table of users cannot hold.
fn drop_logged_in(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    users: &[String],
    nobody: &mut Vec<&str>,
) -> Result<(), Error> {
    let asked = AskedUsers::of(ctx, store, None, users, false)?;
    let is_enough = |nobody: &[&str]| nobody.is_empty() && !asked.some_are_unfit();
    if is_enough(nobody) {
        return Ok(());
    }
    let ids = asked.set();
    let codec = ctx.codec;
    let worker = || {
        let mut decoder = Decoder::new(codec);
        let ids = &ids;
        move |page: &mut Page| Seen::of(page, &mut decoder, ids)
    };
    let mut all = Seen::default();
    let mut rows = store.reader()?;
    let filter = Filter { live_at: Some(rows.now()?), ..Filter::default() };
    let ended = ctx.scan().run(&mut *rows, &filter, worker, |seen| {
        // An id that Django may read as another one may belong to another user.
        nobody.retain(|id| !seen.found.contains(id) || asked.is_misspelled(id));
        all.unfit += seen.unfit;
        all.unfit_ids.append(seen.unfit_ids);
        if is_enough(nobody) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    match ended {
        Ended::Interrupted(signal) => Err(Error::Interrupted { signal }),
        Ended::Whole | Ended::Enough => all.refuse_unfit(),
    }
}

impl Seen {
    fn of(page: &Page, decoder: &mut Decoder<'_>, users: &UserIds) -> Self {
        let (mut seen, mut decoder) = (Self::default(), decoder.page());
        for row in page.rows() {
            // A row of a spared user stays, even if no key verifies it.
            let Ok(auth) = row.decode(&mut decoder).auth() else { continue };
            if let Some(own) = auth.user_id.as_deref().filter(|own| users.is_unfit(own)) {
                seen.unfit += 1;
                seen.unfit_ids.note(own);
            }
            let named = auth.user_id.iter().chain(&auth.others);
            named.filter(|id| users.contains(id)).for_each(|id| seen.found.insert(id));
        }
        seen
    }

    fn refuse_unfit(self) -> Result<(), Error> {
        if self.unfit == 0 {
            return Ok(());
        }
        Err(Error::usage(
            format!(
                "--except-user: no key of the table of users can mean the users of {} ({}), one of whom may be a user who is to \
                 be spared; nobody is logged out",
                counted(self.unfit, "live session"),
                self.unfit_ids.some()
            ),
            "where the site's key field writes ids in another form, give those that `sessctl list` shows; only where the type of the \
             key was changed, `logout-user --deleted-users --unfit-ids` ends sessions of before",
        ))
    }
}
