//! The users whom the operator named, as reports show them.

use std::collections::HashMap;

use serde::Serialize;

use crate::model::uuid_digits;

/// A user who was named by what the site knows of them.
#[derive(Clone, Debug, Serialize)]
pub struct ResolvedUser {
    /// Primary key.
    pub id: String,
    /// What the user logs in with; `None` of users who exist no longer.
    pub username: Option<String>,
}

/// A user who was named, by id or otherwise, and what was found of them.
#[derive(Clone, Debug, Serialize)]
pub struct NamedUser {
    /// Primary key, spelled as Django spells it where that is known.
    pub id: String,
    /// What the user logs in with, where that is known.
    pub username: Option<String>,
    /// Whether the user is in the table of users; `None` where that is not known.
    pub exists: Option<bool>,
    /// Sessions of this user that all looks found, and that were to go.
    pub sessions: u64,
    /// Whether this very user was named, not only what the user is: inactive, deleted.
    #[serde(skip)]
    pub given: bool,
    /// Whether there is a session of this user, be it one that was to stay.
    #[serde(skip)]
    pub seen: bool,
}

impl NamedUser {
    /// Whether there is such a user, or a session of one.
    fn is_somebody(&self) -> bool {
        self.seen || self.exists == Some(true)
    }

    /// Adds what another schema has under the same id. There it may be somebody else: a name is kept only where it is the
    /// name of all.
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

/// Adds what was found of the same users in another table. One id may be spelled otherwise there.
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
