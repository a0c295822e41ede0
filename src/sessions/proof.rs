//! Decides what a logout may claim: whether the scans prove that no user who was named is logged in, and
//! which doubts remain.

use std::ops::ControlFlow;

use django_session::{Decoder, Encode, Verdict};

use super::cache_keys::CacheKeys;
use super::delete_until_gone::Outcome;
use super::query::{Answer, SessionQuery, UserFilter};
use crate::context::Ctx;
use crate::engine::{Ended, StopReason};
use crate::error::{Error, Exit};
use crate::model::{Page, Row, counted};
use crate::report::{Doubt, Matches, Proof};
use crate::settings::Project;
use crate::store::{BlindSpot, Fault, Filter, OtherTable, Store, StoreError};
use crate::ui;

#[cfg(test)]
mod tests;

/// What the run proved.
pub(crate) fn of(outcome: &Outcome, cache: &CacheKeys, dry_run: bool) -> Proof {
    if dry_run || !outcome.is_proved() || cache.may_hold() {
        Proof::Unknown
    } else if outcome.matches.matched == 0
        && !outcome.emptied
        && cache.entries_deleted().unwrap_or_default() == 0
    {
        Proof::NotFound
    } else if cache.is_unknown() {
        Proof::TableOnly
    } else {
        Proof::LoggedOut
    }
}

impl Outcome {
    /// Rows that cannot be classified: each may be a session to delete, or one to spare.
    fn not_sure(&self) -> u64 {
        let Matches { shared, alike, unfit, unreadable, maybe_spared, undated, different, .. } =
            self.matches;
        shared
            + alike
            + unfit
            + unreadable
            + maybe_spared
            + undated
            + self.unverified_left
            + if self.by_column { different } else { 0 }
    }

    /// Whether a scan after the last delete found no session.
    pub(crate) fn is_proved(&self) -> bool {
        self.ended.is_ok()
            && self.remaining == Some(0)
            && self.not_sure() == 0
            && self.doubts.is_empty()
    }

    /// Whether a doubt remains, even if the last scan found no session.
    pub(crate) fn is_unsure(&self) -> bool {
        self.not_sure() > 0 || !self.doubts.is_empty() || self.kept.count() > 0
    }

    pub(crate) fn exit(&self) -> Exit {
        match &self.ended {
            Ok(()) if self.remaining.unwrap_or(0) > 0 || self.is_unsure() => Exit::Incomplete,
            Ok(()) if self.references.are_left() => Exit::Incomplete,
            Ok(()) => Exit::Done,
            Err(StopReason::Limit | StopReason::RunTime) => Exit::Incomplete,
            Err(StopReason::Interrupted(signal)) => Exit::Interrupted(*signal),
            Err(StopReason::Failed(_) | StopReason::AnotherInstance(_)) => Exit::Failed,
        }
    }
}

/// Warns the operator why nothing is proved.
pub(crate) fn warn(ctx: &Ctx<'_>, outcome: &Outcome) {
    let damaged = outcome.tally.damaged;
    if damaged > 0 {
        ctx.talk.note(&format!(
            "{} damaged: no key verifies {}, and no Django could read {} with another; a site whose SessionStore has an encode() \
             of its own might",
            counted(damaged, "row"),
            if damaged == 1 { "it" } else { "them" },
            if damaged == 1 { "it" } else { "them" },
        ));
    }
    if outcome.matches.unreadable > 0 && ctx.codec.encode == Encode::Unknown {
        ctx.talk.note(
            "texts in no layout of Django's are read as sessions of a SessionStore with an encode() of its own; --engine db says \
             that the site's is Django's, and then they are damage",
        );
    }
    for doubt in &outcome.doubts {
        ctx.talk.warning(&ui::doubt(doubt));
    }
}

/// The doubts that are known before the first scan.
pub(crate) fn before_scans(ctx: &Ctx<'_>, store: &dyn Store) -> Result<Vec<Doubt>, Error> {
    Ok(hidden_sessions(ctx, store)?.into_iter().chain(own_form(ctx)).collect())
}

/// Those of a command that logs users out. An operator who names the engine says how it finds sessions.
pub(crate) fn before_logout(ctx: &Ctx<'_>, store: &dyn Store) -> Result<Vec<Doubt>, Error> {
    let mut doubts = before_scans(ctx, store)?;
    let project = ctx.project.as_ref().filter(|_| ctx.global.engine.is_none());
    if let Some((engine, method)) = project.and_then(Project::own_load) {
        doubts.push(Doubt::OwnLoad { engine: engine.into(), method: method.into() });
    }
    Ok(doubts)
}

