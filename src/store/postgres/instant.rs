use std::error::Error;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::model::Timestamp;

/// Microseconds from 1970 to 2000, where PostgreSQL's timestamps begin.
const EPOCH: i64 = 946_684_800_000_000;

/// A `timestamptz`, to the microsecond (PostgreSQL docs, "Date/Time Types"). `infinity` and
/// `-infinity` are the ends of the range, as they are on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(pub(super) Timestamp);

impl Instant {
    pub(super) fn from_wire(micros: i64) -> Self {
        Self(Timestamp::from_micros(match micros {
            i64::MIN | i64::MAX => micros,
            _ => micros.saturating_add(EPOCH),
        }))
    }

    fn to_wire(self) -> i64 {
        match self.0.as_micros() {
            end @ (i64::MIN | i64::MAX) => end,
            micros => micros.saturating_sub(EPOCH),
        }
    }
}

impl<'a> FromSql<'a> for Instant {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::from_wire(i64::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(wanted: &Type) -> bool {
        *wanted == Type::TIMESTAMPTZ
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
