//! The answer of the probe. It holds secrets, so its types cannot be printed.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Project(Box<Project>),
    /// The version of a Python without Django.
    NoDjango(String),
    NoSettings,
    /// Root refused to run code that others can change.
    Changeable(String),
    /// The end of a traceback.
    Failed(Vec<String>),
}

/// The settings of a Django project.
#[derive(Deserialize)]
pub struct Project {
    pub(super) django: String,
    pub(super) engine: String,
    pub(super) keeps: Keeps,
    /// Methods of its `SessionStore` that are not Django's.
    pub(super) own: Vec<String>,
    /// A login, written by its engine and serializer. None if they raised an error.
    pub(super) login: Option<String>,
    pub(super) serializer: String,
    pub(super) cookie_age: serde_json::Value,
    /// `LOGINAS_FROM_USER_SESSION_FLAG`: a key of django-loginas, where the project renamed it.
    #[serde(default)]
    pub(super) also_key: Option<String>,
    /// `TIME_ZONE`: the clock of the site's people.
    pub(super) local_time_zone: Option<String>,
    /// `SECRET_KEY` and its fallbacks; each character is a byte.
    pub(super) secrets: Vec<String>,
    pub(super) key_salt: String,
    pub(super) sessions: Option<Sessions>,
    pub(super) cache: Option<Cache>,
    pub(super) users: Option<UserModel>,
    /// Code of the project that others can change, where that is only a warning.
    pub(super) changeable: Option<String>,
}

/// Where an engine keeps its sessions.
#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Keeps {
    Table,
    Cache,
    File,
    SignedCookies,
    Elsewhere,
}

/// The session model and its database.
#[derive(Deserialize)]
pub(super) struct Sessions {
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    /// The columns of all its fields.
    #[serde(default)]
    pub(super) fields: Vec<String>,
    pub(super) vendor: String,
    /// How to reach it.
    pub(super) parameters: BTreeMap<String, String>,
    /// Variables of the project's environment that the driver reads.
    pub(super) variables: BTreeMap<String, String>,
    /// The clock of naive times.
    pub(super) time_zone: Option<String>,
    /// How many seconds it is ahead of UTC now.
    pub(super) ahead: i64,
    /// Tables of the project's other session models in the same database.
    pub(super) others: Vec<String>,
    /// The alias of another database that it reads sessions from.
    pub(super) read_from: Option<String>,
}

/// The cache in front of the table.
#[derive(Deserialize)]
pub(super) struct Cache {
    pub(super) alias: String,
    /// The texts before and after the session key in a cache key.
    pub(super) around: Option<(String, String)>,
    /// Whether the engine builds other cache keys, and not the cache.
    pub(super) engine_hides: bool,
    /// How to reach its servers, if it is of a kind that is known.
    #[serde(default)]
    pub(super) reach: Option<Reach>,
}

/// How to reach the servers of a cache.
#[derive(Deserialize)]
pub(super) struct Reach {
    pub(super) kind: String,
    /// The first is written.
    pub(super) servers: Vec<BTreeMap<String, String>>,
}

/// The user model.
#[derive(Deserialize)]
pub(super) struct UserModel {
    pub(super) table: String,
    /// Whether it is in the database of the sessions.
    pub(super) beside_sessions: bool,
    /// None if the primary key is made of several columns (`CompositePrimaryKey`).
    pub(super) key: Option<String>,
    /// What its primary key holds, if that is a field of Django's own.
    pub(super) key_type: Option<KeyType>,
    /// The class of that field, if it is the site's own and may write ids into sessions in another form.
    pub(super) key_converts: Option<String>,
    pub(super) username: Option<String>,
    pub(super) email: Option<String>,
    pub(super) is_active: Option<String>,
    pub(super) is_staff: Option<String>,
    pub(super) is_superuser: Option<String>,
}

/// What sessions hold as ids of users.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeyType {
    Text,
    Number,
    Uuid,
}
