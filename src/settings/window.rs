//! Parses the options that select sessions by when they were last saved: `--idle` and `--saved-between`.

use std::fmt::Write;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{Project, duration, zone};
use crate::cli;
use crate::error::Error;
use crate::model::{SavedWindow, Timestamp};

const MICROS: i64 = 1_000_000;

/// The window of save times that the options select, and a text that shows it to people: in the zone of `--timezone`, else the
/// project's, else UTC.
pub fn saved_window(
    args: &cli::Saved,
    project: Option<&Project>,
) -> Result<Option<(SavedWindow, Vec<String>)>, Error> {
    if args.idle.is_none() && args.saved_between.is_empty() {
        return match &args.timezone {
            None => Ok(None),
            Some(_) => Err(Error::usage(
                "--timezone is for times that are typed, and none was",
                "give --saved-between FROM UNTIL, too; --db-timezone is for times in the table",
            )),
        };
    }
    let clock = Clock::of(args.timezone.as_deref(), project)?;
    let mut notes: Vec<String> =
        args.timezone.iter().filter_map(|name| zone::note("--timezone", name)).collect();
    if let Some(idle) = &args.idle {
        let until = Timestamp::now().before(duration("--idle", idle)?);
        let until = until.as_micros().div_euclid(MICROS);
        notes.push(format!("--idle {idle}: last saved before {}", clock.shows(&[until])));
        return Ok(Some((SavedWindow { from: i64::MIN, until }, notes)));
    }
    let [from, until] = args.saved_between.as_slice() else { return Ok(None) };
    // The window includes parts of a second, and both passes of an hour that a clock shows twice.
    let from = clock.read(from, Bound::From)?.div_euclid(MICROS);
    let until = clock.read(until, Bound::Until)?;
    let until = until.div_euclid(MICROS) + i64::from(until.rem_euclid(MICROS) > 0);
    if from >= until {
        return Err(Error::usage(
            "--saved-between: the second time is not after the first",
            "the window ends before its second time: 2026-11-20 2026-11-21 is one day",
        ));
    }
    notes.push(format!("--saved-between: last saved from {}", clock.shows(&[from, until])));
    Ok(Some((SavedWindow { from, until }, notes)))
}

/// The two ends of the window.
#[derive(Clone, Copy, PartialEq)]
enum Bound {
    From,
    Until,
}

/// The clock of times that are typed without a zone.
struct Clock {
    zone: TimeZone,
    name: String,
    /// Which option or setting gave the zone.
    source: &'static str,
}

impl Clock {
    fn of(typed: Option<&str>, project: Option<&Project>) -> Result<Self, Error> {
        let (name, source) = match (typed, project.and_then(Project::local_time_zone)) {
            (Some(name), _) => (name, "--timezone"),
            (None, Some(name)) => (name, "TIME_ZONE of the project"),
            (None, None) => ("UTC", "--timezone names another"),
        };
        Ok(Self { zone: zone::zone(source, name)?, name: name.to_owned(), source })
    }

    /// Microseconds since 1970. A time that the clock shows twice or never makes the window the wider one.
    fn read(&self, text: &str, bound: Bound) -> Result<i64, Error> {
        let instant = if let Some(shown) = without_zone(text) {
            let moment = self.zone.to_ambiguous_timestamp(shown);
            if bound == Bound::From { moment.earlier() } else { moment.later() }
        } else {
            let zoned = || text.parse::<jiff::Zoned>().map(|zoned| zoned.timestamp());
            text.parse::<jiff::Timestamp>().or_else(|_| zoned())
        };
        instant.map(jiff::Timestamp::as_microsecond).map_err(|_| {
            Error::usage(
                format!("--saved-between: \"{text}\" is no time"),
                "write it as 2026-11-20, 2026-11-20T14:30 (see --timezone) or 2026-11-20T14:30+01:00",
            )
        })
    }

    /// Shows seconds since 1970 on this clock, and in UTC.
    fn shows(&self, seconds: &[i64]) -> String {
        let instants = seconds.iter().filter_map(|at| jiff::Timestamp::from_second(*at).ok());
        let (mut here, mut utc) = (String::new(), String::new());
        for (place, at) in instants.enumerate() {
            let until = if place > 0 { " until " } else { "" };
            let _ = write!(here, "{until}{}", at.display_with_offset(self.zone.to_offset(at)));
            let _ = write!(utc, "{until}{at}");
        }
        let Self { name, source, .. } = self;
        match &**name {
            "UTC" => format!("{utc} ({source})"),
            name => format!("{here} ({source}: {name}), which is {utc}"),
        }
    }
}

/// Parses a date, or a date and a time, without a zone or an offset.
fn without_zone(text: &str) -> Option<DateTime> {
    let rest = text.get("2026-11-20".len()..)?;
    let has_zone = rest.contains(['+', '-', '[', 'Z', 'z', '\u{2212}']);
    if has_zone { None } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(name: &str) -> Clock {
        Clock { zone: TimeZone::get(name).unwrap(), name: name.into(), source: "--timezone" }
    }

    fn read(zone: &str, text: &str, bound: Bound) -> String {
        let micros = clock(zone).read(text, bound).unwrap();
        jiff::Timestamp::from_microsecond(micros).unwrap().to_string()
    }

    #[test]
    fn a_typed_time_is_read_off_the_clock_unless_it_says_its_zone() {
        for (text, instant) in [
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("2026-11-20 14:30", "2026-11-20T13:30:00Z"),
            ("2026-11-20T14:30Z", "2026-11-20T14:30:00Z"),
            ("2026-11-20T14:30-05:00", "2026-11-20T19:30:00Z"),
            ("2026-11-20T14:30[America/New_York]", "2026-11-20T19:30:00Z"),
            ("2026-11-20T14:30-05:00[America/New_York]", "2026-11-20T19:30:00Z"),
        ] {
            assert_eq!(read("Europe/Berlin", text, Bound::From), instant, "{text}");
        }
        for text in ["soon", "", "2026-11-31", "2026-11-20+01:00", "2026-11-20T14:30+1", "14:30"] {
            assert!(clock("Europe/Berlin").read(text, Bound::From).is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_clock_shows_twice_or_never_makes_the_window_wider() {
        // Berlin: 02:00 to 03:00 twice on 2026-10-25, never on 2026-03-29.
        for (text, from, until) in [
            ("2026-10-25T02:30", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
            ("2026-03-29T02:30", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"),
        ] {
            assert_eq!(read("Europe/Berlin", text, Bound::From), from);
            assert_eq!(read("Europe/Berlin", text, Bound::Until), until);
        }
    }

    #[test]
    fn the_window_is_shown_in_both() {
        let shown = clock("Europe/Berlin").shows(&[1_795_000_000, 1_795_003_600]);
        assert_eq!(
            shown,
            "2026-11-18T12:06:40+01:00 until 2026-11-18T13:06:40+01:00 (--timezone: Europe/Berlin), \
             which is 2026-11-18T11:06:40Z until 2026-11-18T12:06:40Z"
        );
    }
}
