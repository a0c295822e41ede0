//! Detects user ids that no user of this site can have, both those that were given and those in sessions.
//! `logout-user anna` on a site whose ids are numbers must fail, not report a logout; so must `logout-user 7`
//! where sessions hold `usr_G4`.

use std::collections::{BTreeSet, HashMap};

use super::logins::Logins;
use super::site_users::{Ids, SiteUsers, plural};
use crate::context::Ctx;
use crate::error::Error;
use crate::model::{MOST_ID_BYTES, counted};
use crate::store::{Store, UserType};

/// User ids that the operator gave.
#[derive(Clone, Copy)]
pub(crate) struct GivenIds<'a> {
    pub(crate) ids: &'a [String],
    /// The line in the file from which each id was read.
    pub(crate) lines: Option<&'a HashMap<String, u64>>,
    /// `--user-table`.
    pub(crate) user_table: Option<&'a str>,
    /// The hint of the error: the next step for the operator.
    pub(crate) hint: &'static str,
}

/// The type of a site's user ids, and how it is known.
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

    /// The same for several schemas, before the first of them is changed: refuses ids that no user can have
    /// in any. A schema that cannot be read is reported later.
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

    /// Refuses ids that no user can have in any of the selected schemas.
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

    /// The type of the site's user ids. It comes from the table of users, or from the project's user model; without
    /// either, from the logins in the session table. It also comes from the logins if the table was guessed and no
    /// login fits it: a project that changed its user model may have left the table behind.
    fn key_type(&self, ctx: &Ctx<'_>, store: &dyn Store) -> Result<Option<KeyType>, Error> {
        let of_site = match SiteUsers::ids(ctx, store, self.user_table)? {
            Ids::Of(site) => KeyType { kind: site.kind, known_by: site.key_type() },
            Ids::OfKind(kind) if ctx.project.is_some() => {
                let held = plural(kind);
                KeyType {
                    kind,
                    known_by: format!("the key of the project's user model holds {held}"),
                }
            }
            _ => return Ok(KeyType::of_logins(&Logins::sample(ctx, store)?)),
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

/// Most ids that an error names.
pub(crate) const MOST_NAMED: usize = 5;

/// The first few of these ids, for messages.
pub(crate) fn some(ids: &[&str]) -> String {
    some_of(ids, shown)
}

/// Whether a message may show this text. A wrong file may hold passwords or settings instead of ids.
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

/// Some of the ids in sessions that the key of the table of users cannot hold. An id that is too long for any
/// key is cut.
#[derive(Clone, Default)]
pub(crate) struct UnfitIds(BTreeSet<String>);

/// Characters that are kept of such an id.
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

    /// A few of them, for messages.
    pub(crate) fn some(&self) -> String {
        some(&self.0.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub(crate) fn into_vec(self) -> Vec<String> {
        self.0.into_iter().collect()
    }
}
