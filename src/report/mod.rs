//! Reports: what commands found or did, as data without formatting. Field names are a promise to scripts: see
//! `docs/output.md`.

mod audit;
mod matches;
mod named;
mod proof;
mod referenced;
mod total;

use serde::Serialize;
use serde_json::value::RawValue;

pub use audit::{AuditBegan, AuditEnded, AuditedRun};
pub use matches::Matches;
pub use named::{NamedUser, ResolvedUser, add_named};
pub use proof::{Doubt, Proof};
pub use referenced::Referenced;
pub use total::{InSchema, Sum, Total, both, same};

use crate::model::{Layout, Serializer, Signature};

/// What a session is, judged by its content; whether Django would believe it, the signature says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It names a user.
    User,
    /// It names none.
    Anonymous,
    /// It cannot be read.
    Unreadable,
}

/// One `session_data`, decoded.
#[derive(Clone, Debug, Serialize)]
pub struct DecodedSession {
    /// What it is.
    pub state: State,
    /// `_auth_user_id` as text.
    pub user_id: Option<String>,
    /// `_auth_user_backend`.
    pub backend: Option<String>,
    /// Whom else it holds: who is behind an impersonation.
    pub behind: Vec<String>,
    /// Whether there may be more of them than could be understood.
    pub behind_unclear: bool,
    /// Whether Django would believe it.
    pub signature: Signature,
    /// When it was last saved, RFC 3339 in UTC.
    pub saved: Option<String>,
    /// How it is laid out; `None` if in no way of Django's.
    pub layout: Option<Layout>,
    /// How its payload is serialized.
    pub serializer: Option<Serializer>,
    /// Whether its payload is stored as zlib.
    pub compressed: bool,
    /// Why it, or its payload, cannot be read.
    pub error: Option<String>,
    /// The whole payload.
    pub payload: Option<Box<RawValue>>,
}

impl DecodedSession {
    /// Bytes of what can be large in it.
    pub fn held_bytes(&self) -> usize {
        let texts = [&self.user_id, &self.backend, &self.error].into_iter().flatten();
        let texts = texts.chain(&self.behind).map(|text| text.len() + size_of::<String>());
        texts.sum::<usize>() + self.payload.as_ref().map_or(0, |payload| payload.get().len())
    }
}

/// One row of the table.
#[derive(Clone, Debug, Serialize)]
pub struct ListedSession {
    /// The schema of its table, if several were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// `session_key`, masked unless it was asked for.
    pub session_key: String,
    /// `expire_date`, RFC 3339; without `Z` where the database does not tell the time zone.
    pub expires: Option<String>,
    /// Bytes of `session_data` as stored.
    pub size: usize,
    /// The rest.
    #[serde(flatten)]
    pub session: DecodedSession,
}

/// Why a command that deletes much ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It came to its end.
    Done,
    /// `--limit`.
    Limit,
    /// `--run-time`.
    RunTime,
    /// A signal.
    Interrupted,
    /// An error, which is told beside.
    Failed,
}

/// Seconds that batches had to wait, by reason.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Paused {
    /// A replica was too far behind.
    pub lag: f64,
    /// The pause file was there.
    pub file: f64,
}
