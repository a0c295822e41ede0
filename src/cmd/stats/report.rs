//! The report of `stats`, as data.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::Tally;

/// What `stats` found. Who is logged in, when and how, live rows tell; formats and sizes are of all.
#[derive(Debug, Serialize)]
pub struct StatsReport {
    /// `stats`.
    pub command: &'static str,
    /// Rows in the table.
    pub rows: u64,
    /// Of these: not expired.
    pub live: u64,
    /// Of these: expired.
    pub expired: u64,
    /// Live rows that Django takes for somebody's login.
    pub logged_in: u64,
    /// Of these: impersonations, which hold somebody else's login, too.
    pub impersonated: u64,
    /// With a time that was asked for: live rows that were saved again after it, and are not counted.
    pub saved_later: u64,
    /// Live rows that name no user.
    pub anonymous: u64,
    /// Live rows that name a user and that no key verifies: Django reads them as empty, unless it has another key.
    pub unverified: u64,
    /// Live rows that cannot be read and may be somebody's login.
    pub unreadable: u64,
    /// Live rows that no key verifies and that no Django could read.
    pub damaged: u64,
    /// The same, under the names that all commands share.
    pub tally: Tally,
    /// Different users who are logged in.
    pub users: u64,
    /// Whether that is their number, and not an estimate to about a hundredth.
    pub users_exact: bool,
    /// Who is logged in most often.
    pub top_users: Vec<UserStats>,
    /// Whether these numbers are exact, and not lower bounds.
    pub top_users_exact: bool,
    /// Which backends authenticated them.
    pub backends: Vec<BackendStats>,
    /// Rows by layout.
    pub layouts: BTreeMap<String, u64>,
    /// Rows by serializer.
    pub serializers: BTreeMap<String, u64>,
    /// Rows by verdict on their signature.
    pub signatures: BTreeMap<String, u64>,
    /// Rows that are stored as zlib.
    pub compressed: u64,
    /// Bytes of `session_data`.
    pub size: SizeStats,
    /// The largest rows.
    pub largest: Vec<LargeSession>,
    /// What takes the space in the payloads.
    pub keys: Vec<MemberStats>,
    /// Live rows by the day on which they were last saved, in UTC, where they say it.
    pub saved: Vec<DayStats>,
    /// Live rows by the day on which they expire.
    pub expires: Vec<DayStats>,
    /// Wall-clock time.
    pub elapsed_seconds: f64,
}

/// Sessions of a user.
#[derive(Debug, Serialize)]
pub struct UserStats {
    /// `_auth_user_id` as text.
    pub user_id: String,
    /// Live ones.
    pub sessions: u64,
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
    /// Half of the rows have no more.
    pub median: usize,
    /// 90% have no more.
    pub p90: usize,
    /// 99% have no more.
    pub p99: usize,
    /// The largest.
    pub largest: usize,
}

/// A row that is larger than most.
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
    /// `2026-11-22`, in UTC. Of expiry also `never` (the year 9999 or later), `unknown` (no time is stored), and
    /// `other` (on one of more days than are told apart).
    pub day: String,
    /// Live ones.
    pub sessions: u64,
}

impl DayStats {
    /// Whether it is a day of the calendar.
    pub fn is_date(&self) -> bool {
        !matches!(&*self.day, "never" | "unknown" | "other")
    }
}
