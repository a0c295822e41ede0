//! `list`: lists sessions, of some users or of all.

mod listing;
mod printer;
mod remarks;

use std::io::Write;
use std::ops::ControlFlow;

use django_session::{Decoder, UserIds, Verdict};

use self::listing::Listing;
use self::printer::Printer;
use self::remarks::Remarks;
use super::Command;
use crate::cli::{List, ListFormat};
use crate::context::Ctx;
use crate::engine::Ended;
use crate::error::{Error, Exit};
use crate::model::{Leftover, Page, Row, SavedWindow, counted};
use crate::report::{Doubt, ListedSession, Matches};
use crate::sessions::asked_users::AskedUsers;
use crate::sessions::conditions::Conditions;
use crate::sessions::counts::Counts;
use crate::sessions::describe::{Described, Detail, KeyDisplay, describe, listed};
use crate::sessions::login_keys_seen::LoginKeysSeen;
use crate::sessions::logins::Logins;
use crate::sessions::lookup::by_user;
use crate::sessions::named_users::SessionsOf;
use crate::sessions::proof;
use crate::sessions::query::{Answer, SessionQuery, UserFilter};
use crate::sessions::unfit_ids::{GivenIds, UnfitIds};
use crate::sessions::user_names::UserNames;
use crate::sessions::user_selectors;
use crate::store::{ByUser, Filter, Store};
use crate::{settings, ui};

/// Which sessions to list, and what to show of them.
struct Query<'a> {
    args: &'a List,
    /// The users in one table; `None` for all users.
    users: Option<UserIds>,
    saved: Option<SavedWindow>,
    conditions: Option<&'a Conditions>,
    detail: Detail,
    keys: KeyDisplay,
}

/// The result of one page.
#[derive(Default)]
struct Listed {
    sessions: Vec<ListedSession>,
    /// Large sessions, which are decoded one by one when they are printed.
    later: Leftover,
    held_bytes: usize,
    /// Whether one of the rows was a login, listed or not.
    has_login: bool,
    matches: Matches,
    unfit_ids: UnfitIds,
    /// The kinds of ids in logins, if nothing else shows how the site spells ids.
    logins: Logins,
    /// Sessions of the users who are asked for, by user.
    sessions_of: SessionsOf,
    /// The keys at the top level of sessions, as long as no login was seen.
    members: Counts,
}

impl Command for List {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        settings::refuse_blank("--user", &self.users)?;
        settings::check_selectors(&self.selectors, !self.users.is_empty())?;
        let conditions = Conditions::of(ctx, &self.conditions)?;
        if self.conditions.anonymous && (self.selectors.is_given() || !self.users.is_empty()) {
            return Err(Error::usage(
                "--anonymous: these sessions name no user, and users are named",
                "leave out one of the two",
            ));
        }
        let query = Query {
            args: self,
            users: None,
            saved: ctx.saved_window(&self.saved)?,
            conditions: conditions.as_ref(),
            detail: match self.format {
                ListFormat::Json | ListFormat::Jsonl => Detail::Payload,
                _ => Detail::Summary,
            },
            keys: KeyDisplay::from(self.show_keys),
        };
        let ctx = &ctx.reading_sessions();
        user_selectors::demand(ctx, &self.selectors, true)?;
        let limit = self.limit.unwrap_or(u64::MAX);
        let mut listing = Listing::new(out, self.format, limit, ctx.is_about_many());
        let mut remarks = Remarks { has_conditions: conditions.is_some(), ..Remarks::default() };
        let mut ended = Ended::Whole;
        for ctx in &ctx.each()? {
            ended = query.list(ctx, &mut listing, &mut remarks)?;
            if ended != Ended::Whole {
                break;
            }
        }
        if remarks.matches.matched + remarks.matches.unverified == 0 && ended == Ended::Whole {
            let user_table = self.selectors.user_table.as_deref();
            let given = GivenIds { ids: &self.users, lines: None, user_table, hint: "" };
            remarks.unfit = given.refuse_unfit_anywhere(ctx).err().map(|error| error.to_string());
        }
        listing.begin(&[])?;
        listing.end()?;
        let inexact_ids = listing.inexact_ids;
        out.flush()?;
        warn_of_inexact_ids(ctx, inexact_ids);
        remarks.print(ctx);
        Ok(match ended {
            Ended::Interrupted(signal) => Exit::Interrupted(signal),
            _ if remarks.is_doubtful() || inexact_ids > 0 => Exit::Incomplete,
            _ => Exit::Done,
        })
    }

    fn prints(&self) -> bool {
        self.format != ListFormat::Count
    }
}

