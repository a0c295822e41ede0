//! `stats`: summarizes a table in one scan: who is logged in, in which formats sessions are stored, and what
//! takes the space.

mod picture;
mod report;
mod sketch;
mod tally;
mod words;

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::time::Instant;

use django_session::Decoder;
use serde::Serialize;

use self::picture::Picture;
use self::report::{
    BackendStats, DayStats, KeyStats, MemberStats, SizeStats, SizeStep, StaffStats, StatsReport,
    UserStats,
};
use self::sketch::{Day, DayRows, Days, Distinct, Sizes};
use self::tally::{Counter, SignedBy, Totals};
use super::Command;
use crate::cli::Stats;
use crate::context::Ctx;
use crate::engine::Ended;
use crate::error::{Error, Exit};
use crate::model::{Page, Timestamp};
use crate::sessions::counts::Counts;
use crate::sessions::login_keys_seen::LoginKeysSeen;
use crate::sessions::selection::{Options, Selection, TableSelection};
use crate::sessions::user_names::UserNames;
use crate::store::{Filter, Store};
use crate::{settings, ui};

/// Most top-level keys of sessions, and most backends, that are named.
const MOST_MEMBERS: usize = 15;
const MOST_BACKENDS: usize = 20;
const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

impl Command for Stats {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        let picture = self.svg.as_deref().map(Picture::of).transpose()?;
        let options = Options {
            whom: &self.whom,
            conditions: &self.conditions,
            saved: &self.saved,
            lookup: None,
            all: false,
        };
        let selection = Selection::of(ctx, &options)?;
        let ctx = &ctx.reading_sessions();
        selection.demand(ctx)?;
        let began = Instant::now();
        let store = ctx.open()?;
        let table = selection.in_table(ctx, &*store)?;
        let seen = LoginKeysSeen::new(ctx, &table.query());
        let (mut totals, distinct, ended) = scan(ctx, &*store, &table, &seen)?;
        if let Ended::Interrupted(signal) = ended {
            return Ok(Exit::Interrupted(signal));
        }
        let mut remarks = selection.remarks();
        let saved_later = totals.found.matches.saved_later;
        if selection.names_users() || selection.has_conditions() {
            let found = std::mem::take(&mut totals.found);
            table.remark(ctx, &*store, &seen, (ended, found), &mut remarks)?;
            selection.doubt_ids(ctx, &mut remarks);
        }
        let mut names = UserNames::unknown();
        if !self.no_names {
            names = UserNames::of(ctx, &*store, self.whom.selectors.user_table.as_deref())?;
        }
        let staff = staff(ctx, &mut names, &totals, self.top);
        let mut report = report(totals, &distinct, (self.top, ctx.codec.keyring.len()), began);
        (report.saved_later, report.staff) = (saved_later, staff);
        name(ctx, &mut names, &mut report);
        let printed = ctx.print(out, self.format, &report);
        // Both the report and the remark would say it.
        remarks.matches.saved_later = 0;
        remarks.print(ctx);
        // After the report, which took a scan and is not lost if the file cannot be written.
        if let Some(picture) = &picture {
            picture.write(&report, &ctx.table()?.to_string())?;
        }
        printed?;
        Ok(if remarks.is_doubtful() { Exit::Incomplete } else { Exit::Done })
    }

    fn reads_stdin(&self) -> usize {
        usize::from(self.whom.from_file.as_deref().is_some_and(settings::is_stdin))
    }
}

/// Who of the staff is logged in; `None` if the table of users does not tell.
fn staff(
    ctx: &Ctx<'_>,
    names: &mut UserNames<'_>,
    totals: &Totals,
    most: usize,
) -> Option<StaffStats> {
    let mut staff = StaffStats { exact: !totals.users.forgot, ..StaffStats::default() };
    let is_told = names.staff(ctx, &mut |user| {
        let sessions = totals.users.times(&user.id);
        if sessions == 0 {
            return;
        }
        staff.users += 1;
        staff.sessions += sessions;
        staff.top.push(UserStats { user_id: user.id, username: user.name, sessions });
        if staff.top.len() > 2 * most.max(1_000) {
            keep_most(&mut staff.top, most);
        }
    });
    keep_most(&mut staff.top, most);
    is_told.then_some(staff)
}

/// Keeps the users with the most sessions.
fn keep_most(users: &mut Vec<UserStats>, most: usize) {
    users.sort_by(|a, b| b.sessions.cmp(&a.sessions).then_with(|| a.user_id.cmp(&b.user_id)));
    users.truncate(most);
}

/// Gives the users in the report their names.
fn name(ctx: &Ctx<'_>, names: &mut UserNames<'_>, report: &mut StatsReport) {
    let users = report.top_users.iter().chain(&report.impersonators);
    names.read(ctx, users.map(|user| &*user.user_id));
    for user in report.top_users.iter_mut().chain(&mut report.impersonators) {
        user.username = names.of_user(&user.user_id);
    }
}

