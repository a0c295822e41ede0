//! How a command ends sessions: by deleting the row, by deleting it with the row of django-allauth, or by
//! removing the login from its data.

use crate::context::Ctx;
use crate::engine::{Driver, StopReason};
use crate::error::Error;
use crate::store::{Capability, Store};

/// What is done to a session.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Removal {
    Delete,
    /// Delete it with the row that django-allauth keeps for it (`--cleanup-allauth`).
    DeleteWithAllauth,
    /// Remove the login from its data and leave the rest (`--keep-data`).
    KeepData,
}

impl Removal {
    /// The removal that the options ask for. An error if they contradict each other.
    pub(crate) fn asked(
        cleanup_allauth: bool,
        keep_data: bool,
        truncate: bool,
    ) -> Result<Self, Error> {
        let refuse = |why: &str, hint: &str| {
            Err(Error::usage(format!("--cleanup-allauth cannot be combined with {why}"), hint))
        };
        match (cleanup_allauth, keep_data) {
            (true, true) => refuse(
                "--keep-data: the sessions stay, and the rows of django-allauth point at them",
                "leave --cleanup-allauth out: django-allauth drops rows of sessions without a login by itself",
            ),
            (true, _) if truncate => refuse(
                "--truncate: it reads no session, and so knows no row of django-allauth's",
                "leave --truncate out, or empty usersessions_usersession yourself",
            ),
            (true, _) => Ok(Self::DeleteWithAllauth),
            (_, true) => Ok(Self::KeepData),
            _ => Ok(Self::Delete),
        }
    }

    /// Refuses to begin if the store lacks the capability, or if the site has no table of django-allauth.
    pub(crate) fn check(
        self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
        dry_run: bool,
    ) -> Result<(), Error> {
        match self {
            Self::Delete => return Ok(()),
            Self::KeepData => return Ok(store.demand(Capability::Rewrite)?),
            Self::DeleteWithAllauth => store.demand(Capability::Allauth)?,
        }
        if !store.reader()?.has_allauth()? {
            return Err(Error::usage(
                "--cleanup-allauth: there is no table usersessions_usersession beside the session table",
                "leave it out, unless the site has allauth.usersessions; --table SCHEMA.NAME names the schema of both",
            ));
        }
        if dry_run {
            ctx.talk.note("--cleanup-allauth: a dry run does not count rows of django-allauth");
        }
        Ok(())
    }

    /// Checks that the role may delete rows, and update them where that is needed.
    pub(crate) fn may(self, driver: &mut Driver<'_>) -> Result<(), StopReason> {
        driver.check(|writer| match self {
            Self::Delete => Ok(writer.delete(&[])?.sessions),
            Self::DeleteWithAllauth => Ok(writer.delete_with_allauth(&[])?.sessions),
            Self::KeepData => Ok(writer.delete(&[])?.sessions + writer.replace(&[])?),
        })
    }
}
