//! `stats`: summarizes a table in one scan: who is logged in, in which formats sessions are stored, and what
//! takes the space.

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

use self::report::{
    BackendStats, DayStats, KeyStats, MemberStats, SizeStats, StatsReport, UserStats,
};
use self::sketch::{Day, Days, Distinct};
use self::tally::{Counter, SignedBy, Totals};
use super::Command;
use crate::cli::Stats;
use crate::context::Ctx;
use crate::engine::Ended;
use crate::error::{Error, Exit};
use crate::model::{Page, Timestamp};
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
        let mut report = report(totals, &distinct, (self.top, ctx.codec.keyring.len()), began);
        report.saved_later = saved_later;
        if !self.no_names {
            let user_table = self.whom.selectors.user_table.as_deref();
            let mut names = UserNames::of(ctx, &*store, user_table)?;
            names.read(ctx, report.top_users.iter().map(|user| &*user.user_id));
            for user in &mut report.top_users {
                user.username = names.of_user(&user.user_id);
            }
        }
        ctx.print(out, self.format, &report)?;
        // Both the report and the remark would say it.
        remarks.matches.saved_later = 0;
        remarks.print(ctx);
        Ok(if remarks.is_doubtful() { Exit::Incomplete } else { Exit::Done })
    }

    fn reads_stdin(&self) -> usize {
        usize::from(self.whom.from_file.as_deref().is_some_and(settings::is_stdin))
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
    StatsReport {
        command: "stats",
        rows: totals.tally.scanned,
        live: totals.tally.live(),
        expired: totals.tally.expired,
        logged_in: totals.tally.logins,
        impersonated: totals.impersonated,
        saved_later: 0,
        anonymous: totals.tally.anonymous,
        unverified: totals.tally.unverified,
        unreadable: totals.tally.unreadable,
        damaged: totals.tally.damaged,
        tally: totals.tally,
        users: distinct.count(),
        users_exact: distinct.is_exact(),
        top_users: totals
            .users
            .top(top, |user| user.times)
            .into_iter()
            .map(|(user_id, count)| UserStats { user_id, username: None, sessions: count.times })
            .collect(),
        top_users_exact,
        backends: totals
            .backends
            .top(MOST_BACKENDS, |backend| backend.times)
            .into_iter()
            .map(|(backend, count)| BackendStats { backend, sessions: count.times })
            .collect(),
        layouts: named(totals.formats.layouts),
        serializers: named(totals.formats.serializers),
        signatures: named(totals.formats.signatures),
        signed_by: (0..keys).map(|place| key(place, &totals.signed_by)).collect(),
        compressed: totals.compressed,
        size: SizeStats {
            total: totals.sizes.total,
            median: totals.sizes.percentile(50),
            p90: totals.sizes.percentile(90),
            p99: totals.sizes.percentile(99),
            largest: totals.sizes.largest,
        },
        largest: totals.largest,
        keys: totals
            .members
            .top(MOST_MEMBERS, |member| member.bytes)
            .into_iter()
            .map(|(key, count)| MemberStats { key, sessions: count.times, bytes: count.bytes })
            .collect(),
        saved: days(totals.saved),
        expires: days(totals.expires),
        elapsed_seconds: began.elapsed().as_secs_f64(),
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
    days.0.into_iter().map(|(day, sessions)| DayStats { day: name(day), sessions }).collect()
}
