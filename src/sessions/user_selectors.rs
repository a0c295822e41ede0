//! Resolves the options that select users by something other than their ids: name, e-mail address, flags such
//! as `is_staff`, and deleted users.

use std::collections::BTreeSet;

use django_session::UserIds;

use super::confirmation::confirm;
use super::deleted_users::DeletedUsers;
use super::site_users::{SiteUsers, reader};
use super::unfit_ids::some;
use super::users_choice::is_of_django;
use crate::cli::UserSelectors;
use crate::consent::{Ask, Consent};
use crate::context::Ctx;
use crate::error::Error;
use crate::model::counted;
use crate::report::{Doubt, ResolvedUser};
use crate::store::{
    Address, BlindSpot, Reader, Store, StoreError, Table, Uniqueness, User, UserQuery,
};
use crate::ui;

/// Refuses names that no user has in any selected schema: a typo in a name must not look like a user who is
/// logged out. Unless a project names the field of the login, it also refuses a user name of a column that is
/// not what users log in with: of a display name, the person who is meant may be another one.
pub(crate) fn demand(ctx: &Ctx<'_>, selectors: &UserSelectors, dry_run: bool) -> Result<(), Error> {
    let names = selectors.usernames.iter().chain(&selectors.emails);
    let mut unknown: BTreeSet<&String> = names.collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let (mut tables, mut in_other_case) = (BTreeSet::new(), BTreeSet::new());
    for ctx in &ctx.each()? {
        let store = ctx.open()?;
        let site = SiteUsers::of(ctx, &*store, selectors.user_table.as_deref())?;
        tables.insert(site.users.table.to_string());
        let mut reader = reader(&*store, dry_run)?;
        for (name, which) in site.named(selectors)? {
            let mut ids = BTreeSet::new();
            reader.users(&site.users, which, &mut |user| {
                ids.insert(user.id);
            })?;
            // Letter case is ignored by no index: the whole table of users is read only where it matters.
            if ids.is_empty() {
                let others = site.in_other_case(&mut *reader, which, &ids)?;
                in_other_case.extend(others.into_iter().map(|id| (name.clone(), id)));
            } else {
                unknown.remove(name);
                if let UserQuery::Mail(..) = which {
                    let others = site.in_other_case(&mut *reader, which, &ids)?;
                    warn_of_other_case(ctx, name, &others);
                }
            }
            let table = &site.users.table;
            let UserQuery::Having(column, _) = which else { continue };
            if ids.is_empty() || ctx.project.is_some() {
                continue;
            }
            if ids.len() > 1 || !is_login(&mut *reader, table, column)? {
                return Err(no_login_name(name, column, table, &ids));
            }
            site.refuse_address_of_another(&mut *reader, name, column, &ids)?;
        }
    }
    let Some(name) = unknown.first() else { return Ok(()) };
    let tables: Vec<String> = tables.into_iter().collect();
    let others = in_other_case.iter().filter(|(other, _)| other == *name).map(|(_, id)| &**id);
    let others: Vec<&str> = others.collect();
    let hint = match *others {
        [] => "--user-table names the table of users, --django finds it; a user who was deleted has only an id".into(),
        ref ids => format!(
            "in another letter case, some user is: write the name as the table has it, or name the user by the id: {}",
            some(ids)
        ),
    };
    Err(Error::usage(format!("no user in table \"{}\" is \"{name}\"", tables.join("\", \"")), hint))
}

/// Warns of users who have the same address in another letter case, and stay logged in. To Django's login they are others;
/// its password reset (Django 5.2 `PasswordResetForm.get_users`) and django-allauth (65 `filter_users_by_email`) ignore case.
fn warn_of_other_case(ctx: &Ctx<'_>, name: &str, others: &BTreeSet<String>) {
    if !others.is_empty() {
        ctx.talk.warning(&format!(
            "\"{}\" is the address of other users, too, in another letter case, who are left out: {}",
            ui::sanitize(name),
            some_ids(others)
        ));
    }
}

