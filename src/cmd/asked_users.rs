//! The users whom a command is about, in all spellings by which Django knows them.

use std::borrow::Cow;

use django_session::{IdField, UserIds};

use super::Ctx;
use super::lookup::NAMES;
use super::site_users::SiteUsers;
use crate::error::Error;
use crate::store::{Store, UserType};

/// Ids of users, as they were given and as the table of users spells them.
pub(super) struct AskedUsers {
    pub(super) ids: Vec<String>,
    key: IdField,
    /// Whether users are meant who are known only by the ids in sessions.
    of_sessions: bool,
}

impl AskedUsers {
    /// Looks the users up, and what their key is, as far as that is known: the table of users says it, or a user column.
    pub(super) fn of(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        user_table: Option<&str>,
        given: &[String],
        of_sessions: bool,
    ) -> Result<Self, Error> {
        let mut asked = Self { ids: given.to_vec(), key: IdField::default(), of_sessions };
        if given.is_empty() && !of_sessions {
            return Ok(asked);
        }
        let site = SiteUsers::find(ctx, store, user_table)?;
        let kind = match &site {
            Some(site) => Some(site.kind),
            None => column_type(store)?,
        };
        asked.key = kind.map_or(IdField::default(), id_field);
        // Other keys have one spelling in the database.
        if let Some(site) = site.filter(|site| site.kind == UserType::Text) {
            let fitting = given.iter().filter_map(|id| site.kind.fit(id)).map(Cow::into_owned);
            match site.existing(&mut *store.reader()?, fitting) {
                Ok(there) => {
                    let otherwise = there.into_iter().filter(|(id, user)| *id != user.id);
                    asked.ids.extend(otherwise.map(|(_, user)| user.id));
                }
                // A role may do without the right to read the users.
                Err(error) => {
                    ctx.talk
                        .detail(&format!("how the users' keys are spelled is not known: {error}"));
                }
            }
        }
        Ok(asked)
    }

    /// Whether the key may be unable to hold an id.
    pub(super) fn some_are_unfit(&self) -> bool {
        matches!(self.key, IdField::Integer | IdField::Uuid)
    }

    /// Whether Django reads an id, of a user who was asked for, as another one.
    pub(super) fn is_misspelled(&self, id: &str) -> bool {
        self.key.read(id).is_some()
    }

    /// The ids, to be compared with those of sessions.
    pub(super) fn set(&self) -> UserIds {
        let ids = self.ids.iter().collect::<UserIds>().keyed_by(self.key);
        if self.of_sessions { ids.of_sessions() } else { ids }
    }
}

/// How Django reads ids of such a key.
pub(super) fn id_field(kind: UserType) -> IdField {
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
