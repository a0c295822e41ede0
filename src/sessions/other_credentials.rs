//! Finds other credentials of users who are logged out: API tokens and the like let them in still. `--revoke-tokens` ends them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::site_users::{AT_ONCE, SiteUsers};
use crate::context::Ctx;
use crate::engine::{Driver, StopReason};
use crate::error::Exit;
use crate::model::uuid_digits;
use crate::report::{OtherAccess, OtherCredentials};
use crate::store::{
    CREDENTIALS, CredentialPlace, CredentialTable, LOGINS, Reader, Store, StoreError, UserType,
};

/// What lets users in who were logged out.
pub(crate) struct Access {
    pub(crate) report: OtherAccess,
    /// Whether credentials were to be ended and are left, or may be.
    is_left: bool,
    /// A signal or a deadline that came while they were ended.
    pub(crate) ended: Result<(), StopReason>,
}

impl Access {
    pub(crate) fn nothing() -> Self {
        Self { report: OtherAccess::default(), is_left: false, ended: Ok(()) }
    }

    /// What lets users with these ids in. With a driver their credentials are ended.
    pub(crate) fn of(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        ids: &[String],
        user_table: Option<&str>,
        mut driver: Option<&mut Driver<'_>>,
    ) -> Self {
        if ids.is_empty() {
            return Self::nothing();
        }
        let session_table = ctx.table().ok();
        let site = SiteUsers::find(ctx, store, user_table).ok().flatten();
        let mut tables = Tables {
            // One connection for all tables. One that cannot be opened is the error of each.
            reader: store.reader(),
            site: site.as_ref(),
            schema: session_table.as_ref().and_then(|table| table.schema()),
            given: ids,
            spelled: spellings(ids),
            ended: Ok(()),
        };
        let mut access = Self::nothing();
        for table in CREDENTIALS {
            let Some(one) = tables.look(table, driver.as_deref_mut()) else { continue };
            if let Some(error) = &one.error {
                let doing = if driver.is_some() { "ended" } else { "counted" };
                ctx.talk.detail(&format!("credentials in {} were not {doing}: {error}", one.table));
            }
            access.is_left |= driver.is_some() && (one.error.is_some() || one.valid != Some(0));
            access.report.other_credentials.push(one);
        }
        let logins = LOGINS.iter().filter_map(|table| tables.look(table, None));
        access.report.other_logins = logins.collect();
        access.ended = tables.ended;
        access.report.can_log_in = can_log_in(ctx, store, ids, site.as_ref());
        access
    }

    /// The exit code of a command that would end with `exit` but for these.
    pub(crate) fn exit(&self, exit: Exit) -> Exit {
        match self.ended {
            Err(StopReason::Interrupted(signal)) => exit.worse(Exit::Interrupted(signal)),
            _ if exit == Exit::Done && self.is_left => Exit::Incomplete,
            _ => exit,
        }
    }
}

/// Looks into the tables of packages for these users.
struct Tables<'t> {
    reader: Result<Box<dyn Reader + 't>, StoreError>,
    site: Option<&'t SiteUsers>,
    /// The schema of the session table, if it was named.
    schema: Option<&'t str>,
    /// The ids as they were given.
    given: &'t [String],
    /// The ids as tables may spell them.
    spelled: Vec<String>,
    /// See [`Access::ended`].
    ended: Result<(), StopReason>,
}