fn some_ids(ids: &BTreeSet<String>) -> String {
    some(&ids.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Whether users log in with this column, as far as the database tells. Django demands that such a column is
/// unique (auth.E003). A table that has Django's own name and no unique index at all is taken for Django's own;
/// a view has none, and is a doubt anyway.
fn is_login(reader: &mut dyn Reader, users: &Table, column: &str) -> Result<bool, StoreError> {
    Ok(match reader.uniqueness(users, column)? {
        Uniqueness::Unique => true,
        Uniqueness::Unknown if is_of_django(users) => true,
        _ => reader.blind_spot(users)?.is_some(),
    })
}

/// The error for a user name that these users have, and others may have.
fn no_login_name(name: &str, column: &str, table: &Table, ids: &BTreeSet<String>) -> Error {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let why = match ids.len() {
        1 => format!(
            "column \"{column}\" of table \"{table}\" is not unique, so it may be a display name, and \"{name}\" somebody else"
        ),
        users => format!(
            "{users} users in table \"{table}\" are called \"{name}\", so its column \"{column}\" is not what users log in with"
        ),
    };
    Error::usage(
        why,
        format!(
            "--django knows what they log in with; or name the users by their ids: {}",
            some(&ids)
        ),
    )
}

/// The users that the options select.
#[derive(Default)]
pub(crate) struct Meant {
    /// Users in the table of users, each once.
    pub(crate) users: BTreeSet<User>,
    /// Ids of users who are missing from it.
    pub(crate) deleted: BTreeSet<String>,
    /// Whether every user was selected by name or address.
    pub(crate) by_name: bool,
    /// The table of users that was queried; `None` if no user had to be looked up.
    pub(crate) user_table: Option<String>,
    /// Why some users may be missing here.
    pub(crate) doubt: Option<Doubt>,
    /// With `--deleted-users`: how many users are deleted, if that has to be confirmed.
    doubtfully_gone: Option<u64>,
}

pub(crate) fn resolve(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    selectors: &UserSelectors,
    dry_run: bool,
    unfit_ids: bool,
) -> Result<Meant, Error> {
    let mut meant = Meant::default();
    if !selectors.is_given() {
        return Ok(meant);
    }
    let site = SiteUsers::of(ctx, store, selectors.user_table.as_deref())?;
    meant.by_name = !selectors.deleted_users && selectors.conditions().is_empty();
    meant.user_table = Some(site.users.table.to_string());
    let mut reader = reader(store, dry_run)?;
    if let Some(spot) = reader.blind_spot(&site.users.table)? {
        if selectors.deleted_users {
            return Err(blind(spot, &site.users.table));
        }
        let table = site.users.table.to_string();
        meant.doubt = Some(Doubt::HiddenUsers { table, view: spot == BlindSpot::View });
    }
    let flags = site.flags(selectors)?;
    if flags.len() > 1 {
        ctx.talk.note(&format!(
            "{}: only users who meet each of these conditions",
            selectors.conditions().join(" ")
        ));
    }
    let flagged = (!flags.is_empty()).then_some(UserQuery::Whether(&flags));
    for which in site.named(selectors)?.into_iter().map(|(_, which)| which).chain(flagged) {
        reader.users(&site.users, which, &mut |user| meant.users.extend([user]))?;
    }
    if selectors.deleted_users {
        let deleted = DeletedUsers::find(ctx, store, &site, unfit_ids, dry_run)?;
        meant.doubtfully_gone = deleted.warn(ctx, &site.users.table);
        meant.deleted = deleted.ids;
    }
    Ok(meant)
}

impl DeletedUsers {
    /// Warns if some of the users may exist, and returns how many are deleted then: most of those who are logged in
    /// are, or there may be two kinds of users, each with a table and an authentication backend.
    fn warn(&self, ctx: &Ctx<'_>, table: &Table) -> Option<u64> {
        let gone = u64::try_from(self.ids.len()).unwrap_or(u64::MAX);
        let are = if gone == 1 { "is" } else { "are" };
        let of_logged_in = counted(u64::try_from(self.logged_in).unwrap_or(u64::MAX), "user");
        let why = if self.are_most() {
            "is it up to date, and this site's?"
        } else if gone > 0 && self.has_several_backends {
            "several authentication backends made the logins: does one of them have users in another table?"
        } else {
            return None;
        };
        ctx.talk.warning(&format!(
            "--deleted-users: {gone} of {of_logged_in} who are logged in {are} not in table \"{table}\": {why}"
        ));
        Some(gone)
    }
}

/// The error for a table that may hide rows: a hidden user must not be taken for a deleted one.
fn blind(spot: BlindSpot, table: &Table) -> Error {
    let why = match spot {
        BlindSpot::View => "is a view, which may hide users",
        BlindSpot::Elsewhere => "is on another server, which may hide users",
    };
    Error::usage(
        format!("--deleted-users: table \"{table}\" {why}"),
        "name the table itself with --user-table, in a database that has it",
    )
}

impl Meant {
    /// The given ids and those of the selected users, each once.
    pub(crate) fn with_ids(&self, given: &[String]) -> Vec<String> {
        let mut all = given.to_vec();
        let given: UserIds = given.iter().collect();
        let found = self.users.iter().map(|user| &user.id).chain(&self.deleted);
        all.extend(found.filter(|id| !given.contains(id)).cloned());
        all
    }

    /// The selected users who were not given by id.
    pub(crate) fn resolved(&self) -> Vec<ResolvedUser> {
        let found = self.users.iter().map(|user| (&user.id, user.name.clone()));
        let all = found.chain(self.deleted.iter().map(|id| (id, None)));
        all.map(|(id, username)| ResolvedUser { id: id.clone(), username }).collect()
    }

    /// The consent to log these users out. It asks the operator first if users may not be deleted who seem to
    /// be.
    pub(crate) fn consent(
        &self,
        ctx: &Ctx<'_>,
        dry_run: bool,
        yes: bool,
    ) -> Result<Option<Consent>, Error> {
        let Some(gone) = self.doubtfully_gone.filter(|_| !dry_run && !yes) else {
            return Ok(Consent::from_ask(if dry_run { Ask::DryRun } else { Ask::Explicit }));
        };
        let question = format!("Type the number of users who are gone ({gone}) to log them out:");
        confirm(ctx, gone, &question)
    }
}

impl SiteUsers {
    /// The query for each name and each address.
    fn named<'q>(
        &'q self,
        selectors: &'q UserSelectors,
    ) -> Result<Vec<(&'q String, UserQuery<'q>)>, Error> {
        let mut named = Vec::new();
        for username in &selectors.usernames {
            let column = self.has("--username", "username", self.users.username.as_deref())?;
            named.push((username, UserQuery::Having(column, username)));
        }
        for email in &selectors.emails {
            let column = self.has("--email", "email", self.users.email.as_deref())?;
            named.push((email, UserQuery::Mail(column, Address::of(email))));
        }
        Ok(named)
    }

    /// The users whom this query for a name would select besides `ids` if letter case did not matter.
    fn in_other_case(
        &self,
        reader: &mut dyn Reader,
        which: UserQuery<'_>,
        ids: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, StoreError> {
        let mut others = BTreeSet::new();
        let (column, name) = match which {
            UserQuery::Having(column, name) => (column, name.to_owned()),
            UserQuery::Mail(column, Address { local, domain }) => {
                (column, format!("{local}{domain}"))
            }
            _ => return Ok(others),
        };
        reader.users(&self.users, UserQuery::AnyCase(column, &name), &mut |user| {
            others.extend(Some(user.id).filter(|id| !ids.contains(id)));
        })?;
        Ok(others)
    }

    /// Refuses a user name that another user has as the e-mail address, in whatever letter case: users may log in with
    /// that, and anybody may have chosen the name.
    fn refuse_address_of_another(
        &self,
        reader: &mut dyn Reader,
        name: &str,
        column: &str,
        ids: &BTreeSet<String>,
    ) -> Result<(), Error> {
        let Some(email) = self.users.email.as_deref().filter(|_| name.contains('@')) else {
            return Ok(());
        };
        let mail = UserQuery::Mail(email, Address::of(name));
        let others = self.in_other_case(reader, mail, ids)?;
        if others.is_empty() {
            return Ok(());
        }
        Err(Error::usage(
            format!(
                "in table \"{}\", \"{name}\" is the \"{column}\" of one user ({}) and the \"{email}\" of another ({})",
                self.users.table,
                some_ids(ids),
                some_ids(&others)
            ),
            "--django knows what they log in with; --email takes the address; or name the user by the id",
        ))
    }

    /// The columns that the conditions are about, and what they must hold.
    fn flags(&self, selectors: &UserSelectors) -> Result<Vec<(&str, bool)>, Error> {
        let users = &self.users;
        [
            (selectors.deactivated, "--deactivated", "is_active", &users.is_active, false),
            (selectors.staff, "--staff", "is_staff", &users.is_staff, true),
            (selectors.superusers, "--superusers", "is_superuser", &users.is_superuser, true),
        ]
        .into_iter()
        .filter(|(given, ..)| *given)
        .map(|(_, option, name, column, value)| {
            Ok((self.has(option, name, column.as_deref())?, value))
        })
        .collect()
    }

    /// The column with this name, as Django's own user model has it. An error if the table has no such
    /// column.
    fn has<'q>(&self, option: &str, name: &str, column: Option<&'q str>) -> Result<&'q str, Error> {
        column.ok_or_else(|| {
            Error::usage(
                format!("{option}: table \"{}\" has no column for that ({name})", self.users.table),
                "name the users by their ids, or by what they have; --django knows what the site's model has, and --user-table \
                 names another table",
            )
        })
    }
}
