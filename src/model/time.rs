//! Timestamps, and the expiry of sessions.

use std::fmt;
use std::time::Duration;

/// An instant: microseconds since 2000-01-01T00:00:00Z, the same as in PostgreSQL, so that its whole range
/// fits. The ends of the range are `-infinity` and `infinity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// 2000-01-01T00:00:00Z, in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;

/// The calendar repeats after 400 years.
const CYCLE_YEARS: i64 = 400;
const CYCLE_MICROS: i64 = 146_097 * 24 * 3_600 * 1_000_000;
/// 9999-01-01T00:00:00Z, in microseconds since 1970.
const YEAR_9999: i64 = 253_370_764_800_000_000;

impl Timestamp {
    /// Whole seconds since 1970-01-01 00:00 UTC.
    pub const fn as_seconds(self) -> i64 {
        self.as_micros().div_euclid(1_000_000)
    }

    /// Before every other instant.
    pub const EARLIEST: Self = Self(i64::MIN);
    /// After every other instant.
    pub const LATEST: Self = Self(i64::MAX);

    /// An instant, given in microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        match micros {
            i64::MIN | i64::MAX => Self(micros),
            _ => Self(micros.saturating_sub(EPOCH)),
        }
    }

    /// An instant, given in microseconds since 2000.
    pub const fn from_micros_since_2000(micros: i64) -> Self {
        Self(micros)
    }

    /// An instant, given in seconds since 1970; `None` if its year cannot be written.
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        let micros = seconds.checked_mul(1_000_000)?;
        jiff::Timestamp::from_microsecond(micros).ok()?;
        Some(Self::from_micros(micros))
    }

    /// The time of this machine's clock.
    pub fn now() -> Self {
        Self::from_micros(jiff::Timestamp::now().as_microsecond())
    }

    /// Microseconds since 1970; from the year 294247 on the largest possible number.
    pub const fn as_micros(self) -> i64 {
        match self.0 {
            end @ (i64::MIN | i64::MAX) => end,
            micros => micros.saturating_add(EPOCH),
        }
    }

    /// Microseconds since 2000.
    pub const fn as_micros_since_2000(self) -> i64 {
        self.0
    }

    /// This long before, but no earlier than the year 1, where the calendars of databases begin.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        const YEAR_1: i64 = -62_135_596_800_000_000;
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros).max(YEAR_1 - EPOCH))
    }

    /// This long after.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Whether it is in the year 9999 or later: `datetime.max` is how Django stores "never".
    pub const fn is_never(self) -> bool {
        self.0 >= YEAR_9999 - EPOCH
    }
}

/// An instant in RFC 3339.
impl std::str::FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<jiff::Timestamp>().map(|instant| Self::from_micros(instant.as_microsecond()))
    }
}

/// RFC 3339 in UTC, with as many decimals as it needs: `2026-11-22T01:57:46Z`. Years after 9999 have more digits.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            i64::MIN => return f.write_str("-infinity"),
            i64::MAX => return f.write_str("infinity"),
            _ => {}
        }
        if let Ok(instant) = jiff::Timestamp::from_microsecond(self.as_micros()) {
            return instant.fmt(f);
        }
        // jiff ends on 9999-12-30, PostgreSQL in the year 294276.
        let cycles = self.0.div_euclid(CYCLE_MICROS);
        let in_cycle = jiff::Timestamp::from_microsecond(EPOCH + self.0.rem_euclid(CYCLE_MICROS));
        let text = in_cycle.map_err(|_| fmt::Error)?.to_string();
        let (year, rest) = text.split_at_checked(4).ok_or(fmt::Error)?;
        let year: i64 = year.parse().map_err(|_| fmt::Error)?;
        write!(f, "{}{rest}", year + cycles * CYCLE_YEARS)
    }
}

/// When a session expires, from its `expire_date`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// At this instant.
    At(Timestamp),
    /// When a clock in an unknown time zone shows this. The value is the instant at which a clock in UTC
    /// shows it.
    Wall(Timestamp),
    /// The column holds no time. Django compares it nevertheless, and takes the session for live before this
    /// instant.
    Unreadable(Timestamp),
}

/// The most that a clock can be behind UTC (`Etc/GMT+12`).
pub const BEHIND_UTC: Duration = Duration::from_secs(12 * 3600);

impl Expiry {
    /// No value: NULL is not greater than any time, so such a session is never live.
    pub const MISSING: Self = Self::Unreadable(Timestamp::EARLIEST);

    /// Whether Django may take the session for live at `now`. This is the only rule; every store filters by
    /// it, so that all commands find the same live rows.
    pub fn may_be_after(self, now: Timestamp) -> bool {
        match self {
            Self::At(instant) | Self::Unreadable(instant) => instant > now,
            Self::Wall(instant) => instant > now.before(BEHIND_UTC),
        }
    }
}

/// RFC 3339; without the `Z` if the time zone is unknown.
impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(instant) => instant.fmt(f),
            Self::Wall(instant) => f.write_str(instant.to_string().trim_end_matches('Z')),
            Self::Unreadable(_) => f.write_str("unreadable"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_whatever_its_year() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (YEAR_9999 - 1, "9998-12-31T23:59:59.999999Z"),
            (253_402_207_199_999_999, "9999-12-30T21:59:59.999999Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
            (253_402_300_800_000_000, "10000-01-01T00:00:00Z"),
            (6_249_223_180_800_000_000, "200000-01-01T00:00:00Z"),
            (i64::MAX, "infinity"),
            (i64::MIN, "-infinity"),
        ] {
            assert_eq!(Timestamp::from_micros(micros).to_string(), text);
        }
        let in_year = Timestamp::from_micros;
        assert!(in_year(YEAR_9999).is_never() && !in_year(YEAR_9999 - 1).is_never());
        // The last one that PostgreSQL holds.
        let last = Timestamp::from_micros_since_2000(9_223_371_331_199_999_999);
        assert_eq!(last.to_string(), "294276-12-31T23:59:59.999999Z");
    }

    #[test]
    fn what_holds_no_time_is_live_as_long_as_django_says() {
        let now = Timestamp::now();
        assert!(Expiry::Unreadable(Timestamp::LATEST).may_be_after(now));
        assert!(!Expiry::MISSING.may_be_after(now));
        assert!(!Expiry::MISSING.may_be_after(Timestamp::EARLIEST));
    }
}
