//! The sessions that a command which only reads selects: of whom, saved when, and of what kind. `list`, `show` and `stats`
//! share it.

use django_session::{Decoded, UserIds, Verdict};

use super::asked_users::AskedUsers;
use super::conditions::Conditions;
use super::counts::Counts;
use super::login_keys_seen::LoginKeysSeen;
use super::logins::Logins;
use super::lookup::by_user;
use super::named_users::SessionsOf;
use super::proof;
use super::query::{Answer, SessionQuery, UserFilter};
use super::remarks::Remarks;
use super::unfit_ids::{GivenIds, UnfitIds};
use super::user_selectors;
use crate::cli::{self, UserLookup, Whom};
use crate::context::Ctx;
use crate::engine::Ended;
use crate::error::Error;
use crate::model::{Row, SavedWindow, counted};
use crate::report::{Doubt, Matches};
use crate::settings::{self, Ids};
use crate::store::{ByUser, Store};
use crate::ui;

/// Which sessions are selected, in any table.
pub(crate) struct Selection<'a> {
    whom: &'a Whom,
    ids: Ids,
    lookup: Option<&'a UserLookup>,
    saved: Option<SavedWindow>,
    conditions: Option<Conditions>,
    /// Whether expired sessions are selected, too.
    all: bool,
}

/// What a selection is read from.
pub(crate) struct Options<'a> {
    pub(crate) whom: &'a Whom,
    pub(crate) conditions: &'a cli::Conditions,
    pub(crate) saved: &'a cli::Saved,
    pub(crate) lookup: Option<&'a UserLookup>,
    pub(crate) all: bool,
}

/// Which sessions are selected in one table.
pub(crate) struct TableSelection<'a> {
    selection: &'a Selection<'a>,
    /// `None` for all users.
    users: Option<UserIds>,
    asked: AskedUsers,
    doubt: Option<Doubt>,
    /// The condition on a trusted column.
    pub(crate) by_user: Option<ByUser>,
}

/// What the rows were that a selection was tested on.
#[derive(Default)]
pub(crate) struct Found {
    /// Whether one of them was a login, selected or not.
    pub(crate) has_login: bool,
    pub(crate) matches: Matches,
    unfit_ids: UnfitIds,
    /// The kinds of ids in logins, if nothing else shows how the site spells ids.
    logins: Logins,
    /// Sessions of the users who are asked for, by user.
    sessions_of: SessionsOf,
    /// The keys at the top level of sessions, as long as no login was seen.
    members: Counts,
}

impl Found {
    /// Adds what was found on another page.
    pub(crate) fn append(&mut self, page: Self) {
        self.matches += page.matches;
        self.has_login |= page.has_login;
        self.logins.append(page.logins);
        self.unfit_ids.append(page.unfit_ids);
        self.sessions_of.append(page.sessions_of);
        self.members.merge(&page.members);
    }
}

impl<'a> Selection<'a> {
    /// Reads the options.
    pub(crate) fn of(ctx: &Ctx<'_>, options: &Options<'a>) -> Result<Self, Error> {
        let Options { whom, saved, lookup, all, .. } = *options;
        let ids = settings::ids_of_users(whom)?;
        let conditions = Conditions::of(ctx, options.conditions)?;
        let names_users = whom.selectors.is_given() || !ids.ids.is_empty();
        if options.conditions.anonymous && names_users {
            return Err(Error::usage(
                "--anonymous: these sessions name no user, and users are named",
                "leave out one of the two",
            ));
        }
        let saved = ctx.saved_window(saved)?;
        Ok(Self { whom, ids, lookup, saved, conditions, all })
    }

    /// Refuses names that no table can tell.
    pub(crate) fn demand(&self, ctx: &Ctx<'_>) -> Result<(), Error> {
        user_selectors::demand(ctx, &self.whom.selectors, true)
    }

    /// Whether users are selected.
    pub(crate) fn names_users(&self) -> bool {
        self.whom.selectors.is_given() || !self.ids.ids.is_empty()
    }

    /// Whether sessions are selected by what they are.
    pub(crate) fn has_conditions(&self) -> bool {
        self.conditions.is_some()
    }

    /// What there is to say of the selected sessions, before any was found.
    pub(crate) fn remarks(&self) -> Remarks {
        Remarks { has_conditions: self.has_conditions(), ..Remarks::default() }
    }

