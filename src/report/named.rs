//! The users whom the operator named, as reports show them.

use std::collections::HashMap;

use serde::Serialize;

use crate::model::uuid_digits;

/// A user who was selected by something other than an id.
#[derive(Clone, Debug, Serialize)]
pub struct ResolvedUser {
    /// Primary key.
    pub id: String,
    /// The login name; `None` for deleted users.
    pub username: Option<String>,
}

/// A user whom the operator named, by id or otherwise, and what was found.
#[derive(Clone, Debug, Serialize)]
pub struct NamedUser {
    /// Primary key, spelled as Django spells it if that is known.
    pub id: String,
    /// The login name, if it is known.
    pub username: Option<String>,
    /// Whether the user is in the table of users; `None` if that is unknown.
    pub exists: Option<bool>,
    /// Sessions of this user that the scans found and that were to be ended.
    pub sessions: u64,
    /// Whether the operator named this user, and did not select a group such as inactive or deleted users.
    #[serde(skip)]
    pub given: bool,
    /// Whether this user has a session, even one that stays.
    #[serde(skip)]
    pub seen: bool,
}

impl NamedUser {
    /// Whether the user exists or has a session.
    fn is_somebody(&self) -> bool {
        self.seen || self.exists == Some(true)
    }

    /// Adds what another schema has under the same id. There it may be another user, so the name is kept only
    /// if it is the same in all schemas.
    fn add(&mut self, other: &Self) {
        if !self.is_somebody() {
            self.username.clone_from(&other.username);
        } else if other.is_somebody() && self.username != other.username {
            self.username = None;
        }
        if !self.seen && other.seen {
            self.id.clone_from(&other.id);
        }
        self.sessions += other.sessions;
        self.seen |= other.seen;
        self.given |= other.given;
        self.exists = match (self.exists, other.exists) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        };
    }
}

/// Adds what was found of the same users in another table, where an id may be spelled otherwise.
pub fn add_named(all: &mut Vec<NamedUser>, others: &[NamedUser]) {
    let place = |(place, user): (usize, &NamedUser)| (compared(&user.id), place);
    let mut places: HashMap<String, usize> = all.iter().enumerate().map(place).collect();
    for other in others {
        let key = compared(&other.id);
        if let Some(user) = places.get(&key).and_then(|place| all.get_mut(*place)) {
            user.add(other);
        } else {
            places.insert(key, all.len());
            all.push(other.clone());
        }
    }
}

fn compared(id: &str) -> String {
    uuid_digits(id).unwrap_or_else(|| id.to_owned())
}