impl Tables<'_> {
    /// What is valid in this table; `None` if there is nothing. With a driver it is ended.
    fn look(
        &mut self,
        table: &CredentialTable,
        driver: Option<&mut Driver<'_>>,
    ) -> Option<OtherCredentials> {
        let place = self.place(table);
        let schema = place.as_ref().ok().and_then(Option::as_deref);
        let (mut revoked, mut error) = (0, None);
        let mut valid = match &place {
            Ok(_) => self.count(table, schema),
            Err(unclear) => Err(unclear.clone()),
        };
        if let (Some(driver), Ok(Some(1..))) = (driver, &valid) {
            let (rows, ended) = end(driver, table, schema, &self.spelled);
            revoked = rows;
            match ended {
                Ok(()) => {}
                Err(StopReason::Failed(failed)) => error = Some(said(&failed)),
                Err(interrupted) => {
                    error = Some("interrupted".into());
                    self.ended = Err(interrupted);
                }
            }
            valid = self.count(table, schema);
        }
        let valid = match valid {
            Ok(None) => return None,
            Ok(Some(0)) if revoked == 0 && error.is_none() => return None,
            Ok(rows) => rows,
            Err(why) => {
                error = error.or(Some(why));
                None
            }
        };
        let shown_in = schema.or(self.schema);
        let sql = place.as_ref().ok().and_then(|_| table.shown(self.given, shown_in));
        let CredentialTable { table, what, package, .. } = *table;
        let schema = schema.map(str::to_owned);
        Some(OtherCredentials { table, schema, what, package, valid, revoked, sql, error })
    }

    /// The schema to look for the table in; `None` for that of the session table. An error if its users may be others.
    fn place(&mut self, table: &CredentialTable) -> Result<Option<String>, String> {
        let reader = self.reader.as_mut().map_err(|error| said(error))?;
        let users = self.site.map(|site| &site.users);
        match reader.credential_place(table, users).map_err(|error| said(&error))? {
            CredentialPlace::In(schema) => Ok(Some(schema)),
            CredentialPlace::Unclear(schemas) if !schemas.is_empty() => Err(format!(
                "{} exists in {}, not beside the sessions: its users may be others, or another tenant's, so it was not counted",
                table.table,
                named(&schemas)
            )),
            CredentialPlace::Beside | CredentialPlace::Unclear(_) => Ok(None),
        }
    }

    /// Counts the valid ones; `None` without the table.
    fn count(
        &mut self,
        table: &CredentialTable,
        schema: Option<&str>,
    ) -> Result<Option<u64>, String> {
        let reader = self.reader.as_mut().map_err(|error| said(error))?;
        let mut all = None;
        for some in self.spelled.chunks(AT_ONCE) {
            match reader.credentials(table, schema, some).map_err(|error| said(&error))? {
                None => return Ok(None),
                Some(rows) => all = Some(all.unwrap_or(0) + rows),
            }
        }
        Ok(all)
    }
}

fn named(schemas: &[String]) -> String {
    match schemas {
        [one] => format!("schema \"{one}\""),
        [one, others @ ..] => format!("schema \"{one}\" and {} more", others.len()),
        [] => String::new(),
    }
}

/// Ends them, and returns how many were ended and why no more.
fn end(
    driver: &mut Driver<'_>,
    table: &CredentialTable,
    schema: Option<&str>,
    ids: &[String],
) -> (u64, Result<(), StopReason>) {
    let mut ended = 0;
    for some in ids.chunks(AT_ONCE) {
        match driver.once(|writer| writer.end_credentials(table, schema, some)) {
            Ok(rows) => ended += rows,
            Err(reason) => return (ended, Err(reason)),
        }
    }
    (ended, Ok(()))
}

/// An error with its cause.
fn said(error: &StoreError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// The ids as tables may spell them: a UUID with and without hyphens.
fn spellings(ids: &[String]) -> Vec<String> {
    let mut all = BTreeSet::new();
    for id in ids {
        all.extend(uuid_digits(id));
        all.extend(UserType::Uuid.fit(id).map(Cow::into_owned));
        all.insert(id.clone());
    }
    all.into_iter().collect()
}

/// `None` where the table of users is unknown, may be another site's, or cannot be read as far as that takes.
fn can_log_in(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    ids: &[String],
    site: Option<&SiteUsers>,
) -> Option<u64> {
    let site = site?;
    if ids.is_empty() || ids.iter().any(|id| site.kind.fit(id).is_none()) {
        return None;
    }
    let spelled = spellings(ids);
    let mut reader: Box<dyn Reader + '_> = store.reader().ok()?;
    let mut all = 0;
    for some in spelled.chunks(AT_ONCE) {
        match reader.logins(&site.users, some) {
            Ok(logins) => all += logins?,
            Err(error) => {
                ctx.talk.detail(&format!("whether they can log in again is not known: {error}"));
                return None;
            }
        }
    }
    Some(all)
}
