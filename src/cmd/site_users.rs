//! The table of the site's users.

use std::collections::HashMap;

use super::Ctx;
use crate::error::Error;
use crate::settings;
use crate::store::{Reader, Store, StoreError, UserType, Users, WhichUsers};

/// Users of whom it is asked at once whether they exist.
pub(super) const AT_ONCE: usize = 1_000;

/// The users of a site, and what their keys are.
pub(super) struct SiteUsers {
    pub(super) users: Users,
    pub(super) kind: UserType,
}

impl SiteUsers {
    /// The table that was typed, the project's, or Django's own; an error if it is not there.
    pub(super) fn of(ctx: &Ctx<'_>, store: &dyn Store, typed: Option<&str>) -> Result<Self, Error> {
        let mut users = settings::users(ctx.project.as_ref(), &ctx.table()?)?;
        if let Some(table) = typed {
            users.table = table.parse()?;
        }
        match store.reader()?.user_key(&users)? {
            Some(kind) => Ok(Self { users, kind }),
            None => Err(Error::usage(
                format!(
                    "there is no table of users \"{}\" with a key \"{}\" of a known type",
                    users.table, users.key
                ),
                "name it with --user-table, or let --django find it",
            )),
        }
    }

    /// The same, if there is one. A table that was typed must be there.
    pub(super) fn find(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        typed: Option<&str>,
    ) -> Result<Option<Self>, Error> {
        if typed.is_some() {
            return Self::of(ctx, store, typed).map(Some);
        }
        let Ok(users) = settings::users(ctx.project.as_ref(), &ctx.table()?) else {
            return Ok(None);
        };
        Ok(store.reader()?.user_key(&users)?.map(|kind| Self { users, kind }))
    }

    /// Those of these users who exist, and what they log in with. All ids are spelled as [`UserType::fit`] has them.
    pub(super) fn existing(
        &self,
        reader: &mut dyn Reader,
        ids: impl IntoIterator<Item = String>,
    ) -> Result<HashMap<String, Option<String>>, StoreError> {
        let ids: Vec<String> = ids.into_iter().collect();
        let mut there = HashMap::new();
        for some in ids.chunks(AT_ONCE) {
            reader.users(&self.users, WhichUsers::Keys(self.kind, some), &mut |user| {
                there.extend(self.kind.fit(&user.id).map(|id| (id.into_owned(), user.name)));
            })?;
        }
        Ok(there)
    }

    /// What its keys are, for people.
    pub(super) fn key_type(&self) -> String {
        let Users { table, key, .. } = &self.users;
        format!("the key \"{key}\" of table \"{table}\" holds {}", plural(self.kind))
    }
}

/// Values of a type, for people.
pub(super) fn plural(kind: UserType) -> &'static str {
    match kind {
        UserType::Text => "texts",
        UserType::Bigint => "numbers",
        UserType::Uuid => "UUIDs",
    }
}
