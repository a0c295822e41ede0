//! Guesses the time zone of naive times, to check the one that was given.
//!
//! A signed row holds the time of saving in UTC, and its `expire_date` is the reading of a clock. The
//! difference is the age of the cookie plus the offset of that clock from UTC. Nearly every site's cookie age
//! is a whole number of days (14 by default), so the remainder is the offset.

use std::collections::BTreeMap;

use super::sample::Moment;
use crate::model::{Expiry, Finding, Timestamp};
use crate::store::WallClock;

const DAY: i64 = 24 * 3_600;
/// Django's own `SESSION_COOKIE_AGE`.
const DEFAULT_AGE: i64 = 14 * DAY;
/// The range of offsets from UTC, and their step.
const AHEAD: std::ops::RangeInclusive<i64> = -12 * 3_600..=14 * 3_600;
const STEP: i64 = 900;
/// Most seconds between signing a session and computing its expiry.
const SLACK: i64 = 10;
/// Fewest rows that must agree.
const FEWEST: usize = 3;

pub(super) fn describe(moments: &[Moment], clock: &WallClock) -> Finding {
    const CHECK: &str = "time-zone";
    let walls: Vec<(i64, i64)> = moments
        .iter()
        .filter_map(|moment| Some((moment.saved, wall(moment.expires, clock)?)))
        .collect();
    let Some((age, ahead)) = agreed(&walls) else {
        let finding = Finding::unknown(CHECK, "too few rows tell in which one times are stored");
        return if clock.is_known() {
            finding
        } else {
            finding.next("--db-timezone UTC if the site has USE_TZ, else its TIME_ZONE")
        };
    };
    let fits = |(saved, wall): &&(i64, i64)| {
        let at = Timestamp::from_seconds(*saved);
        rest(wall - saved - age)
            .is_some_and(|ahead| at.and_then(|at| clock.ahead(at)) == Some(ahead))
    };
    let fitting = walls.iter().filter(fits).count();
    let zone = written(ahead);
    if clock.is_known() && fitting * 2 > walls.len() {
        return Finding::ok(
            CHECK,
            format!("--db-timezone fits: rows expire {} days after they were saved", age / DAY),
        );
    }
    let given =
        if clock.is_known() { "not in --db-timezone" } else { "and --db-timezone is not given" };
    let next_step = match ahead {
        0 => "--db-timezone UTC".into(),
        _ => format!("--db-timezone with the site's TIME_ZONE, which was at {zone} then"),
    };
    Finding::warning(
        CHECK,
        format!("by the save times of {} rows, expiry is stored in {zone}, {given}", walls.len()),
        next_step,
    )
}

/// The reading of the clock at the expiry, as if it were UTC.
fn wall(expires: Expiry, clock: &WallClock) -> Option<i64> {
    let seconds = |at: Timestamp| at.as_micros().div_euclid(1_000_000);
    match expires {
        Expiry::Wall(shown) => Some(seconds(shown)),
        Expiry::At(instant) => Some(seconds(instant) + clock.ahead(instant)?),
        Expiry::Unreadable(_) => None,
    }
}

/// The age of the cookie and the clock's offset from UTC, if most rows agree.
fn agreed(walls: &[(i64, i64)]) -> Option<(i64, i64)> {
    let age_of = |between: i64| {
        if AHEAD.contains(&(between - DEFAULT_AGE)) {
            DEFAULT_AGE
        } else {
            (between + DAY / 2).div_euclid(DAY) * DAY
        }
    };
    let mut votes = BTreeMap::new();
    for (saved, wall) in walls {
        let between = wall - saved;
        let age = age_of(between);
        // A cookie age of some hours would look like another time zone.
        if let Some(ahead) = rest(between - age).filter(|_| age > DAY) {
            *votes.entry((age, ahead)).or_insert(0_usize) += 1;
        }
    }
    let (found, votes) = votes.into_iter().max_by_key(|(_, votes)| *votes)?;
    (votes >= FEWEST && votes * 2 > walls.len()).then_some(found)
}

/// The remainder of the time between save and expiry, if it can be an offset from UTC.
fn rest(left: i64) -> Option<i64> {
    let ahead = (left + STEP / 2).div_euclid(STEP) * STEP;
    ((left - ahead).abs() <= SLACK && AHEAD.contains(&ahead)).then_some(ahead)
}

fn written(ahead: i64) -> String {
    if ahead == 0 {
        return "UTC".into();
    }
    let (sign, minutes) = (if ahead < 0 { '-' } else { '+' }, ahead.abs() / 60);
    format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(zone: Option<&str>, between: &[i64]) -> Finding {
        let clock = zone.map_or_else(WallClock::unknown, |zone| WallClock::in_zone(zone).unwrap());
        let moments: Vec<Moment> = between
            .iter()
            .map(|between| {
                let wall = 1_780_000_000 + between;
                let naive = Timestamp::from_seconds(wall).unwrap();
                let expires = match clock.ahead(naive) {
                    Some(ahead) => Expiry::At(Timestamp::from_seconds(wall - ahead).unwrap()),
                    None => Expiry::Wall(naive),
                };
                Moment { saved: 1_780_000_000, expires }
            })
            .collect();
        describe(&moments, &clock)
    }

    #[test]
    fn the_zone_is_what_is_left_after_whole_days() {
        let hour = 3_600;
        for (between, next_step) in [
            (14 * DAY, "--db-timezone UTC"),
            (14 * DAY + 2 * hour + 1, "+02:00"),
            (14 * DAY + 14 * hour, "+14:00"),
            (14 * DAY - 12 * hour, "-12:00"),
            (14 * DAY + 20_700, "+05:45"),
            (30 * DAY - 5 * hour, "-05:00"),
        ] {
            let finding = finding(None, &[between; 5]);
            assert!(finding.next_step.as_ref().unwrap().contains(next_step), "{finding:?}");
        }
    }

    #[test]
    fn what_was_given_is_compared() {
        let status = |zone, between| finding(Some(zone), &[between; 5]).status;
        assert_eq!(status("UTC", 14 * DAY), crate::model::Status::Ok);
        assert_eq!(status("UTC", 14 * DAY + 7_200), crate::model::Status::Warning);
        // On 2026-05-28.
        assert_eq!(status("Europe/Berlin", 14 * DAY + 7_200), crate::model::Status::Ok);
        assert_eq!(status("Europe/Berlin", 14 * DAY + 3_600), crate::model::Status::Warning);
    }

    #[test]
    fn what_could_be_anything_is_not_guessed_at() {
        for between in [&[14 * DAY; 2][..], &[8 * 3_600; 9], &[14 * DAY + 300; 9], &[], &[DAY; 9]] {
            assert_eq!(finding(None, between).status, crate::model::Status::Unknown, "{between:?}");
        }
    }
}