    /// Which sessions are selected in this table.
    pub(crate) fn in_table<'s>(
        &'s self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
    ) -> Result<TableSelection<'s>, Error> {
        let selectors = &self.whom.selectors;
        let meant = user_selectors::resolve(ctx, store, selectors, true, false)?;
        let ids = meant.with_ids(&self.ids.ids);
        let table = selectors.user_table.as_deref();
        let asked = AskedUsers::of(ctx, store, table, &ids, selectors.deleted_users)?;
        let users = self.names_users().then(|| asked.set());
        let by_user = self.by_trusted_column(ctx, store, &asked.ids)?;
        Ok(TableSelection { selection: self, users, asked, doubt: meant.doubt, by_user })
    }

    /// The condition on a trusted column, which is taken to be complete. A column that was named but not
    /// trusted must exist, but is not used to find rows.
    fn by_trusted_column(
        &self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
        ids: &[String],
    ) -> Result<Option<ByUser>, Error> {
        let is_used = |lookup: &&UserLookup| lookup.trust_column || lookup.user_column.is_some();
        let Some(lookup) = self.lookup.filter(is_used).filter(|_| self.names_users()) else {
            return Ok(None);
        };
        Ok(by_user(ctx, store, lookup, ids)?.filter(|_| lookup.trust_column))
    }

    /// Where no table has a session of these users: says so if no user can have such an id.
    pub(crate) fn doubt_ids(&self, ctx: &Ctx<'_>, remarks: &mut Remarks) {
        if remarks.matches.matched + remarks.matches.unverified > 0 {
            return;
        }
        let Ids { ids, lines } = &self.ids;
        let user_table = self.whom.selectors.user_table.as_deref();
        let given = GivenIds { ids, lines: Some(lines), user_table, hint: "" };
        remarks.unfit = given.refuse_unfit_anywhere(ctx).err().map(|error| error.to_string());
    }
}

impl TableSelection<'_> {
    /// The query, the same as that of `logout-user`.
    pub(crate) fn query(&self) -> SessionQuery<'_> {
        let who = self.users.as_ref().map_or(UserFilter::Anybody, UserFilter::These);
        let Selection { saved, conditions, .. } = self.selection;
        SessionQuery { saved: *saved, conditions: conditions.as_ref(), ..SessionQuery::of(who) }
    }

    /// Whether every session is selected.
    pub(crate) fn is_of_all(&self) -> bool {
        let Selection { saved, conditions, .. } = self.selection;
        saved.is_none() && conditions.is_none() && self.users.is_none()
    }

    /// Whether this session is selected.
    pub(crate) fn takes(
        &self,
        row: &Row<'_>,
        session: &Decoded<'_>,
        seen: &LoginKeysSeen<'_>,
        found: &mut Found,
    ) -> bool {
        if self.is_of_all() {
            return true;
        }
        let query = self.query();
        let verdict = query.verdict(row, session);
        let answer = query.answer(row, session, &verdict);
        if let Verdict::Login(login) = &verdict {
            found.has_login = true;
            if let Some(users) = self.users.as_ref().filter(|users| users.are_of_unknown_key()) {
                if !login.is_unverified() {
                    found.logins.count(&login.user_id);
                }
                for id in login.users().filter(|id| users.contains(id)) {
                    found.sessions_of.count(id, login, query.takes(answer));
                }
            }
        }
        query.count(answer, &verdict, &mut found.matches);
        match (answer, &verdict) {
            (Answer::Unfit, Verdict::Login(login)) => found.unfit_ids.note(&login.user_id),
            (Answer::MaybeLogin, _) => seen.note_no_visitor(session, &verdict),
            _ => {}
        }
        seen.note(session, &verdict, &mut found.members);
        query.takes(answer)
    }

    /// Adds to the remarks what the scan of this table found, and why sessions may be missing.
    pub(crate) fn remark(
        &self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
        seen: &LoginKeysSeen<'_>,
        (ended, found): (Ended, Found),
        remarks: &mut Remarks,
    ) -> Result<(), Error> {
        let Found { matches: here, has_login, members, sessions_of, logins, unfit_ids } = found;
        remarks.unfit_ids.append(unfit_ids);
        if let Some(by_user) = self.by_user.as_ref().filter(|_| here.different > 0) {
            warn_of_column(ctx, &by_user.column.name, here.different);
        }
        remarks.matches += here;
        let (is_whole, is_by_user) = (ended == Ended::Whole, self.users.is_some());
        if is_whole && is_by_user && self.by_user.is_none() {
            // An empty list must not look as if no user were logged in.
            let found_none = here.matched + here.unverified == 0;
            remarks.doubts.extend(seen.doubt(found_none.then_some(members)));
            let has_session = |id: &str| sessions_of.has(id);
            let ids = &self.selection.ids.ids;
            remarks.doubts.extend(self.asked.doubt_absent(ids, has_session, logins));
        } else if is_whole && self.query().is_of_visitors() {
            remarks.doubts.extend(seen.doubt(Some(members)));
        }
        remarks.doubts.extend(self.asked.doubt.clone().into_iter().chain(self.doubt.clone()));
        remarks.doubts.extend(proof::before_scans(ctx, store)?);
        // If expired sessions are selected, it may have been an expired one.
        let saw_login = has_login && !self.selection.all;
        if is_whole && (!saw_login || is_by_user) {
            let who = self.users.as_ref().map(UserFilter::These);
            remarks.doubts.extend(proof::other_tables(ctx, store, who, saw_login));
        }
        Ok(())
    }
}

fn warn_of_column(ctx: &Ctx<'_>, column: &str, logins: u64) {
    ctx.talk.warning(&format!(
        "{} of somebody else: column {} is wrong, so sessions may be missing here; leave --trust-column out",
        counted(logins, "login"),
        ui::sanitize(column)
    ));
}
