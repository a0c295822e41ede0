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

use self::report::{BackendStats, DayStats, MemberStats, SizeStats, StatsReport, UserStats};
use self::sketch::{Day, Days, Distinct};
use self::tally::{Counter, Totals};
use super::Command;
use crate::cli::Stats;
use crate::context::Ctx;
use crate::engine::Ended;
use crate::error::{Error, Exit};
use crate::model::{Page, Timestamp};
use crate::sessions::user_names::UserNames;
use crate::store::Filter;
use crate::ui;

/// Most top-level keys of sessions, and most backends, that are named.
const MOST_MEMBERS: usize = 15;
const MOST_BACKENDS: usize = 20;
const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

impl Command for Stats {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        let saved = ctx.saved_window(&self.saved)?;
        let ctx = &ctx.reading_sessions();
        let began = Instant::now();
        let store = ctx.open()?;
        let mut reader = store.reader()?;
        let now = reader.now()?;
        let codec = ctx.codec;
        let worker = || {
            let mut counter = Counter { decoder: Decoder::new(codec), now, saved };
            move |page: &mut Page| counter.page(page)
        };
        let (mut totals, mut distinct) = (Totals::default(), Distinct::new());
        let ended = ctx.scan().run(&mut *reader, &Filter::default(), worker, |page| {
            totals.merge(page, &mut distinct);
            ControlFlow::Continue(())
        })?;
        if let Ended::Interrupted(signal) = ended {
            return Ok(Exit::Interrupted(signal));
        }
        let mut report = report(totals, &distinct, self.top, began);
        if !self.no_names {
            let mut names = UserNames::of(ctx, &*store, None)?;
            names.read(ctx, report.top_users.iter().map(|user| &*user.user_id));
            for user in &mut report.top_users {
                user.username = names.of_user(&user.user_id);
            }
        }
        ctx.print(out, self.format, &report)?;
        Ok(Exit::Done)
    }
}

fn report(totals: Totals, distinct: &Distinct, top: usize, began: Instant) -> StatsReport {
    let top_users_exact = !totals.users.forgot;
    StatsReport {
        command: "stats",
        rows: totals.tally.scanned,
        live: totals.tally.live(),
        expired: totals.tally.expired,
        logged_in: totals.tally.logins,
        impersonated: totals.impersonated,
        saved_later: totals.saved_later,
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