impl Query<'_> {
    /// The query, the same as that of `logout-user`.
    fn sessions(&self) -> SessionQuery<'_> {
        let who = self.users.as_ref().map_or(UserFilter::Anybody, UserFilter::These);
        SessionQuery { saved: self.saved, conditions: self.conditions, ..SessionQuery::of(who) }
    }

    /// Lists the sessions of one table.
    fn list(
        &self,
        ctx: &Ctx<'_>,
        listing: &mut Listing<'_>,
        remarks: &mut Remarks,
    ) -> Result<Ended, Error> {
        let Self { args, saved, conditions, detail, keys, .. } = *self;
        let store = ctx.open()?;
        let (asked, doubt) = self.asked(ctx, &*store)?;
        let users = (args.selectors.is_given() || !args.users.is_empty()).then(|| asked.set());
        let query = Query { args, users, saved, conditions, detail, keys };
        let by_user = query.by_trusted_column(ctx, &*store, &asked.ids)?;
        let column = by_user.as_ref().map(|by| by.column.name.clone());
        let seen = LoginKeysSeen::new(ctx, &query.sessions());
        let (ended, all) = query.scan(ctx, &*store, by_user, &seen, listing)?;
        let Listed { matches: here, has_login, members, sessions_of, logins, unfit_ids, .. } = all;
        remarks.unfit_ids.append(unfit_ids);
        if let (Some(column), true) = (column, here.different > 0) {
            warn_of_column(ctx, &column, here.different);
        }
        remarks.matches += here;
        if ended == Ended::Whole && query.users.is_some() && !args.lookup.trust_column {
            // An empty list must not look as if no user were logged in.
            let found_none = here.matched + here.unverified == 0;
            remarks.doubts.extend(seen.doubt(found_none.then_some(members)));
            let has_session = |id: &str| sessions_of.has(id);
            remarks.doubts.extend(asked.doubt_absent(&args.users, has_session, logins));
        } else if ended == Ended::Whole && query.sessions().is_of_visitors() {
            remarks.doubts.extend(seen.doubt(Some(members)));
        }
        remarks.doubts.extend(asked.doubt.into_iter().chain(doubt));
        remarks.doubts.extend(proof::before_scans(ctx, &*store)?);
        // With --all it may have been an expired one.
        let saw_login = has_login && !args.all;
        if ended == Ended::Whole && (!saw_login || query.users.is_some()) {
            let who = query.users.as_ref().map(UserFilter::These);
            remarks.doubts.extend(proof::other_tables(ctx, &*store, who, saw_login));
        }
        Ok(ended)
    }

    /// Prints the sessions while it scans the table. Returns what else there is to say of them.
    fn scan(
        &self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
        by_user: Option<ByUser>,
        seen: &LoginKeysSeen<'_>,
        listing: &mut Listing<'_>,
    ) -> Result<(Ended, Listed), Error> {
        let mut reader = store.reader()?;
        let live_at = if self.args.all { None } else { Some(reader.now()?) };
        let filter = Filter { live_at, user: by_user, ..Filter::default() };
        let worker = || {
            let mut decoder = Decoder::new(ctx.codec);
            move |page: &mut Page| self.page(page, &mut decoder, seen)
        };
        let (mut failed, mut all) = (Ok(()), Listed::default());
        let schema = ctx.schema.as_ref().filter(|_| listing.with_schemas);
        let names = self.names(ctx, store)?;
        listing.with_names |= names.may_be_known();
        let decoder = Decoder::new(ctx.codec);
        let mut printer = Printer { ctx, query: self, names, schema, listing, decoder };
        let fold = |mut listed: Listed| {
            all.count(&mut listed);
            match printer.print(listed) {
                Ok(printed_login) => all.has_login |= printed_login,
                Err(error) => failed = Err(error),
            }
            let is_over = failed.is_err() || printer.listing.is_full();
            if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let ended = ctx.scan().run(&mut *reader, &filter, worker, fold)?;
        failed?;
        Ok((ended, all))
    }

    /// The users who are asked for, and why some may be missing.
    fn asked(
        &self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
    ) -> Result<(AskedUsers, Option<Doubt>), Error> {
        let selectors = &self.args.selectors;
        let meant = user_selectors::resolve(ctx, store, selectors, true, false)?;
        let ids = meant.with_ids(&self.args.users);
        let table = selectors.user_table.as_deref();
        let asked = AskedUsers::of(ctx, store, table, &ids, selectors.deleted_users)?;
        Ok((asked, meant.doubt))
    }

    /// The names of users, if the format shows them.
    fn names<'s>(&self, ctx: &Ctx<'_>, store: &'s dyn Store) -> Result<UserNames<'s>, Error> {
        let shows = !matches!(self.args.format, ListFormat::Ids | ListFormat::Count);
        if !shows || self.args.no_names {
            return Ok(UserNames::unknown());
        }
        UserNames::of(ctx, store, self.args.selectors.user_table.as_deref())
    }

    /// The condition on a trusted column, which is taken to be complete. A column that was named but not
    /// trusted must exist, but is not used to find rows.
    fn by_trusted_column(
        &self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
        ids: &[String],
    ) -> Result<Option<ByUser>, Error> {
        let lookup = &self.args.lookup;
        if self.users.is_none() || !(lookup.trust_column || lookup.user_column.is_some()) {
            return Ok(None);
        }
        Ok(by_user(ctx, store, lookup, ids)?.filter(|_| lookup.trust_column))
    }

    fn page(&self, page: &mut Page, decoder: &mut Decoder<'_>, seen: &LoginKeysSeen<'_>) -> Listed {
        let (mut listed, mut decoder) = (Listed::default(), decoder.page());
        let mut later = Vec::new();
        for (at, row) in page.rows().enumerate() {
            // After the first session that is left to the printer all are left to it, which keeps the order.
            if self.wants(&row, &mut decoder, seen, &mut listed)
                && !(later.is_empty() && listed.add(&row, &mut decoder, self.detail, self.keys))
            {
                later.push(at);
            }
        }
        listed.later = page.leave(later);
        listed
    }

    /// Whether to list this row.
    fn wants(
        &self,
        row: &Row<'_>,
        decoder: &mut Decoder<'_>,
        seen: &LoginKeysSeen<'_>,
        listed: &mut Listed,
    ) -> bool {
        if self.saved.is_none() && self.users.is_none() && self.conditions.is_none() {
            return true;
        }
        let session = row.decode(decoder);
        let query = self.sessions();
        let verdict = query.verdict(row, &session);
        let answer = query.answer(row, &session, &verdict);
        if let Verdict::Login(login) = &verdict {
            listed.has_login = true;
            if let Some(users) = self.users.as_ref().filter(|users| users.are_of_unknown_key()) {
                if !login.is_unverified() {
                    listed.logins.count(&login.user_id);
                }
                for id in login.users().filter(|id| users.contains(id)) {
                    listed.sessions_of.count(id, login, query.takes(answer));
                }
            }
        }
        query.count(answer, &verdict, &mut listed.matches);
        match (answer, &verdict) {
            (Answer::Unfit, Verdict::Login(login)) => listed.unfit_ids.note(&login.user_id),
            (Answer::MaybeLogin, _) => seen.note_no_visitor(&session, &verdict),
            _ => {}
        }
        seen.note(&session, &verdict, &mut listed.members);
        query.takes(answer)
    }
}