/// Counts the rows of the table.
fn scan(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    table: &TableSelection<'_>,
    seen: &LoginKeysSeen<'_>,
) -> Result<(Totals, Distinct, Ended), Error> {
    let mut reader = store.reader()?;
    let now = reader.now()?;
    let codec = ctx.codec;
    let worker = || {
        let mut counter = Counter { decoder: Decoder::new(codec), now, table, seen };
        move |page: &mut Page| counter.page(page)
    };
    let (mut totals, mut distinct) = (Totals::default(), Distinct::new());
    let ended = ctx.scan().run(&mut *reader, &Filter::default(), worker, |page| {
        totals.merge(page, &mut distinct);
        ControlFlow::Continue(())
    })?;
    Ok((totals, distinct, ended))
}

fn report(
    totals: Totals,
    distinct: &Distinct,
    (top, keys): (usize, usize),
    began: Instant,
) -> StatsReport {
    let top_users_exact = !totals.users.forgot;
    let impersonators_exact = !totals.behind.forgot;
    let (backends_exact, keys_exact) = (!totals.backends.forgot, !totals.members.forgot);
    let never = totals.expires.0.get(&Day::Never);
    let never_expire = never.map_or(0, |rows| rows.rows);
    StatsReport {
        command: "stats",
        rows: totals.tally.scanned,
        live: totals.tally.live(),
        expired: totals.tally.expired,
        logged_in: totals.tally.logins,
        impersonated: totals.impersonated,
        impersonators: users(totals.behind, top),
        impersonators_exact,
        saved_later: 0,
        anonymous: totals.tally.anonymous,
        unverified: totals.tally.unverified,
        unreadable: totals.tally.unreadable,
        damaged: totals.tally.damaged,
        tally: totals.tally,
        users: distinct.count(),
        users_exact: distinct.is_exact(),
        top_users: users(totals.users, top),
        top_users_exact,
        staff: None,
        backends_exact,
        keys_exact,
        backends: backends(totals.backends),
        layouts: named(totals.formats.layouts),
        serializers: named(totals.formats.serializers),
        signatures: named(totals.formats.signatures),
        signed_by: (0..keys).map(|place| key(place, &totals.signed_by)).collect(),
        compressed: totals.compressed,
        size: sizes(&totals.sizes),
        largest: totals.largest,
        keys: members(totals.members),
        saved: days(totals.saved),
        expires: days(totals.expires),
        never_expire,
        elapsed_seconds: began.elapsed().as_secs_f64(),
    }
}

/// The users with the most sessions.
fn users(counts: Counts, top: usize) -> Vec<UserStats> {
    let users = counts.top(top, |user| user.times).into_iter();
    users
        .map(|(user_id, count)| UserStats { user_id, username: None, sessions: count.times })
        .collect()
}

fn backends(counts: Counts) -> Vec<BackendStats> {
    let backends = counts.top(MOST_BACKENDS, |backend| backend.times).into_iter();
    backends.map(|(backend, count)| BackendStats { backend, sessions: count.times }).collect()
}

fn members(counts: Counts) -> Vec<MemberStats> {
    let members = counts.top(MOST_MEMBERS, |member| member.bytes).into_iter();
    members
        .map(|(key, count)| MemberStats { key, sessions: count.times, bytes: count.bytes })
        .collect()
}

fn sizes(sizes: &Sizes) -> SizeStats {
    let steps = sizes.by_power().into_iter();
    SizeStats {
        total: sizes.total,
        median: sizes.percentile(50),
        p90: sizes.percentile(90),
        p99: sizes.percentile(99),
        largest: sizes.largest,
        steps: steps.map(|(up_to, rows)| SizeStep { up_to, rows }).collect(),
    }
}

/// What one of the keys signed.
fn key(place: usize, signed_by: &BTreeMap<usize, SignedBy>) -> KeyStats {
    let SignedBy { rows, live, logins, last_saved } =
        signed_by.get(&place).copied().unwrap_or_default();
    let last_saved = last_saved.and_then(Timestamp::from_seconds).map(|saved| saved.to_string());
    KeyStats { key: place + 1, rows, live, logins, last_saved }
}

/// Rows by the name of their format, as in all reports.
fn named<K: Serialize>(rows: BTreeMap<Option<K>, u64>) -> BTreeMap<String, u64> {
    rows.into_iter()
        .map(|(name, rows)| (name.map_or_else(|| "none".into(), ui::word), rows))
        .collect()
}

fn days(days: Days) -> Vec<DayStats> {
    let name = |day: Day| match day {
        Day::On(day) => {
            let midnight = Timestamp::from_micros(day.saturating_mul(DAY_MICROS)).to_string();
            midnight.split_once('T').map_or(midnight.clone(), |(date, _)| date.to_owned())
        }
        Day::Other => "other".into(),
        Day::Never => "never".into(),
        Day::Unknown => "unknown".into(),
    };
    let stats =
        |(day, DayRows { rows, anonymous })| DayStats { day: name(day), sessions: rows, anonymous };
    days.0.into_iter().map(stats).collect()
}
