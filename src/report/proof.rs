//! What a logout has proved, and the doubts that remain.

use serde::Serialize;

/// What a logout has proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Sessions were ended, and none is left, neither in the table nor in a cache.
    LoggedOut,
    /// Sessions were ended, and none is left in the table. Nobody said whether the site has a cache in front of it.
    TableOnly,
    /// There was no such session.
    NotFound,
    /// Nothing: sessions are left, a doubt is left, nobody looked again, or it was a dry run.
    Unknown,
}

/// Why nothing is proved, although no session is left that was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "doubt", rename_all = "snake_case")]
pub enum Doubt {
    /// No live session names a user under the key that was looked at.
    NoLogin {
        /// The keys under which a login was looked for.
        looked_for: Vec<String>,
        /// What stands at the top level of live sessions: one of these may be the site's login.
        keys: Vec<String>,
    },
    /// Live sessions without a login have the id of a named user under other keys, under which the site may keep logins of its
    /// own.
    IdElsewhere {
        /// Those.
        keys: Vec<String>,
    },
    /// Users may be hidden who were to be looked up.
    HiddenUsers {
        /// In this table.
        table: String,
        /// Whether it is a view; otherwise it is on another server.
        view: bool,
    },
    /// Sessions may be hidden: nobody named the session table, and it is not one that shows all rows for certain.
    HiddenSessions {
        /// In this table.
        table: String,
        /// Whether it is a view; otherwise rows of it are on another server.
        view: bool,
    },
    /// The type of the key of the table of users is not known: ids in sessions may be those of the users in another spelling.
    UnknownKey {
        /// The table of users.
        table: String,
        /// Its key.
        key: String,
        /// How that is declared.
        declared: String,
    },
    /// No session names these users, and nothing tells how the site spells ids: they may be logged in under others.
    UnknownSpelling {
        /// The first few of their ids, as they were given.
        ids: Vec<String>,
    },
    /// The table has no live login, and others have live rows.
    OtherTables {
        /// Those.
        tables: Vec<String>,
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
    /// Whether other tables have live rows, or live sessions of these users, could not be found out.
    TablesUnknown,
}

impl Proof {
    /// What holds of two tables.
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
