//! The report of `stats`, as data.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::Tally;

/// The report of `stats`. Users, times and backends are those of live rows; formats and sizes are those of
/// all rows.
#[derive(Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct StatsReport {
    /// `stats`.
    pub command: &'static str,
    /// Rows in the table.
    pub rows: u64,
    /// Of these: not expired.
    pub live: u64,
    /// Of these: expired.
    pub expired: u64,
    /// Live rows that Django accepts as a login.
    pub logged_in: u64,
    /// Of these: impersonations, which hold a second user's login too.
    pub impersonated: u64,
    /// The users behind impersonations, who have the most.
    pub impersonators: Vec<UserStats>,
    /// Whether these numbers are exact, and not lower bounds.
    pub impersonators_exact: bool,
    /// With a time window: live rows that were saved again after it, and are not counted.
    pub saved_later: u64,
    /// Live rows that name no user.
    pub anonymous: u64,
    /// Live rows that name a user and that no key verifies: Django reads them as empty, unless it has another key.
    pub unverified: u64,
    /// Live rows that cannot be read and may be logins.
    pub unreadable: u64,
    /// Live rows that no key verifies and that no Django could read.
    pub damaged: u64,
    /// The same, under the names that all commands share.
    pub tally: Tally,
    /// Different users who are logged in.
    pub users: u64,
    /// Whether that is exact, and not an estimate to about a hundredth.
    pub users_exact: bool,
    /// The users with the most sessions.
    pub top_users: Vec<UserStats>,
    /// Whether these numbers are exact, and not lower bounds.
    pub top_users_exact: bool,
    /// Those who may enter Django's admin; `None` if the table of users does not tell.
    pub staff: Option<StaffStats>,
    /// The backends that authenticated them.
    pub backends: Vec<BackendStats>,
    /// Whether these numbers are exact, and not lower bounds.
    pub backends_exact: bool,
    /// Rows by layout.
    pub layouts: BTreeMap<String, u64>,
    /// Rows by serializer.
    pub serializers: BTreeMap<String, u64>,
    /// Rows by the result of checking their signature.
    pub signatures: BTreeMap<String, u64>,
    /// Rows by the key that signed them, for every key.
    pub signed_by: Vec<KeyStats>,
    /// Rows that are compressed with zlib.
    pub compressed: u64,
    /// Bytes of `session_data`.
    pub size: SizeStats,
    /// The largest rows.
    pub largest: Vec<LargeSession>,
    /// The keys at the top level of payloads, by the space that they take.
    pub keys: Vec<MemberStats>,
    /// Whether these numbers are exact, and not lower bounds.
    pub keys_exact: bool,
    /// Live rows by the day of their last save, in UTC, if they have that time.
    pub saved: Vec<DayStats>,
    /// Live rows by the day on which they expire.
    pub expires: Vec<DayStats>,
    /// Live rows that expire in the year 9999 or later.
    pub never_expire: u64,
    /// Wall-clock time.
    pub elapsed_seconds: f64,
}

/// Sessions of a user.
#[derive(Debug, Serialize)]
pub struct UserStats {
    /// `_auth_user_id` as text.
    pub user_id: String,
    /// What the user logs in with; `None` if that is not known.
    pub username: Option<String>,
    /// Live ones.
    pub sessions: u64,
}

/// Sessions of staff.
#[derive(Debug, Default, Serialize)]
pub struct StaffStats {
    /// Staff who are logged in.
    pub users: u64,
    /// Their live sessions.
    pub sessions: u64,
    /// Those with the most.
    pub top: Vec<UserStats>,
    /// Whether these numbers are exact, and not lower bounds.
    pub exact: bool,
}

/// Sessions that one of the keys signed.
#[derive(Debug, Serialize)]
pub struct KeyStats {
    /// Its place: 1 is `SECRET_KEY`, fallbacks follow.
    pub key: usize,
    /// Rows.
    pub rows: u64,
    /// Of these: live ones.
    pub live: u64,
    /// Of these: logins.
    pub logins: u64,
    /// The last save of a live one, RFC 3339 in UTC: the site signed with this key then.
    pub last_saved: Option<String>,
}

/// Sessions of a backend.
#[derive(Debug, Serialize)]
pub struct BackendStats {
    /// `_auth_user_backend`.
    pub backend: String,
    /// Live ones.
    pub sessions: u64,
}

/// Bytes of `session_data` as stored; percentiles are rounded up by a sixteenth at most.
#[derive(Debug, Serialize)]
pub struct SizeStats {
    /// Of all rows.
    pub total: u64,
    /// The size that half of the rows do not exceed.
    pub median: usize,
    /// The size that 90% do not exceed.
    pub p90: usize,
    /// The size that 99% do not exceed.
    pub p99: usize,
    /// The largest.
    pub largest: usize,
    /// Rows by size, in powers of two.
    pub steps: Vec<SizeStep>,
}

/// Rows of about one size.
#[derive(Debug, Serialize)]
pub struct SizeStep {
    /// Most bytes that they have; they have more than half of it.
    pub up_to: usize,
    /// How many there are.
    pub rows: u64,
}

/// One of the largest rows.
#[derive(Debug, Serialize)]
pub struct LargeSession {
    /// `session_key`, masked.
    pub session_key: String,
    /// `_auth_user_id` as text.
    pub user_id: Option<String>,
    /// Bytes of `session_data` as stored.
    pub size: usize,
}

/// A key at the top level of sessions.
#[derive(Debug, Serialize)]
pub struct MemberStats {
    /// The key.
    pub key: String,
    /// Rows that have it.
    pub sessions: u64,
    /// Bytes of its values as JSON.
    pub bytes: u64,
}

/// Sessions of a day.
#[derive(Debug, Serialize)]
pub struct DayStats {
    /// `2026-11-22`, in UTC. For expiry also `never` (the year 9999 or later), `unknown` (no time is stored),
    /// and `other` (beyond the number of days that are counted separately).
    pub day: String,
    /// Live ones.
    pub sessions: u64,
    /// Of these: anonymous ones.
    pub anonymous: u64,
}

impl DayStats {
    /// Whether it is a date.
    pub fn is_date(&self) -> bool {
        !matches!(&*self.day, "never" | "unknown" | "other")
    }
}
