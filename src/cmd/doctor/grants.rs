//! `--grants`: prints the SQL that gives a role the rights it needs.

use std::io::Write;

use crate::cli::Granted;
use crate::context::Ctx;
use crate::error::{Error, Exit};
use crate::sessions::site_users::users;
use crate::settings;
use crate::store::{Capability, Purpose, Store};
use crate::ui::sanitize;

const EVERYTHING: [Granted; 9] = [
    Granted::List,
    Granted::LogoutUser,
    Granted::PurgeExpired,
    Granted::FlushAll,
    Granted::Truncate,
    Granted::KeepData,
    Granted::Backfill,
    Granted::CleanupAllauth,
    Granted::RevokeTokens,
];

/// Prints the GRANT statements for these commands, or for all of them, and nothing else.
pub(super) fn print(
    ctx: &Ctx<'_>,
    out: &mut dyn Write,
    store: &dyn Store,
    granted: &[Granted],
    role: Option<&str>,
) -> Result<Exit, Error> {
    store.demand(Capability::Grants)?;
    if role.is_some_and(|role| role.is_empty() || role.contains('\0')) {
        return Err(Error::usage("--role: not the name of a role", "for example: --role sessctl"));
    }
    let granted = if granted.is_empty() { &EVERYTHING } else { granted };
    let purposes: Vec<Purpose> =
        granted.iter().flat_map(|granted| purposes(*granted)).copied().collect();
    // If the users are in another database, so are the rights on them.
    let users = match store.reader() {
        Ok(mut reader) => users(ctx, &mut *reader),
        // The role may lack the rights that this command prints.
        Err(_) => settings::users(ctx.project.as_ref(), &ctx.table()?),
    };
    let users = users.ok();
    let grants = Capability::Grants.of(store.grants())?.grants(&purposes, users.as_ref(), role)?;
    if grants.is_empty() {
        // Returns the error that hid the table.
        store.reader()?;
    }
    for statement in grants {
        // MySQL cannot spell characters that are not shown.
        writeln!(out, "{}", sanitize(&statement))?;
    }
    Ok(Exit::Done)
}

fn purposes(granted: Granted) -> &'static [Purpose] {
    match granted {
        Granted::List | Granted::Show | Granted::Stats | Granted::Check | Granted::Doctor => {
            &[Purpose::Read]
        }
        Granted::LogoutUser => &[Purpose::LogoutUser, Purpose::Selectors],
        Granted::PurgeExpired => &[Purpose::PurgeExpired],
        Granted::FlushAll | Granted::Delete => &[Purpose::FlushAll],
        Granted::Truncate => &[Purpose::Truncate],
        Granted::KeepData => &[Purpose::KeepData],
        Granted::Backfill => &[Purpose::Backfill],
        Granted::CleanupAllauth => &[Purpose::CleanupAllauth],
        Granted::RevokeTokens => &[Purpose::RevokeTokens],
    }
}
