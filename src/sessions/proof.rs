//! What a logout may claim: how far its looks prove that nobody who was named is logged in.

use std::ops::ControlFlow;

use django_session::{Decoder, Encode, Verdict};

use super::cache_keys::CacheKeys;
use super::delete_until_gone::Outcome;
use super::query::Who;
use crate::context::Ctx;
use crate::engine::{Ended, Why};
use crate::error::{Error, Exit};
use crate::model::{Page, Row, counted};
use crate::report::{Doubt, Matches, Proof};
use crate::store::{BlindSpot, Fault, Filter, Store, StoreError};
use crate::ui;

/// What is proved.
pub(crate) fn of(outcome: &Outcome, cache: &CacheKeys, dry_run: bool) -> Proof {
    if dry_run || !outcome.is_proved() || cache.may_hold() {
        Proof::Unknown
    } else if outcome.matches.matched == 0 && !outcome.emptied {
        Proof::NotFound
    } else if cache.is_unknown() {
        Proof::TableOnly
    } else {
        Proof::LoggedOut
    }
}

impl Outcome {
    /// Rows that may be what was looked for, or what was to be spared, for all that can be told.
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

    /// Whether a look after the last act has shown that nothing is left.
    pub(crate) fn is_proved(&self) -> bool {
        self.ended.is_ok()
            && self.remaining == Some(0)
            && self.not_sure() == 0
            && self.doubts.is_empty()
    }

    /// Whether there is a doubt, whatever was found in the end.
    pub(crate) fn is_unsure(&self) -> bool {
        self.not_sure() > 0 || !self.doubts.is_empty() || self.kept.count() > 0
    }

    pub(crate) fn exit(&self) -> Exit {
        match &self.ended {
            Ok(()) if self.remaining.unwrap_or(0) > 0 || self.is_unsure() => Exit::Incomplete,
            Ok(()) => Exit::Done,
            Err(Why::Limit | Why::RunTime) => Exit::Incomplete,
            Err(Why::Interrupted(signal)) => Exit::Interrupted(*signal),
            Err(Why::Failed(_) | Why::AnotherInstance(_)) => Exit::Failed,
        }
    }
}

/// Says why nothing is proved, where that is so.
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

/// Whether the session table may hide rows. An operator or a project that names it knows what it is: then it is a note.
pub(crate) fn hidden_sessions(ctx: &Ctx<'_>, store: &dyn Store) -> Result<Option<Doubt>, Error> {
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

/// Other tables that are looked at: each takes a connection.
const MOST_TABLES: usize = 200;
/// Other tables that are named.
const MOST_NAMED: usize = 20;

/// Other session tables that may be the site's, where this one is what a package or a migration left behind: where it has no
/// live login those that have live rows, and else those that have a live login of a user who is asked for. `None` if the
/// operator or the project named this one. Where the search fails, that is a doubt as well.
///
/// `saw_login` says whether a live login was seen in this table already.
pub(crate) fn other_tables(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    who: Option<Who<'_>>,
    saw_login: bool,
) -> Option<Doubt> {
    if is_named(ctx) {
        return None;
    }
    let others = store.others_alike().or_else(|error| match error.fault() {
        // Everything else survives a connection that is lost.
        Fault::Lost => store.others_alike(),
        _ => Err(error),
    });
    let Ok(others) = others else { return Some(Doubt::TablesUnknown) };
    if others.is_empty() {
        return None;
    }
    let has_login = saw_login || has_login(ctx, store).unwrap_or(false);
    let (tables, all) = match (has_login, who) {
        (false, _) => used_tables(ctx, &others, false, |_, _| true),
        (true, Some(who)) => used_tables(ctx, &others, true, |decoder, row| {
            let verdict = row.decode(decoder).verdict(|_| false);
            matches!(verdict, Verdict::Login(login) if who.wants(Some(&login)))
        }),
        (true, None) => return None,
    };
    match (tables.is_empty(), all, has_login) {
        (true, true, _) => None,
        (true, false, _) => Some(Doubt::TablesUnknown),
        (false, _, true) => Some(Doubt::SessionsElsewhere { tables }),
        (false, _, false) => Some(Doubt::OtherTables { tables }),
    }
}

/// Those of these tables that have such a row that may be live, and whether all were looked at. One that cannot be read may
/// have such a row, unless it is said that it is not used then.
fn used_tables(
    ctx: &Ctx<'_>,
    names: &[String],
    unread_is_unused: bool,
    is_such: impl Fn(&mut Decoder<'_>, &Row<'_>) -> bool + Sync,
) -> (Vec<String>, bool) {
    let mut tables = Vec::new();
    for (looked_at, name) in names.iter().enumerate() {
        if looked_at == MOST_TABLES || tables.len() == MOST_NAMED {
            return (tables, false);
        }
        let opened = name.parse().ok().and_then(|table| ctx.open_table(table).ok());
        match opened.map(|store| has_row(ctx, &*store, &is_such)) {
            Some(Ok(false)) => {}
            // Mostly the role may not read it. If this is the role of the site, no more may the site.
            Some(Err(error)) if unread_is_unused && error.fault() == Fault::Fatal => ctx.talk.note(&format!(
                "session table {name} cannot be read; if it is this site's, name it with --table"
            )),
            None | Some(Ok(true) | Err(_)) => tables.push(name.clone()),
        }
    }
    (tables, true)
}

/// Whether the session table has a live login, whoever signed it.
fn has_login(ctx: &Ctx<'_>, store: &dyn Store) -> Result<bool, StoreError> {
    has_row(ctx, store, |decoder, row| {
        matches!(row.decode(decoder).verdict(|_| false), Verdict::Login(_))
    })
}

/// Whether a table has such a row that may be live.
fn has_row(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    is_such: impl Fn(&mut Decoder<'_>, &Row<'_>) -> bool + Sync,
) -> Result<bool, StoreError> {
    let codec = &ctx.codec;
    let worker = || {
        let (mut decoder, is_such) = (Decoder::new(codec), &is_such);
        move |page: &mut Page| {
            let mut decoder = decoder.page();
            page.rows().any(|row| is_such(&mut decoder, &row))
        }
    };
    let mut reader = store.reader()?;
    let filter = Filter { live_at: Some(reader.now()?), ..Filter::default() };
    let ended = ctx.scan().run(&mut *reader, &filter, worker, |found| {
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(ended == Ended::Enough)
}
