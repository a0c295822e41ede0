//! Whose a session is: put together from what stands under its keys, one after the other.

use std::borrow::Cow;

use super::{Auth, DecodeError};

/// What a value says of a user.
#[derive(Debug, PartialEq)]
pub(super) enum UserId<'a> {
    /// A primary key, as text.
    Text(Cow<'a, str>),
    Null,
    /// A list, an object, a fraction: no primary key.
    Other,
}

/// Identities that one key may hold. Nobody impersonates in longer chains, and a payload could hold millions.
const MOST: usize = 100;

/// What stands under one key of a package.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Behind<'a> {
    ids: Vec<Cow<'a, str>>,
    /// Whether there is more than could be understood.
    unclear: bool,
}

impl<'a> Behind<'a> {
    /// What cannot be understood.
    pub(super) fn unclear() -> Self {
        Self { unclear: true, ..Self::default() }
    }

    /// One that stands in a list, or alone under a further key of users.
    pub(super) fn add(&mut self, id: UserId<'a>) {
        match id {
            UserId::Text(id) if self.ids.len() < MOST => self.ids.push(id),
            UserId::Null => {}
            UserId::Text(_) | UserId::Other => self.unclear = true,
        }
    }
}

/// What was found under the keys so far: of a repeated key the last counts.
#[derive(Debug, Default)]
pub(super) struct Identities<'a> {
    first: Option<UserId<'a>>,
    further: Vec<(usize, UserId<'a>)>,
    behind: Vec<(usize, Behind<'a>)>,
    pub(super) backend: Option<Cow<'a, str>>,
}

impl<'a> Identities<'a> {
    /// What stands under the key of users in this place.
    pub(super) fn user(&mut self, place: usize, id: UserId<'a>) {
        if place == 0 {
            self.first = Some(id);
        } else {
            set(&mut self.further, place, id);
        }
    }

    /// What stands under the key of a package in this place.
    pub(super) fn behind(&mut self, place: usize, behind: Behind<'a>) {
        set(&mut self.behind, place, behind);
    }

    /// The first key of users that is present and not null says who is logged in; all else is behind.
    pub(super) fn auth(self) -> Result<Auth<'a>, DecodeError> {
        let Self { first, mut further, mut behind, backend } = self;
        further.sort_by_key(|(place, _)| *place);
        let mut users = first.into_iter().chain(further.into_iter().map(|(_, id)| id));
        let user_id = match users.find(|id| *id != UserId::Null) {
            Some(UserId::Text(id)) => Some(id),
            Some(UserId::Other) => return Err(DecodeError::UserId),
            Some(UserId::Null) | None => None,
        };
        let mut rest = Behind::default();
        users.for_each(|id| rest.add(id));
        behind.sort_by_key(|(place, _)| *place);
        let mut auth = Auth { user_id, backend, others: rest.ids, unclear: rest.unclear };
        for (_, Behind { ids, unclear }) in behind {
            auth.others.extend(ids);
            auth.unclear |= unclear;
        }
        Ok(auth)
    }
}

fn set<T>(all: &mut Vec<(usize, T)>, place: usize, value: T) {
    match all.iter_mut().find(|(at, _)| *at == place) {
        Some((_, old)) => *old = value,
        None => all.push((place, value)),
    }
}
