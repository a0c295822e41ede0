//! Reports: what commands found or did, as data without formatting. Field names are a promise to scripts: see
//! `docs/output.md`.

mod audit;
mod column;
mod credentials;
mod matches;
mod named;
mod proof;
mod referenced;
mod total;

use serde::Serialize;
use serde_json::value::RawValue;

pub use audit::{AuditBegan, AuditEnded, AuditedRun};
pub use column::Column;
pub use credentials::{OtherAccess, OtherCredentials};
pub use matches::Matches;
pub use named::{NamedUser, ResolvedUser, add_named};
pub use proof::{Doubt, Proof};
pub use referenced::{DeletedOf, Referenced, ReferencesDeleted};
pub use total::{InSchema, Sum, Total, both, same};

use crate::model::{Layout, Serializer, Signature};

/// The kind of a session, by its content. Whether Django accepts it depends on its signature.
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
    /// Its kind.
    pub state: State,
    /// `_auth_user_id` as text.
    pub user_id: Option<String>,
    /// `_auth_user_backend`.
    pub backend: Option<String>,
    /// Further users in it: those who impersonate its user.
    pub behind: Vec<String>,
    /// Whether there may be further users that could not be decoded.
    pub behind_unclear: bool,
    /// Whether a key verifies it, so that Django accepts it.
    pub signature: Signature,
    /// The place of the key that verifies it: 1 is `SECRET_KEY`, fallbacks follow.
    pub key: Option<usize>,
    /// When it was last saved, RFC 3339 in UTC.
    pub saved: Option<String>,
    /// Its layout; `None` if Django has no such layout.
    pub layout: Option<Layout>,
    /// The serializer of its payload.
    pub serializer: Option<Serializer>,
    /// Whether its payload is compressed with zlib.
    pub compressed: bool,
    /// Why it or its payload cannot be read.
    pub error: Option<String>,
    /// The whole payload.
    pub payload: Option<Box<RawValue>>,
}

impl DecodedSession {
    /// Bytes of the parts that may be large.
    pub fn held_bytes(&self) -> usize {
        let texts = [&self.user_id, &self.backend, &self.error].into_iter().flatten();
        let texts = texts.chain(&self.behind).map(|text| text.len() + size_of::<String>());
        texts.sum::<usize>() + self.payload.as_ref().map_or(0, |payload| payload.get().len())
    }
}

/// One row of the table.
#[derive(Clone, Debug, Serialize)]
pub struct ListedSession {
    /// The schema of its table, if several were scanned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// `session_key`, masked unless it was asked for.
    pub session_key: String,
    /// `expire_date`, RFC 3339; without `Z` if the time zone of the database is unknown.
    pub expires: Option<String>,
    /// Bytes of `session_data` as stored.
    pub size: usize,
    /// What its user logs in with, as the table of users says it; `None` if that is not known.
    pub username: Option<String>,
    /// The decoded data.
    #[serde(flatten)]
    pub session: DecodedSession,
}

/// Why a command that works in batches ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It was finished.
    Done,
    /// `--limit`.
    Limit,
    /// `--run-time`.
    RunTime,
    /// A signal.
    Interrupted,
    /// An error, which is reported separately.
    Failed,
}

/// Seconds that batches paused, by reason.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Paused {
    /// A replica lagged too much.
    pub lag: f64,
    /// The pause file existed.
    pub file: f64,
}
