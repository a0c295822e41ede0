//! Whether the ids that were given, and those in sessions, can be ids of users at this site. `logout-user anna`, where ids
//! are numbers, must not end like a logout; nor must `logout-user 7`, where sessions say `usr_G4`.

use std::collections::{BTreeSet, HashMap};

use super::logins::Logins;
use super::site_users::{SiteUsers, plural};
use crate::context::Ctx;
use crate::error::Error;
use crate::model::{MOST_ID_BYTES, counted};
use crate::store::{Store, UserType};

/// Ids that were given.
#[derive(Clone, Copy)]
pub(crate) struct GivenIds<'a> {
    pub(crate) ids: &'a [String],
    /// In which line of a file some of them stand.
    pub(crate) lines: Option<&'a HashMap<String, u64>>,
    /// `--user-table`.
    pub(crate) user_table: Option<&'a str>,
    /// The next step for the operator.
    pub(crate) hint: &'static str,
}

/// What ids of users are at a site, and how that is known.
struct KeyType {
    kind: UserType,
    known_by: String,
}

impl KeyType {
    fn of_logins(logins: &Logins) -> Option<Self> {
        let kind = logins.kind()?;
        let known_by = format!("the ids of the users who are logged in are {}", plural(kind));
        Some(Self { kind, known_by })
    }
}

impl GivenIds<'_> {
    /// Refuses ids that no user of the site can have.
    pub(crate) fn refuse_unfit(&self, ctx: &Ctx<'_>, store: &dyn Store) -> Result<(), Error> {
        if self.ids.is_empty() {
            return Ok(());
        }
        self.refuse(&self.key_type(ctx, store)?.into_iter().collect::<Vec<_>>())
    }

    /// The same where several schemas are meant, before anything is done in the first of them: refuses ids that no
    /// user can have in any. A schema that cannot be read is told later.
    pub(crate) fn refuse_unfit_everywhere(&self, ctx: &Ctx<'_>) -> Result<(), Error> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let Some(schemas) = ctx.schemas()? else { return Ok(()) };
        let mut known = Vec::new();
        for schema in schemas {
            let ctx = &ctx.in_schema(schema);
            match ctx.open().and_then(|store| self.key_type(ctx, &*store)) {
                Ok(key) => known.extend(key),
                Err(Error::Store(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.refuse(&known)
    }

    /// Refuses ids that no user can have, in whatever schema.
    pub(crate) fn refuse_unfit_anywhere(&self, ctx: &Ctx<'_>) -> Result<(), Error> {
        if ctx.is_about_many() {
            return self.refuse_unfit_everywhere(ctx);
        }
        let store = ctx.open()?;
        self.refuse_unfit(ctx, &*store)
    }

    fn refuse(&self, known: &[KeyType]) -> Result<(), Error> {
        let Some(first) = known.first() else { return Ok(()) };
        let fits = |id: &&String| known.iter().any(|key| key.kind.fit(id).is_some());
        let unfit: Vec<&str> = self.ids.iter().filter(|id| !fits(id)).map(String::as_str).collect();
        let number = u64::try_from(unfit.len()).unwrap_or(u64::MAX);
        let named = |id: &str| match self.lines.and_then(|lines| lines.get(id)) {
            Some(line) if !is_showable(id) => format!("what line {line} of the file holds"),
            _ => shown(id),
        };
        let what = match *unfit {
            [] => return Ok(()),
            [id] => format!("{} cannot be the id of a user", named(id)),
            ref ids => {
                format!("{} cannot be ids of users: {}", counted(number, "id"), some_of(ids, named))
            }
        };
        Err(Error::usage(format!("{what}; {}", first.known_by), self.hint))
    }

    /// The table of users says what its keys are. Where there is none, the logins in the session table do; and where
    /// the table was guessed and no login fits it, too: a project with users of its own may have left it behind.
    fn key_type(&self, ctx: &Ctx<'_>, store: &dyn Store) -> Result<Option<KeyType>, Error> {
        let site = SiteUsers::find(ctx, store, self.user_table)?;
        let of_site = site.map(|site| KeyType { kind: site.kind, known_by: site.key_type() });
        let Some(of_site) = of_site else {
            return Ok(KeyType::of_logins(&Logins::sample(ctx, store)?));
        };
        let all_fit = self.ids.iter().all(|id| of_site.kind.fit(id).is_some());
        if all_fit || ctx.project.is_some() || self.user_table.is_some() {
            return Ok(Some(of_site));
        }
        let logins = Logins::sample(ctx, store)?;
        let is_of_these = logins.all == 0 || logins.fit(of_site.kind) > 0;
        Ok(if is_of_these { Some(of_site) } else { KeyType::of_logins(&logins) })
    }
}

/// Ids that an error names.
pub(crate) const MOST_NAMED: usize = 5;

/// The first few of these ids, for people.
pub(crate) fn some(ids: &[&str]) -> String {
    some_of(ids, shown)
}

/// Whether it is not something else that a wrong file may hold: a line of passwords or settings.
fn is_showable(id: &str) -> bool {
    const MOST_CHARS: usize = 64;
    !id.contains([':', '=', '$']) && id.chars().nth(MOST_CHARS).is_none()
}

fn shown(id: &str) -> String {
    format!("\"{}\"", if is_showable(id) { id } else { "..." })
}

fn some_of(ids: &[&str], shown: impl Fn(&str) -> String) -> String {
    let named: Vec<String> = ids.iter().take(MOST_NAMED).map(|id| shown(id)).collect();
    let more = match ids.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", named.join(", "))
}

/// Some of the ids in sessions that the key of the table of users cannot hold. One that is too long for any key is told by
/// its beginning.
#[derive(Clone, Default)]
pub(crate) struct UnfitIds(BTreeSet<String>);

/// Characters by which an id is told that is too long for any key.
const BEGINNING: usize = 40;

impl UnfitIds {
    pub(crate) fn note(&mut self, id: &str) {
        self.0.insert(if id.len() > MOST_ID_BYTES {
            id.chars().take(BEGINNING).chain(['…']).collect()
        } else {
            id.into()
        });
        if self.0.len() > MOST_NAMED {
            self.0.pop_last();
        }
    }

    pub(crate) fn append(&mut self, others: Self) {
        self.0.extend(others.0);
        while self.0.len() > MOST_NAMED {
            self.0.pop_last();
        }
    }

    /// For people.
    pub(crate) fn some(&self) -> String {
        some(&self.0.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub(crate) fn into_vec(self) -> Vec<String> {
        self.0.into_iter().collect()
    }
}
