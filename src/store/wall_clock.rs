//! Naive times, which have no time zone. SQLite stores the reading of some clock, and the file does not tell
//! which: UTC with `USE_TZ = True`, the site's local time otherwise.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp as Instant};

use crate::model::{BEHIND_UTC, Expiry, Timestamp};

/// The clock that naive times are readings of.
#[derive(Clone, Debug, Default)]
pub struct WallClock(Option<TimeZone>);

impl WallClock {
    /// A clock in an unknown time zone.
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

    /// A clock in this time zone.
    pub fn of(zone: TimeZone) -> Self {
        Self(Some(zone))
    }

    /// Whether the time zone is known.
    pub fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// How many seconds the clock is ahead of UTC at an instant, if its time zone is known.
    pub fn ahead(&self, at: Timestamp) -> Option<i64> {
        let at = Instant::from_microsecond(at.as_micros()).ok()?;
        self.0.as_ref().map(|zone| zone.to_offset(at).seconds().into())
    }

    /// The reading of the clock at `now`, as text that sorts before the expiry of every row that may still be
    /// live. If the reading is ambiguous, it is the earliest: without a time zone that of the westernmost
    /// clock, and before a clock is set back the one that it will be set back to.
    pub(super) fn live_bound(&self, now: Timestamp) -> Option<String> {
        // Always six decimals: `12:00:00` sorts before `12:00:00.000000`, so a row that expires in this very
        // second without a fraction is not greater, as in Django.
        Some(self.earliest(now)?.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string())
    }

    /// The same reading in the form that Django stores, without a fraction of zero. Rows that sort before it
    /// have expired; a row that expires at this very moment does not.
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
                    // For data of the first version of TZif, jiff tells a change that is over, again and again.
                    .take_while(|change| change.timestamp() > now)
                    .take_while(|change| change.timestamp().duration_since(now).as_hours() < 24)
                    .map(|change| zone.to_datetime(change.timestamp()));
                set_back.chain([shown]).min()
            }
        }
    }

    /// When a session expires whose `expire_date` holds this text.
    ///
    /// Django compares texts. A text in another layout stands for the first time that Django would write and
    /// that does not sort before it: until then Django takes the session for live.
    pub(super) fn read(&self, text: &[u8]) -> Expiry {
        if let Some(shown) = as_django_writes(text) {
            return self.expiry(shown);
        }
        let until = first_not_before(text).map(|shown| self.expiry(shown));
        let is_time = std::str::from_utf8(text).is_ok_and(|text| text.parse::<DateTime>().is_ok());
        match until {
            Some(until) if is_time => until,
            Some(Expiry::At(until) | Expiry::Unreadable(until)) => Expiry::Unreadable(until),
            Some(Expiry::Wall(until)) => Expiry::Unreadable(until.after(BEHIND_UTC)),
            None => Expiry::Unreadable(Timestamp::LATEST),
        }
    }

    /// The instant at which the clock shows this. If it shows it twice, the later one; if it skips it when it
    /// is put forward, the instant of the change.
    fn expiry(&self, shown: DateTime) -> Expiry {
        let naive = as_in_utc(shown);
        let Some(zone) = &self.0 else { return Expiry::Wall(naive) };
        let moment = zone.to_ambiguous_timestamp(shown);
        let is_skipped = matches!(moment.offset(), AmbiguousOffset::Gap { .. });
        let instant = if is_skipped {
            let before = moment.earlier().ok();
            before.and_then(|before| Some(zone.following(before).next()?.timestamp()))
        } else {
            moment.later().ok()
        };
        if let Some(instant) = instant {
            return Expiry::At(Timestamp::from_micros(instant.as_microsecond()));
        }
        // The last days of the year 9999 are beyond jiff's instants but not beyond Python's `datetime`. A
        // time that would be in the year 10000 is shown as the clock shows it.
        let offset = Offset::UTC.to_datetime(Instant::MAX).checked_sub(OFF_THE_END).ok();
        let ahead = offset.and_then(|before| zone.to_ambiguous_timestamp(before).later().ok());
        let ahead = ahead.map_or(0, |at| zone.to_offset(at).seconds());
        let at = Timestamp::from_micros(naive.as_micros() - i64::from(ahead) * 1_000_000);
        if at > as_in_utc(DateTime::MAX) { Expiry::Wall(naive) } else { Expiry::At(at) }
    }
}

