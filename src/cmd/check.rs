//! `check`: a Nagios plugin (Monitoring Plugins Development Guidelines, "Plugin Output for Nagios").

use super::Ctx;
use crate::cli::Check;
use crate::error::{Error, Exit};
use crate::model::Health;
use crate::report::CheckReport;
use crate::{settings, ui};

pub(super) fn run(ctx: &mut Ctx<'_>, args: &Check) -> Result<Exit, Error> {
    let max_age = settings::duration("--max-age", &args.max_age)?.as_secs();
    match look(ctx, args.max_expired, max_age) {
        Ok(report) => {
            ui::write_check_report(&mut ctx.out, &report)?;
            Ok(Exit::Checked(report.health))
        }
        // A monitor reads standard output, and takes 1 for a warning.
        Err(error) => {
            ui::write_check_failure(&mut ctx.out, &error)?;
            Ok(Exit::Checked(Health::Unknown))
        }
    }
}

fn look(ctx: &Ctx<'_>, max_expired: Option<u64>, max_age: u64) -> Result<CheckReport, Error> {
    let store = ctx.open()?;
    let mut reader = store.reader()?;
    let now = reader.now()?;
    let expired = reader.expired(now, None)?;
    let oldest = expired.oldest.map(|oldest| {
        u64::try_from(now.as_micros().saturating_sub(oldest.as_micros()) / 1_000_000).unwrap_or(0)
    });
    // What took too long to count is too much.
    let rows = max_expired.map_or(Health::Ok, |max| beyond(expired.rows.unwrap_or(u64::MAX), max));
    let age = oldest.map_or(Health::Ok, |age| beyond(age, max_age));
    Ok(CheckReport { health: rows.max(age), expired: expired.rows, max_expired, oldest, max_age })
}

fn beyond(value: u64, bound: u64) -> Health {
    if value > bound.saturating_mul(2) {
        Health::Critical
    } else if value > bound {
        Health::Warning
    } else {
        Health::Ok
    }
}
