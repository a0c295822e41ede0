//! Naive times. SQLite stores what some clock showed, and the file does not tell which: UTC with
//! `USE_TZ = True`, the site's local time without.

use jiff::Timestamp as Instant;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::{BEHIND_UTC, Expiry, Timestamp};

/// The clock that naive times were read off.
#[derive(Clone, Debug, Default)]
pub struct WallClock(Option<TimeZone>);

impl WallClock {
    /// Nobody said which time zone it is in.
    pub fn unknown() -> Self {
        Self(None)
    }

    /// A clock in a time zone, given by its IANA name (`UTC`, `Europe/Berlin`) or as an offset
    /// (`+05:30`).
    pub fn in_zone(name: &str) -> Option<Self> {
        let zone = TimeZone::get(name)
            .ok()
            .or_else(|| jiff::fmt::temporal::DateTimeParser::new().parse_time_zone(name).ok())?;
        (!zone.is_unknown()).then_some(Self(Some(zone)))
    }

    /// Whether the time zone is known.
    pub fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// By how many seconds the clock is ahead of UTC at an instant, if its time zone is known.
    pub fn ahead(&self, at: Timestamp) -> Option<i64> {
        let at = Instant::from_microsecond(at.as_micros()).ok()?;
        self.0.as_ref().map(|zone| zone.to_offset(at).seconds().into())
    }

    /// What the clock shows at `now`, in text that sorts before that of a row which may be live
    /// still. Where the reading is in doubt this is the earliest: with no time zone that of the
    /// westernmost clock, and before a clock is set back, what it will be set back to.
    pub(super) fn live_bound(&self, now: Timestamp) -> Option<String> {
        // Six decimals always: `12:00:00` sorts before `12:00:00.000000`, so a row that expires in
        // this very second without a fraction is not greater, as it is for Django.
        Some(self.earliest(now)?.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string())
    }

    /// The same moment in the text that Django itself stores, without a fraction that is zero: rows
    /// that sort before it have expired, and one that expires at this very moment is none of them.
    pub(super) fn expired_bound(&self, cutoff: Timestamp) -> Option<String> {
        let shown = self.earliest(cutoff)?;
        let fraction = if shown.subsec_nanosecond() / 1_000 == 0 { "" } else { ".%6f" };
        Some(shown.strftime(&format!("%Y-%m-%d %H:%M:%S{fraction}")).to_string())
    }

    fn earliest(&self, now: Timestamp) -> Option<DateTime> {
        let now = Instant::from_microsecond(now.as_micros()).ok()?;
        match &self.0 {
            None => TimeZone::UTC.to_datetime(now).checked_sub(BEHIND_UTC).ok(),
            Some(zone) => {
                let shown = zone.to_datetime(now);
                let set_back = zone
                    .following(now)
                    .take_while(|change| change.timestamp().duration_since(now).as_hours() < 24)
                    .map(|change| zone.to_datetime(change.timestamp()));
                set_back.chain([shown]).min()
            }
        }
    }

    /// The instant that a stored text stands for: the later one, if the clock showed it twice.
    pub(super) fn read(&self, text: &[u8]) -> Expiry {
        let shown = as_django_writes(text).or_else(|| std::str::from_utf8(text).ok()?.parse().ok());
        let instant = |zone: &TimeZone, shown: DateTime| {
            let instant = zone.to_ambiguous_timestamp(shown).later().ok()?;
            Some(Timestamp::from_micros(instant.as_microsecond()))
        };
        let expiry = shown.and_then(|shown| match &self.0 {
            None => instant(&TimeZone::UTC, shown).map(Expiry::Wall),
            Some(zone) => instant(zone, shown).map(Expiry::At),
        });
        expiry.unwrap_or(Expiry::Unreadable)
    }
}