/// The doubt that the project writes logins in another form than the one that is read here. An operator who names keys
/// of logins says that they are read.
fn own_form(ctx: &Ctx<'_>) -> Option<Doubt> {
    let project = ctx.project.as_ref().filter(|_| ctx.global.user_keys.is_empty())?;
    let (engine, serializer) = project.written_by();
    let doubt = || Doubt::OwnForm { engine: engine.into(), serializer: serializer.into() };
    (!project.login_is_read(ctx.codec)).then(doubt)
}

/// The doubt that the session table may hide rows. It is only a note if the operator or the project named the
/// table.
fn hidden_sessions(ctx: &Ctx<'_>, store: &dyn Store) -> Result<Option<Doubt>, Error> {
    let table = ctx.table()?;
    let Some(spot) = store.reader()?.blind_spot(&table)? else { return Ok(None) };
    let (table, view) = (table.to_string(), spot == BlindSpot::View);
    if is_named(ctx) {
        ctx.talk.note(&ui::hidden_sessions(&table, view));
        return Ok(None);
    }
    Ok(Some(Doubt::HiddenSessions { table, view }))
}

/// Whether the operator or the project named the session table.
fn is_named(ctx: &Ctx<'_>) -> bool {
    ctx.global.table.is_some() || ctx.project.is_some()
}

/// Most other tables that are scanned: each takes a connection.
const MOST_TABLES: usize = 200;
/// Most other tables that a message names.
const MOST_NAMED: usize = 20;

/// Other session tables that may be the site's, where this one may be a leftover of a package or a migration.
/// If this table has no live login, these are the tables with live rows. Otherwise they are those that have,
/// or may have, a live session of a user who is asked for. Empty if the operator named this table. If a project
/// named it, it is no leftover, and only the project's other tables matter. A search that fails is a doubt as well.
///
/// `saw_login` says whether a scan already saw a live login in this table.
pub(crate) fn other_tables(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    users: Option<UserFilter<'_>>,
    saw_login: bool,
) -> Vec<Doubt> {
    let project = ctx.project.as_ref();
    if ctx.global.table.is_some() || project.is_some_and(|project| !project.has_other_tables()) {
        return Vec::new();
    }
    let others = store.others_alike().or_else(|error| match error.fault() {
        // Retry: every other statement survives a lost connection too.
        Fault::Lost => store.others_alike(),
        _ => Err(error),
    });
    let Ok(mut others) = others else { return vec![Doubt::TablesUnknown] };
    if let Some(project) = project {
        let schema = ctx.schema.as_deref();
        others.retain(|other| {
            other.name.parse().is_ok_and(|table| project.is_other_table(&table, schema))
        });
    }
    let renamed = if project.is_none() && !saw_login { store.renamed_alike() } else { Ok(vec![]) };
    let Ok(mut renamed) = renamed else { return vec![Doubt::TablesUnknown] };
    if others.is_empty() && renamed.is_empty() {
        return Vec::new();
    }
    if project.is_none() && !(saw_login || has_login(ctx, store).unwrap_or(false)) {
        let found = Elsewhere::search(ctx, &others, |_, _| Holds::Session);
        // This table has no login, so the site's logins may as well be in a table that cannot be read.
        let mut tables = [found.sessions, found.unreadable, found.out_of_reach].concat();
        tables.truncate(MOST_NAMED);
        renamed.truncate(MOST_NAMED);
        return match (tables.is_empty(), found.is_whole) {
            (true, true) if renamed.is_empty() => Vec::new(),
            (true, true) => vec![Doubt::RenamedTables { tables: renamed }],
            (true, false) => vec![Doubt::TablesUnknown],
            (false, _) => vec![Doubt::OtherTables { tables }],
        };
    }
    let Some(users) = users else { return Vec::new() };
    let query = SessionQuery::of(users);
    let found = Elsewhere::search(ctx, &others, |decoder, row| holds(&query, decoder, row));
    if let Some(one) = found.out_of_reach.first() {
        ctx.talk.note(&format!(
            "{} in schemas that this role may not use, as {one}, were passed over; if one is this site's, connect as another role",
            counted(found.out_of_reach.len() as u64, "session table"),
        ));
    }
    let mut doubts = Vec::new();
    if !found.sessions.is_empty() {
        doubts.push(Doubt::SessionsElsewhere { tables: found.sessions });
    }
    if !found.unreadable.is_empty() {
        doubts.push(Doubt::UnreadableElsewhere { tables: found.unreadable });
    }
    if doubts.is_empty() && !found.is_whole {
        doubts.push(Doubt::TablesUnknown);
    }
    doubts
}