fn warn_of_column(ctx: &Ctx<'_>, column: &str, logins: u64) {
    ctx.talk.warning(&format!(
        "{} of somebody else: column {} is wrong, so sessions may be missing here; leave --trust-column out",
        counted(logins, "login"),
        ui::sanitize(column)
    ));
}

/// Warns that `logout-user --from-file` would not log out the users of all listed sessions.
fn warn_of_inexact_ids(ctx: &Ctx<'_>, sessions: u64) {
    if sessions > 0 {
        let sessions = counted(sessions, "session");
        ctx.talk.warning(&format!(
            "{sessions} with a user id that no line can hold as it is (it is empty, begins with a byte order mark, has \
             more than 1,000 bytes, or holds characters that are not printed): --format jsonl shows it"
        ));
    }
}

/// Most bytes of payloads and names that one page may hold between worker and printer.
const HELD_BYTES: usize = 1 << 20;
/// Larger payloads are decoded by the printer, one at a time: as JSON, each may be twice as large.
const LARGE_PAYLOAD: usize = 256 << 10;

impl Listed {
    /// Takes over what was counted of a page.
    fn count(&mut self, page: &mut Self) {
        self.matches += page.matches;
        self.has_login |= page.has_login;
        self.logins.append(page.logins);
        self.unfit_ids.append(std::mem::take(&mut page.unfit_ids));
        self.sessions_of.append(std::mem::take(&mut page.sessions_of));
        self.members.merge(std::mem::take(&mut page.members));
    }

    /// Describes a session, unless the page already holds too much.
    fn add(
        &mut self,
        row: &Row<'_>,
        decoder: &mut Decoder<'_>,
        detail: Detail,
        keys: KeyDisplay,
    ) -> bool {
        if row.data.bytes() > LARGE_PAYLOAD {
            return false;
        }
        let stored = row.decode(decoder);
        if stored.payload().map_or(0, |payload| payload.bytes()) > LARGE_PAYLOAD {
            return false;
        }
        let Described { session, large } = describe(&stored, detail);
        self.held_bytes += session.held_bytes();
        if large.is_some() || self.held_bytes > HELD_BYTES {
            return false;
        }
        self.sessions.push(listed(row, session, keys));
        true
    }
}