/// The fast way for `2026-11-22 01:57:46.250000`, with or without the fraction. Anything else is for
/// a parser that knows more.
fn as_django_writes(text: &[u8]) -> Option<DateTime> {
    const LEAST: [u8; 26] = *b"0000-00-00 00:00:00.000000";
    const MOST: [u8; 26] = *b"9999-99-99 99:99:99.999999";
    let mut shown = LEAST;
    match text.try_into() {
        Ok(text) => shown = text,
        Err(_) => *shown.first_chunk_mut::<19>()? = text.try_into().ok()?,
    }
    let mut digits = [0; 26];
    let mut wrong = false;
    for (((digit, shown), least), most) in digits.iter_mut().zip(shown).zip(LEAST).zip(MOST) {
        wrong |= shown < least || shown > most;
        *digit = shown.wrapping_sub(least).cast_signed();
    }
    let two = |at: usize| match digits.get(at..).and_then(<[i8]>::first_chunk) {
        Some([tens, ones]) if !wrong => Some(10 * tens + ones),
        _ => None,
    };
    let year = 100 * i16::from(two(0)?) + i16::from(two(2)?);
    let micros = 10_000 * i32::from(two(20)?) + 100 * i32::from(two(22)?) + i32::from(two(24)?);
    DateTime::new(year, two(5)?, two(8)?, two(11)?, two(14)?, two(17)?, 1_000 * micros).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(zone: Option<&str>, now: &str) -> String {
        let clock = zone.map_or_else(WallClock::unknown, |zone| WallClock::in_zone(zone).unwrap());
        let now: Instant = now.parse().unwrap();
        clock.live_bound(Timestamp::from_micros(now.as_microsecond())).unwrap()
    }

    #[test]
    fn the_bound_is_what_the_clock_shows() {
        assert_eq!(bound(Some("UTC"), "2026-11-22T02:42:21.5Z"), "2026-11-22 02:42:21.500000");
        assert_eq!(bound(Some("Asia/Tokyo"), "2026-11-22T02:42:21Z"), "2026-11-22 11:42:21.000000");
        assert_eq!(bound(Some("-03:30"), "2026-11-22T02:42:21Z"), "2026-11-21 23:12:21.000000");
    }

    #[test]
    fn without_a_zone_it_is_what_the_westernmost_clock_shows() {
        assert_eq!(bound(None, "2026-11-22T02:42:21Z"), "2026-11-21 14:42:21.000000");
    }

    #[test]
    fn before_the_clock_is_set_back_it_is_what_it_is_set_back_to() {
        // New York sets its clocks from 02:00 back to 01:00 on 2026-11-01, at 06:00 UTC.
        let zone = Some("America/New_York");
        assert_eq!(bound(zone, "2026-11-01T05:30:00Z"), "2026-11-01 01:00:00.000000");
        assert_eq!(bound(zone, "2026-11-01T06:30:00Z"), "2026-11-01 01:30:00.000000");
        assert_eq!(bound(zone, "2026-10-31T20:00:00Z"), "2026-10-31 16:00:00.000000");
    }

    #[test]
    fn stored_text_is_read_in_the_zone() {
        let tokyo = WallClock::in_zone("Asia/Tokyo").unwrap();
        assert_eq!(tokyo.read(b"2031-07-01 12:00:00").to_string(), "2031-07-01T03:00:00Z");
        let unknown = WallClock::unknown();
        assert_eq!(
            unknown.read(b"2031-07-01 12:00:00.250000").to_string(),
            "2031-07-01T12:00:00.25"
        );
        assert_eq!(unknown.read(b"soon"), Expiry::Unreadable);
    }

    #[test]
    fn the_fast_way_reads_what_the_other_reads() {
        for text in [
            "2026-11-22 01:57:46.250000",
            "2026-11-22 01:57:46",
            "2024-02-29 23:59:59.999999",
            "0001-01-01 00:00:00",
            "9999-12-31 23:59:59",
        ] {
            let fast = as_django_writes(text.as_bytes());
            assert_eq!(fast, Some(text.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T01:57:46",
            "2026-11-22 01:57:46.25",
            "2026-11-22 01:57:46,250000",
            "2026-13-22 01:57:46",
            "2026-02-29 01:57:46",
            "2026-11-22 01:57:60",
            "+026-11-22 01:57:46",
            "2026-11-22 01:57:46.25000x",
            "2026-11-22 01:57:46+00:00",
        ] {
            assert_eq!(as_django_writes(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_expires_at_the_cutoff_has_not_expired_before_it() {
        let utc = WallClock::in_zone("UTC").unwrap();
        let bound = |now: &str| {
            let now: Instant = now.parse().unwrap();
            utc.expired_bound(Timestamp::from_micros(now.as_microsecond())).unwrap()
        };
        assert_eq!(bound("2026-11-22T02:42:21Z"), "2026-11-22 02:42:21");
        assert_eq!(bound("2026-11-22T02:42:21.25Z"), "2026-11-22 02:42:21.250000");
    }

    #[test]
    fn a_zone_that_does_not_exist_is_none() {
        assert!(WallClock::in_zone("Mars/Olympus").is_none());
    }
}