/// This long before the end of the calendar, every reading of every clock is a valid instant.
const OFF_THE_END: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The instant at which a clock in UTC shows this, to the microsecond.
fn as_in_utc(shown: DateTime) -> Timestamp {
    let since = shown.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The first time whose text, as Django writes it with all decimals, does not sort before this one.
fn first_not_before(text: &[u8]) -> Option<DateTime> {
    let first = DateTime::constant(0, 1, 1, 0, 0, 0, 0);
    let (mut low, mut high) = (0_i64, 9_999 * 366 * 24 * 3_600 * 1_000_000);
    let at = |micros| first.checked_add(SignedDuration::from_micros(micros)).ok();
    let is_before =
        |shown: DateTime| shown.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string().as_bytes() < text;
    while low < high {
        let middle = low.midpoint(high);
        // Beyond the calendar no time sorts before the text.
        if at(middle).is_some_and(is_before) { low = middle + 1 } else { high = middle }
    }
    at(low)
}

/// The fast parser for `2026-11-22 01:57:46.250000`, with or without the fraction. Other texts go to a slower
/// parser.
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
        assert_eq!(unknown.read(b"soon"), Expiry::Unreadable(Timestamp::LATEST));
        let utc = WallClock::in_zone("UTC").unwrap();
        for (text, shown) in [
            ("2026-11-22T01:57:46", "2026-11-23T00:00:00Z"),
            ("2026-11-22 01:57", "2026-11-22T01:57:00Z"),
            ("2026-11-22", "2026-11-22T00:00:00Z"),
            ("9999-12-31 23:59:59.999999", "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(utc.read(text.as_bytes()).to_string(), shown, "{text}");
        }
        assert_eq!(tokyo.read(b"9999-12-31 23:59:59").to_string(), "9999-12-31T14:59:59Z");
        // New York shows this hour twice, from 05:00 UTC and from 06:00 UTC on, and the hour from 07:00 UTC on not at all.
        let new_york = WallClock::in_zone("America/New_York").unwrap();
        assert_eq!(new_york.read(b"2026-11-01 01:30:00").to_string(), "2026-11-01T06:30:00Z");
        assert_eq!(new_york.read(b"2026-03-08 02:30:00").to_string(), "2026-03-08T07:00:00Z");
        let west = WallClock::in_zone("-08:00").unwrap();
        assert_eq!(west.read(b"9999-12-31 23:59:59").to_string(), "9999-12-31T23:59:59");
    }

    /// What Django compares is text, so this decides for every text what the rule of all commands says of it.
    #[test]
    fn what_a_text_is_taken_for_is_live_as_long_as_it_sorts_after_the_bound() {
        let nows = [
            "2026-11-22T02:42:21.5Z",
            "2026-11-22T00:00:00Z",
            "2026-11-01T05:30:00Z",
            "2026-11-01T04:59:59.999999Z",
            "2026-11-01T06:00:00.000001Z",
            "2026-03-08T06:45:00Z",
            "2026-03-08T07:00:00.000001Z",
            "1970-01-01T00:00:00Z",
        ];
        let dates = [
            "2026-11-22",
            "2026-11-21",
            "2026-11-01",
            "2026-03-08",
            "1969-12-31",
            "9999-12-31",
            "2026-13-45",
            "",
        ];
        let times = [
            "",
            " ",
            "T",
            " 02",
            " 02:42:21",
            " 02:42:21.5",
            " 02:42:21.500000",
            " 02:42:21.500001",
            " 01:15:00",
            " 02:30:00",
            " 00:59:59.999999",
            "T02:42:21Z",
            " 14:42:21.500000+05:30",
            " 24:00:00",
            " 02:42:21.5000000",
            "x",
            "\u{0}",
            "\u{e9}",
        ];
        for zone in
            [None, Some("UTC"), Some("America/New_York"), Some("Asia/Kathmandu"), Some("-11:30")]
        {
            let clock =
                zone.map_or_else(WallClock::unknown, |zone| WallClock::in_zone(zone).unwrap());
            for now in nows {
                let now: Timestamp = now.parse().unwrap();
                let bound = clock.live_bound(now).unwrap();
                for (date, time) in dates.iter().flat_map(|date| times.map(|time| (*date, time))) {
                    let text = format!("{date}{time}");
                    let read = clock.read(text.as_bytes());
                    let is_live = text.as_bytes() > bound.as_bytes();
                    assert_eq!(read.may_be_after(now), is_live, "{text:?} {read:?} {zone:?} {now}");
                }
            }
        }
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
        for name in ["Mars/Olympus", "Etc/Unknown"] {
            assert!(WallClock::in_zone(name).is_none(), "{name}");
        }
    }

    #[test]
    fn a_clock_is_ahead_of_utc_by_what_its_zone_says_at_the_time() {
        let ahead = |clock: &WallClock, at: &str| clock.ahead(at.parse().unwrap());
        let new_york = WallClock::in_zone("America/New_York").unwrap();
        assert_eq!(ahead(&new_york, "2026-07-01T00:00:00Z"), Some(-4 * 3_600));
        assert_eq!(ahead(&new_york, "2026-12-01T00:00:00Z"), Some(-5 * 3_600));
        assert_eq!(ahead(&WallClock::unknown(), "2026-07-01T00:00:00Z"), None);
        assert_eq!((new_york.is_known(), WallClock::unknown().is_known()), (true, false));
    }

    #[test]
    fn what_is_no_time_is_shown_as_none() {
        let utc = WallClock::in_zone("UTC").unwrap();
        for (text, is_time) in [("2026-11-22", true), ("2026-11-22x", false), ("2026-13-45", false)]
        {
            let read = utc.read(text.as_bytes());
            assert_eq!(matches!(read, Expiry::At(_)), is_time, "{text}: {read:?}");
        }
    }
}
