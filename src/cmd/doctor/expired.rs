//! Checks whether expired rows are purged regularly.

use std::time::Duration;

use super::sample::percent;
use crate::model::{Finding, Timestamp, counted, rough_time};
use crate::store::{Reader, StoreError};

/// How long rows are counted.
const PATIENCE: Duration = Duration::from_secs(2);
/// The limits: percent of expired rows, and seconds since the oldest expired.
const MOST: u64 = 20;
const OLDEST: u64 = 2 * 24 * 3_600;
/// After every row: the year 9999.
const FAR: Timestamp = Timestamp::from_micros(253_370_764_800_000_000);

pub(super) fn describe(reader: &mut dyn Reader) -> Result<Finding, StoreError> {
    const CHECK: &str = "expired";
    let now = reader.now()?;
    let expired = reader.expired(now, None, PATIENCE)?;
    let age = expired.oldest.map(|oldest| {
        let micros = now.as_micros().saturating_sub(oldest.as_micros());
        u64::try_from(micros / 1_000_000).unwrap_or(0)
    });
    let Some(rows) = expired.rows else {
        return Ok(match age {
            Some(age) => Finding::warning(
                CHECK,
                format!(
                    "more rows than can be counted in time, the oldest for {}",
                    rough_time(age)
                ),
                PURGE,
            ),
            None => Finding::unknown(CHECK, "counting took too long: see `sessctl check`"),
        });
    };
    let all = match reader.expired(FAR, None, PATIENCE)?.rows {
        Some(all) => Some(all),
        None => reader.estimate()?.filter(|estimate| *estimate > 0),
    };
    let share = all.map_or_else(String::new, |all| format!(" ({})", percent(rows, all.max(rows))));
    let oldest =
        age.map_or_else(String::new, |age| format!(", the oldest for {}", rough_time(age)));
    let text = format!("{}{share}{oldest}", counted(rows, "row"));
    let is_much = all.is_some_and(|all| rows.saturating_mul(100) > all.saturating_mul(MOST));
    Ok(if is_much || age.is_some_and(|age| age > OLDEST) {
        Finding::warning(CHECK, text, PURGE)
    } else {
        Finding::ok(CHECK, text)
    })
}

const PURGE: &str =
    "no purge seems to run: have a timer run `sessctl purge-expired` (docs/deploy.md)";
