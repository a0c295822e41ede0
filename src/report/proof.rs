//! What a logout has proved, and the doubts that remain.

use serde::Serialize;

/// What a logout has proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Sessions were ended, and none is left, neither in the table nor in a cache.
    LoggedOut,
    /// Sessions were ended, and none is left in the table. It is unknown whether the site has a cache in
    /// front of it.
    TableOnly,
    /// There was no such session.
    NotFound,
    /// Nothing: sessions or doubts are left, no scan followed, or it was a dry run.
    Unknown,
}

/// Why nothing is proved although the last scan found no session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "doubt", rename_all = "snake_case")]
pub enum Doubt {
    /// No live session has a login under the keys that were checked.
    NoLogin {
        /// The keys that were checked.
        looked_for: Vec<String>,
        /// Keys at the top level of live sessions: one of them may hold the site's login.
        keys: Vec<String>,
    },
    /// The project wrote the login of a trial user in a form that is not read as one.
    OwnForm {
        /// Its session engine.
        engine: String,
        /// Its serializer.
        serializer: String,
    },
    /// The project's engine looks for a session in a way of its own, and may find one where no row is.
    OwnLoad {
        /// The engine.
        engine: String,
        /// Its method that does.
        method: String,
    },
    /// Live sessions without a login have the id of a named user under other keys, under which the site may keep logins of its
    /// own.
    IdElsewhere {
        /// Those.
        keys: Vec<String>,
    },
    /// Live sessions without a login have an id under other keys, which are called like those of a login of the site's own.
    LoginElsewhere {
        /// Those.
        keys: Vec<String>,
    },
    /// The table of users may hide users who had to be looked up.
    HiddenUsers {
        /// In this table.
        table: String,
        /// Whether it is a view; otherwise it is on another server.
        view: bool,
    },
    /// The session table may hide rows, and nobody named it.
    HiddenSessions {
        /// In this table.
        table: String,
        /// Whether it is a view; otherwise rows of it are on another server.
        view: bool,
    },
    /// The type of the key of the table of users is unknown, so sessions may spell the ids of its users
    /// otherwise.
    UnknownKey {
        /// The table of users.
        table: String,
        /// Its key.
        key: String,
        /// The declared type.
        declared: String,
    },
    /// No session names these users, and nothing shows how the site spells ids: they may be logged in under
    /// another spelling.
    UnknownSpelling {
        /// The first few of their ids, as they were given.
        ids: Vec<String>,
    },
    /// The table has no live login, and others have live rows.
    OtherTables {
        /// Those.
        tables: Vec<String>,
    },
    /// The table has no live login, and others look like session tables whose columns have other names, so that they
    /// cannot be read.
    RenamedTables {
        /// Those.
        tables: Vec<String>,
    },
    /// The cache that was named has no entry of this shape of a session in the table: it may not be the site's.
    CacheUnseen {
        /// The cache.
        cache: String,
        /// What the keys of its entries were taken to begin with.
        prefix: String,
        /// What keys of other entries of sessions begin with in its place.
        others: Vec<String>,
    },
    /// The cache that was named has entries of sessions of more than one shape, and nothing tells which are the site's.
    CacheShared {
        /// The cache.
        cache: String,
        /// What the keys of its entries were taken to begin with.
        prefix: String,
        /// What keys of other entries of sessions begin with in its place.
        others: Vec<String>,
    },
    /// Entries came back into the cache each time that they were deleted.
    CacheRefilled {
        /// How many the last time.
        entries: u64,
    },
    /// Other tables have live sessions of these users.
    SessionsElsewhere {
        /// Those.
        tables: Vec<String>,
    },
    /// Other tables have live rows that cannot be read, or cannot be read at all: they may have sessions of these users.
    UnreadableElsewhere {
        /// Those.
        tables: Vec<String>,
    },
    /// It is unknown whether other tables have live rows, or live sessions of these users.
    TablesUnknown,
}

impl Proof {
    /// What is proved of two tables together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::NotFound, other) | (other, Self::NotFound) => other,
            (Self::TableOnly, _) | (_, Self::TableOnly) => Self::TableOnly,
            (Self::LoggedOut, Self::LoggedOut) => Self::LoggedOut,
        }
    }
}
