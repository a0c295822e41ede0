//! The user ids that a command asks for, with every spelling under which Django finds the same user. A UUID
//! with and without hyphens is one user; with a case-insensitive key `Anna` and `anna` are one user.

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

/// User ids as the operator gave them, and as the table of users spells them.
pub(crate) struct AskedUsers {
    pub(crate) ids: Vec<String>,
    key: IdField,
    /// Whether some ids come from sessions only, not from the operator or the table of users.
    of_sessions: bool,
    /// Why ids in sessions cannot be compared with these, if they cannot.
    pub(crate) doubt: Option<Doubt>,
}

impl AskedUsers {
    /// Looks up the users and the type of their key. The type comes from the table of users, or from a user
    /// column; without either it is unknown.
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
                    // The role may lack the right to read the table of users. The command works without it.
                    ctx.talk
                        .detail(&format!("how the users' keys are spelled is not known: {error}"));
                }
                return Ok(asked);
            }
            Ids::OfKind(kind) => {
                asked.key = match kind {
                    // How the database of the users compares texts is not known.
                    UserType::Text => IdField::AnyCase,
                    kind => id_field(kind),
                };
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

    /// Adds the ids as the table of users spells them, and finds out which ids the database takes for equal.
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

    /// Whether the database finds one of these users by an id in the other letter case, as a case-insensitive
    /// collation does.
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

    /// Whether the key has a type that cannot hold every id.
    pub(crate) fn some_are_unfit(&self) -> bool {
        matches!(self.key, IdField::Integer | IdField::Uuid)
    }

    /// The doubt about ids that no session names, where nothing tells how the site spells ids: the users may
    /// be logged in under another spelling. If all logins are numbers, or all are UUIDs, an id of another
    /// kind belongs to no user, and there is no doubt.
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

    /// Whether Django reads this id, which the operator gave, as an id with another spelling.
    pub(crate) fn is_misspelled(&self, id: &str) -> bool {
        self.key.read(id).is_some()
    }

    /// Whether one of the ids in `held`, which come from sessions, may be the id of `user`, in any spelling
    /// that the database takes for the same.
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

/// The type of the user column. `None` if there is none, or if its type is no [`UserType`].
fn column_type(store: &dyn Store) -> Result<Option<UserType>, Error> {
    let mut reader = store.reader()?;
    for name in NAMES {
        if let Ok(Some(column)) = reader.user_column(name) {
            return Ok(Some(column.kind));
        }
    }
    Ok(None)
}
