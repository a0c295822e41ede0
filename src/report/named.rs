use std::collections::HashMap;

use serde::Serialize;

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

/// Adds what was found of the same users in another table.
pub(super) fn add(all: &mut Vec<NamedUser>, others: &[NamedUser]) {
    let mut places: HashMap<String, usize> =
        all.iter().enumerate().map(|(place, user)| (user.id.clone(), place)).collect();
    for other in others {
        let known = places.get(&other.id).and_then(|place| all.get_mut(*place));
        let Some(user) = known else {
            places.insert(other.id.clone(), all.len());
            all.push(other.clone());
            continue;
        };
        user.sessions += other.sessions;
        user.seen |= other.seen;
        user.given |= other.given;
        user.exists = match (user.exists, other.exists) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        };
        user.username = user.username.take().or_else(|| other.username.clone());
    }
}
