//! `check`: a Nagios plugin that alerts when expired sessions pile up (Monitoring Plugins Development
//! Guidelines, "Plugin Output for Nagios").

mod report;
pub(super) mod words;

use std::io::Write;

use self::report::CheckReport;
use super::COUNT_PATIENCE;
use super::Command;
use crate::cli::Check;
use crate::context::Ctx;
use crate::error::{Error, Exit};
use crate::model::Health;
use crate::store::Capability;
use crate::{settings, ui};

impl Command for Check {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        let report = count_expired(ctx, self)?;
        words::write_report(out, &report)?;
        Ok(Exit::Checked(report.health))
    }

    /// A monitor reads standard output, and takes 1 for a warning.
    fn fail(&self, error: Error) -> Result<Exit, Error> {
        if error.is_broken_pipe() {
            return Err(error);
        }
        words::write_failure(&mut ui::stdout(), &error)?;
        Ok(Exit::Checked(Health::Unknown))
    }
}

fn count_expired(ctx: &Ctx<'_>, args: &Check) -> Result<CheckReport, Error> {
    let max_expired = args.max_expired;
    let max_age = settings::duration("--max-age", &args.max_age)?.as_secs();
    let (mut rows, mut oldest) = (Some(0), None);
    for ctx in &ctx.each()? {
        add(ctx, &mut rows, &mut oldest)?;
    }
    let health = health(rows, oldest, max_expired, max_age);
    Ok(CheckReport { health, expired: rows, max_expired, oldest, max_age })
}

/// Adds the expired rows of a table to `rows`, if they can be counted in time, and updates the age of the
/// oldest.
fn add(ctx: &Ctx<'_>, rows: &mut Option<u64>, oldest: &mut Option<u64>) -> Result<(), Error> {
    let store = ctx.open()?;
    store.demand(Capability::Expiry)?;
    let mut reader = store.reader()?;
    let now = reader.now()?;
    let expired = ctx.stop.while_unchecked(|| reader.expired(now, None, COUNT_PATIENCE))?;
    let age = expired.oldest.map(|oldest| {
        u64::try_from(now.as_micros().saturating_sub(oldest.as_micros()) / 1_000_000).unwrap_or(0)
    });
    *rows = rows.zip(expired.rows).map(|(rows, more)| rows + more);
    *oldest = (*oldest).max(age);
    Ok(())
}

fn health(
    expired: Option<u64>,
    oldest: Option<u64>,
    max_expired: Option<u64>,
    max_age: u64,
) -> Health {
    // A count that takes too long is above any limit.
    let rows = max_expired.map_or(Health::Ok, |max| beyond(expired.unwrap_or(u64::MAX), max));
    let age = match (oldest, expired) {
        (Some(oldest), _) => beyond(oldest, max_age),
        (None, Some(_)) => Health::Ok,
        (None, None) => Health::Unknown,
    };
    rows.max(age)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_to_count_is_not_well() {
        assert_eq!(health(None, Some(50), None, 100), Health::Ok);
        assert_eq!(health(None, Some(150), None, 100), Health::Warning);
        assert_eq!(health(None, Some(50), Some(1_000), 100), Health::Critical);
        assert_eq!(health(None, None, None, 100), Health::Unknown);
        assert_eq!(health(Some(0), None, None, 100), Health::Ok);
    }
}
