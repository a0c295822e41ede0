//! Converts between `timestamptz`, as PostgreSQL sends it, and the program's own timestamps and cursors.

use std::error::Error;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::model::{BEHIND_UTC, Expiry, Timestamp};
use crate::store::Cursor;

/// A `timestamptz`, to the microsecond (PostgreSQL docs, "Date/Time Types"). `infinity` and
/// `-infinity` are the ends of the range, as they are on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(pub(super) Timestamp);

impl Instant {
    pub(super) fn from_wire(micros: i64) -> Self {
        Self(Timestamp::from_micros_since_2000(micros))
    }

    fn to_wire(self) -> i64 {
        self.0.as_micros_since_2000()
    }
}

/// Before every `expire_date`.
pub(super) const EVER: Instant = Instant(Timestamp::from_micros(i64::MIN));

/// The expiry of a cursor: rows after the cursor have this expiry or a later one.
pub(super) fn instant(cursor: &Cursor) -> Instant {
    Instant(Timestamp::from_micros(cursor.expires.parse().unwrap_or(i64::MIN)))
}

impl<'a> FromSql<'a> for Instant {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::from_wire(i64::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(wanted: &Type) -> bool {
        matches!(*wanted, Type::TIMESTAMPTZ | Type::TIMESTAMP)
    }
}

impl ToSql for Instant {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.to_wire().to_be_bytes());
        Ok(IsNull::No)
    }

    fn accepts(wanted: &Type) -> bool {
        *wanted == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

/// The type of `expire_date`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Times {
    /// `timestamp with time zone`, as Django creates it.
    #[default]
    Instants,
    /// `timestamp` without a zone, the reading of a clock in an unknown zone. It is read as the clock shows
    /// it, independent of the server's time zone.
    Naive,
}

impl Times {
    /// `expire_date` as it is read.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Instants => "expire_date::pg_catalog.timestamptz",
            Self::Naive => "expire_date::pg_catalog.timestamp",
        }
    }

    /// The SQL condition for [`Expiry::may_be_after`], at the earlier of the server's clock and a given
    /// instant in SQL.
    pub(super) fn may_be_live(self, now: &str) -> String {
        let now = format!("LEAST(pg_catalog.now(), {now})");
        match self {
            Self::Instants => format!("expire_date OPERATOR(pg_catalog.>) {now}"),
            Self::Naive => format!(
                "{} OPERATOR(pg_catalog.>) (pg_catalog.timezone('UTC', {now}) OPERATOR(pg_catalog.-) '{} seconds'::pg_catalog.interval)",
                self.column(),
                BEHIND_UTC.as_secs()
            ),
        }
    }

    /// The expiry in a value of the column.
    pub(super) fn expiry(self, column: Option<Instant>) -> Expiry {
        match (self, column) {
            (_, None) => Expiry::MISSING,
            (Self::Instants, Some(Instant(at))) => Expiry::At(at),
            (Self::Naive, Some(Instant(shown))) => Expiry::Wall(shown),
        }
    }
}