/// What a live row of another table is to the query. Later variants matter more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    Nothing,
    /// A row that cannot be read, and may be a session that is asked for.
    Unreadable,
    /// A session that is asked for.
    Session,
}

/// Classifies a row of another table. An id that the key of the table of users cannot hold counts as another
/// site's: it could be this site's only if the site's two tables spelled ids differently.
fn holds(query: &SessionQuery<'_>, decoder: &mut Decoder<'_>, row: &Row<'_>) -> Holds {
    let session = row.decode(decoder);
    let verdict = query.verdict(row, &session);
    match query.answer(row, &session, &verdict) {
        Answer::Match | Answer::Unverified => Holds::Session,
        Answer::Alike | Answer::Shared | Answer::Unreadable | Answer::MaybeLogin => {
            Holds::Unreadable
        }
        Answer::Undated
        | Answer::SavedLater
        | Answer::Different
        | Answer::Unfit
        | Answer::Other => Holds::Nothing,
    }
}

/// Other session tables, by what they hold.
#[derive(Default)]
struct Elsewhere {
    sessions: Vec<String>,
    /// Tables with an unreadable row, or that cannot be read at all.
    unreadable: Vec<String>,
    /// Tables in a schema that the role may not use.
    out_of_reach: Vec<String>,
    /// Whether all tables were scanned.
    is_whole: bool,
}

impl Elsewhere {
    fn search(
        ctx: &Ctx<'_>,
        others: &[OtherTable],
        holds: impl Fn(&mut Decoder<'_>, &Row<'_>) -> Holds + Sync,
    ) -> Self {
        let mut found = Self::default();
        let (near, far): (Vec<_>, Vec<_>) = others.iter().partition(|other| other.is_in_reach);
        found.out_of_reach = far.into_iter().map(|other| other.name.clone()).collect();
        for (position, other) in near.into_iter().enumerate() {
            let named = found.sessions.len() + found.unreadable.len();
            if position == MOST_TABLES || named == MOST_NAMED {
                return found;
            }
            let opened = other.name.parse().ok().and_then(|table| ctx.open_table(table).ok());
            let tables = match opened.map(|store| most(ctx, &*store, &holds)) {
                Some(Ok(Holds::Nothing)) => continue,
                Some(Ok(Holds::Session)) => &mut found.sessions,
                Some(Ok(Holds::Unreadable) | Err(_)) | None => &mut found.unreadable,
            };
            tables.push(other.name.clone());
        }
        found.is_whole = true;
        found
    }
}

/// Whether the session table has a live login, verified or not.
fn has_login(ctx: &Ctx<'_>, store: &dyn Store) -> Result<bool, StoreError> {
    let found = most(ctx, store, |decoder, row| match row.decode(decoder).verdict(|_| false) {
        Verdict::Login(_) => Holds::Session,
        _ => Holds::Nothing,
    })?;
    Ok(found == Holds::Session)
}

/// The variant that matters most among the live rows of a table.
fn most(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    holds: impl Fn(&mut Decoder<'_>, &Row<'_>) -> Holds + Sync,
) -> Result<Holds, StoreError> {
    let codec = ctx.codec;
    let worker = || {
        let (mut decoder, holds) = (Decoder::new(codec), &holds);
        move |page: &mut Page| {
            let mut decoder = decoder.page();
            page.rows().map(|row| holds(&mut decoder, &row)).max().unwrap_or(Holds::Nothing)
        }
    };
    let mut reader = store.reader()?;
    let filter = Filter { live_at: Some(reader.now()?), ..Filter::default() };
    let mut most = Holds::Nothing;
    let ended = ctx.scan().run(&mut *reader, &filter, worker, |found| {
        most = most.max(found);
        if most == Holds::Session { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    // Rows that were not read count as unreadable.
    Ok(if matches!(ended, Ended::Interrupted(_)) { most.max(Holds::Unreadable) } else { most })
}
