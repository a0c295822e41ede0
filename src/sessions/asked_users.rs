//! The users whom a command is about, in all spellings by which Django knows them.

use std::borrow::Cow;
use std::collections::HashMap;

use django_session::{IdField, UserIds};

use super::logins::Logins;
use super::lookup::NAMES;
use super::site_users::{Ids, SiteUsers};
use super::unfit_ids::MOST_NAMED;
use crate::context::Ctx;
use crate::error::Error;
use crate::report::Doubt;
use crate::store::{Reader, Store, StoreError, User, UserKey, UserType};

/// Ids of users, as they were given and as the table of users spells them.
pub(crate) struct AskedUsers {
    pub(crate) ids: Vec<String>,
    key: IdField,
    /// Whether users are meant who are known only by the ids in sessions.
    of_sessions: bool,
    /// Why ids cannot be compared.
    pub(crate) doubt: Option<Doubt>,
}

impl AskedUsers {
    /// Looks the users up, and what their key is, as far as that is known: the table of users says it, or a user column.
    pub(crate) fn of(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        user_table: Option<&str>,
        given: &[String],
        of_sessions: bool,
    ) -> Result<Self, Error> {
        let ids = given.to_vec();
        let mut asked = Self { ids, key: IdField::default(), of_sessions, doubt: None };
        if given.is_empty() && !of_sessions {
            return Ok(asked);
        }
        match SiteUsers::ids(ctx, store, user_table)? {
            Ids::Of(site) if !site.tells_spelling_of(given) => {}
            Ids::Of(site) => {
                site.note(ctx);
                asked.key = id_field(site.kind);
                // Other keys have one spelling in the database.
                if site.kind == UserType::Text
                    && let Err(error) = asked.spell(&site, &mut *store.reader()?)
                {
                    // A role may do without the right to read the users.
                    ctx.talk
                        .detail(&format!("how the users' keys are spelled is not known: {error}"));
                }
                return Ok(asked);
            }
            Ids::OfKind(kind) => {
                asked.key = id_field(kind);
                return Ok(asked);
            }
            Ids::Doubtful(doubt) => asked.doubt = Some(doubt),
            Ids::Unknown => {}
        }
        asked.key = match column_type(store)? {
            // Any id fits a text.
            None | Some(UserType::Text) => IdField::Unknown,
            Some(kind) => id_field(kind),
        };
        Ok(asked)
    }

    /// Adds the ids as the table of users spells them, and finds out what the database takes for equal.
    fn spell(&mut self, site: &SiteUsers, reader: &mut dyn Reader) -> Result<(), StoreError> {
        self.key = match site.key {
            UserKey::Padded => IdField::Padded,
            UserKey::AnyCase => IdField::AnyCase,
            _ => IdField::Text,
        };
        let fit = |id: &String| site.kind.fit(id).map(Cow::into_owned);
        let there = site.existing(reader, self.ids.iter().filter_map(fit))?;
        if self.key == IdField::Text && Self::is_any_case(site, reader, &there)? {
            self.key = IdField::AnyCase;
        }
        for (id, user) in there {
            let bare = user.id.trim_end_matches(' ');
            if self.key == IdField::Padded && bare != id {
                self.ids.push(bare.to_owned());
            }
            if user.id != id {
                self.ids.push(user.id);
            }
        }
        Ok(())
    }

    /// Whether the database finds one of these users by an id in the other case: a collation may be so.
    fn is_any_case(
        site: &SiteUsers,
        reader: &mut dyn Reader,
        there: &HashMap<String, User>,
    ) -> Result<bool, StoreError> {
        if there.iter().any(|(id, user)| *id != user.id) {
            return Ok(true);
        }
        let in_other_case = |id: &String| {
            [id.to_lowercase(), id.to_uppercase()].into_iter().find(|other| other != id)
        };
        let Some(other) = there.keys().find_map(in_other_case) else { return Ok(false) };
        let found = site.existing(reader, [other])?;
        Ok(found.iter().any(|(id, user)| *id != user.id))
    }

    /// Whether the key may be unable to hold an id.
    pub(crate) fn some_are_unfit(&self) -> bool {
        matches!(self.key, IdField::Integer | IdField::Uuid)
    }

    /// Why nothing is proved of those of these ids that no session names, where nothing tells how the site spells ids: the
    /// users may be logged in under others. Where all logins are numbers, or all UUIDs, an id of another kind is nobody's.
    pub(crate) fn doubt_absent(
        &self,
        given: &[String],
        has_session: impl Fn(&str) -> bool,
        logins: Logins,
    ) -> Option<Doubt> {
        if self.key != IdField::Unknown || self.doubt.is_some() || !logins.are_of_no_kind() {
            return None;
        }
        let is_absent = |id: &&String| !has_session(id);
        let ids: Vec<String> = given.iter().filter(is_absent).take(MOST_NAMED).cloned().collect();
        (!ids.is_empty()).then_some(Doubt::UnknownSpelling { ids })
    }

    /// Whether Django reads an id, of a user who was asked for, as another one.
    pub(crate) fn is_misspelled(&self, id: &str) -> bool {
        self.key.read(id).is_some()
    }

    /// Whether one of these ids, which sessions hold, may be that of a user: in any spelling that the database takes for the
    /// same.
    pub(crate) fn is_among(&self, user: &str, held: &UserIds) -> bool {
        held.contains(user) || held.clone().keyed_by(self.key).may_mean(user)
    }

    /// The ids, to be compared with those of sessions.
    pub(crate) fn set(&self) -> UserIds {
        let ids = self.ids.iter().collect::<UserIds>().keyed_by(self.key);
        if self.of_sessions { ids.of_sessions() } else { ids }
    }
}

/// How Django reads ids of such a key.
pub(crate) fn id_field(kind: UserType) -> IdField {
    match kind {
        UserType::Text => IdField::Text,
        UserType::Bigint => IdField::Integer,
        UserType::Uuid => IdField::Uuid,
    }
}

/// What a user column holds. One of a type that no user column has says nothing.
fn column_type(store: &dyn Store) -> Result<Option<UserType>, Error> {
    let mut reader = store.reader()?;
    for name in NAMES {
        if let Ok(Some(column)) = reader.user_column(name) {
            return Ok(Some(column.kind));
        }
    }
    Ok(None)
}
