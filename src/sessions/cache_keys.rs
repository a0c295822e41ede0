//! Cache entries of the `cached_db` session engine. The site reads the cache before the table, so a session
//! whose row is deleted stays a login until its cache entry is deleted. `--cache` deletes these entries, and
//! `--print-cache-keys` prints their keys; this module also decides whether the cache may still log somebody in.

use std::cell::{Cell, RefCell};
use std::io::Write;

use super::cache_entries::Entries;
use super::query::SessionQuery;
use super::removal::Removal;
use crate::cli;
use crate::context::Ctx;
use crate::engine::{Driver, StopReason};
use crate::error::{Error, Exit};
use crate::report::Doubt;
use crate::settings::Project;
use crate::store::{Fault, StoreError};
use crate::{settings, ui};

/// What surrounds a session key in a cache key, with Django's defaults for `KEY_FUNCTION`, `KEY_PREFIX` and
/// `VERSION`.
const AROUND: (&str, &str) = (":1:django.contrib.sessions.cached_db", "");

/// What this run knows of the site's cache, and does about its entries.
pub(crate) enum CacheKeys {
    /// The site keeps its sessions in the table and nowhere else.
    None,
    /// The session engine of the site is not known: there may be a cache.
    EngineUnknown,
    /// The site reads sessions from a replica.
    Replica,
    /// There is a cache, and this run does not print its keys.
    NotPrinted {
        /// Whether the operator declared that the cache holds no entries that earlier runs left.
        is_cleared: bool,
        /// Whether this run ended sessions.
        ended_some: Cell<bool>,
    },
    /// This run prints the keys of cache entries.
    Printed(Printer),
    /// This run deletes cache entries.
    Deleted(Entries),
}

/// Prints cache keys to standard output, and knows how a session key becomes a cache key.
pub(crate) struct Printer {
    around: (String, String),
    out: RefCell<Box<dyn Write>>,
    /// Whether a Django project told what its cache keys look like. Otherwise they are Django's defaults.
    is_known: bool,
    /// Whether the cache holds no entries of sessions whose rows were deleted before this run.
    is_cleared: Cell<bool>,
    printed: Cell<u64>,
    /// Keys that were not printed: they contain a line end, or printing failed.
    left_out: Cell<u64>,
    /// The error that kept keys from being printed, until [`CacheKeys::go_on`] returns it.
    failed: RefCell<Option<StoreError>>,
}

/// Where the site's session engine looks for a session first.
enum Engine {
    Table,
    /// A cache, with the name of the engine.
    Cached(String),
}

/// The session engine of the site, if the operator or the project names it.
fn engine(ctx: &Ctx<'_>) -> Result<Option<Engine>, Error> {
    let of_project = ctx.project.as_ref().map(|project| match project.cached_engine() {
        Some(engine) => Engine::Cached(engine.clone()),
        None => Engine::Table,
    });
    match (settings::engine(ctx.global)?, of_project) {
        (Some(cli::Engine::Db), Some(Engine::Cached(engine))) => Err(Error::usage(
            format!("--engine db: the project says that SESSION_ENGINE is {engine}"),
            "leave out --engine and SESSCTL_ENGINE, or --django",
        )),
        (Some(cli::Engine::CachedDb), of_project) => Ok(of_project
            .filter(|engine| matches!(engine, Engine::Cached(_)))
            .or_else(|| Some(Engine::Cached("django.contrib.sessions.backends.cached_db".into())))),
        (Some(cli::Engine::Db), _) => Ok(Some(Engine::Table)),
        (None, of_project) => Ok(of_project),
    }
}

/// The entries of the cache that the options or the environment name.
fn entries(ctx: &Ctx<'_>, asked: &cli::Cache, dry_run: bool) -> Result<Option<Entries>, Error> {
    const OPTION: &str = "--cache";
    let is_table = matches!(engine(ctx)?, Some(Engine::Table));
    if is_table && asked.cache.is_some() {
        return Err(Error::usage(
            format!("{OPTION}: the site's session engine has no cache in front of the table"),
            "leave it out: what is deleted from the table is gone; or is the engine another one than --engine or the project says?",
        ));
    }
    let cache = if is_table {
        None
    } else {
        settings::cache(asked.cache.as_deref(), ctx.project.as_ref())?
    };
    let Some(cache) = cache else { return Ok(None) };
    if cache.is_of_project && ctx.is_about_many() {
        return Ok(None);
    }
    ctx.refuse_many(cache.named_by, true)?;
    if let Some(warning) = &cache.warning {
        ctx.talk.warning(warning);
    }
    for server in &cache.servers {
        ctx.talk.detail(&format!("cache entries are deleted in {}", server.place()));
    }
    Ok(Some(Entries::open(ctx, cache, asked.cache_cleared, dry_run)?))
}

impl CacheKeys {
    /// Resolves the options. Where keys are printed, standard output holds nothing else, and the report goes
    /// to standard error.
    pub(crate) fn asked(ctx: &Ctx<'_>, asked: &cli::Cache, dry_run: bool) -> Result<Self, Error> {
        const PRINT: &str = "--print-cache-keys";
        let cli::Cache { print_cache_keys: print, cache_cleared: is_cleared, .. } = *asked;
        ctx.refuse_many(PRINT, print)?;
        if print {
            let around = match &ctx.project {
                Some(project) => project.around_cache_keys(PRINT)?,
                None => (AROUND.0.to_owned(), AROUND.1.to_owned()),
            };
            let out = RefCell::new(ui::stdout());
            return Ok(Self::Printed(Printer {
                is_cleared: Cell::new(is_cleared || dry_run),
                ..Printer::new(around, ctx.project.is_some(), out)
            }));
        }
        if let Some(entries) = entries(ctx, asked, dry_run)? {
            return Ok(Self::Deleted(entries));
        }
        Self::untouched(ctx, is_cleared)
    }

    /// Where this run does nothing about entries.
    fn untouched(ctx: &Ctx<'_>, is_cleared: bool) -> Result<Self, Error> {
        let Some(engine) = engine(ctx)? else {
            return Ok(Self::EngineUnknown);
        };
        let Engine::Cached(engine) = engine else {
            let of_project = ctx.project.as_ref().filter(|_| ctx.global.engine.is_none());
            let Some(alias) = of_project.and_then(Project::read_from) else {
                return Ok(Self::None);
            };
            ctx.talk.note(&format!(
                "the project reads sessions from its database \"{alias}\", and users are in until that one has caught up; \
                 --engine db says that it has"
            ));
            return Ok(Self::Replica);
        };
        ctx.talk.warning(&format!(
            "SESSION_ENGINE is {engine}, which is asked before the table: whoever is in it stays logged in although \
             the row is gone; --cache URL deletes it there, too, and --print-cache-keys prints what to delete; or clear the cache after \
             this run and say so to another one with --cache-cleared"
        ));
        Ok(Self::NotPrinted { is_cleared, ended_some: Cell::new(false) })
    }

    /// Prints the cache keys of sessions whose rows are deleted, or deletes the entries. It must be called after the commit: a
    /// request that misses the cache reads the row and fills the cache again. A failure cannot undo
    /// the delete, so [`Self::go_on`] returns it.
    pub(crate) fn gone(&self, keys: &[&str]) {
        match self {
            Self::Printed(printer) => printer.print(keys),
            Self::Deleted(entries) => entries.delete(keys),
            Self::NotPrinted { ended_some, .. } => {
                ended_some.set(ended_some.get() || !keys.is_empty());
            }
            Self::None | Self::EngineUnknown | Self::Replica => {}
        }
    }

    /// Looks through the cache for entries that let users in whom the query names, and deletes them. Returns how many these
    /// were.
    pub(crate) fn look(
        &self,
        ctx: &Ctx<'_>,
        query: &SessionQuery<'_>,
        removal: Removal,
        driver: &mut Driver<'_>,
    ) -> Result<u64, StopReason> {
        match self {
            Self::Deleted(entries) => entries.look(ctx, query, removal, driver),
            _ => Ok(0),
        }
    }

    /// The command names no user to log out, so no cache entry matters.
    pub(crate) fn is_about_nobody(&self) {
        match self {
            Self::Printed(printer) => printer.is_cleared.set(true),
            Self::Deleted(entries) => entries.is_about_nobody(),
            _ => {}
        }
    }

    /// Returns an error once keys could not be printed, or entries not be deleted: then no more sessions may be
    /// deleted.
    pub(crate) fn go_on(&self) -> Result<(), StoreError> {
        match self {
            Self::Printed(printer) => printer.failed.take().map_or(Ok(()), Err),
            Self::Deleted(entries) => entries.go_on(),
            _ => Ok(()),
        }
    }

    /// A note on what is not known of the site's cache.
    pub(crate) fn unknown_engine(&self) -> Option<&'static str> {
        matches!(self, Self::EngineUnknown).then_some(
            "its session engine, and with cached_db a cache may let users in whose rows are gone (or give --engine db or \
             --engine cached_db)",
        )
    }

    /// Whether it is unknown if the site may find a session that is gone from the table: in a cache, or on a replica.
    pub(crate) fn is_unknown(&self) -> bool {
        match self {
            Self::EngineUnknown | Self::Replica => true,
            Self::Printed(printer) => !printer.is_known,
            // Which cache it is, is known, or a doubt of its own.
            Self::None | Self::NotPrinted { .. } | Self::Deleted(_) => false,
        }
    }

    /// Whether the cache may still log somebody in after this run. A run that found no row cannot know the
    /// cache entries of rows that an earlier run deleted, and an operator mostly repeats a run for that
    /// reason.
    pub(crate) fn may_hold(&self) -> bool {
        match self {
            Self::None | Self::EngineUnknown | Self::Replica => false,
            Self::NotPrinted { is_cleared, ended_some } => !is_cleared || ended_some.get(),
            Self::Printed(printer) => printer.left_out.get() > 0 || printer.knows_of_none(),
            Self::Deleted(entries) => entries.may_be_left(),
        }
    }

    /// How many entries were deleted, if that is done here.
    pub(crate) fn entries_deleted(&self) -> Option<u64> {
        match self {
            Self::Deleted(entries) => Some(entries.deleted()),
            _ => None,
        }
    }

    /// Why a look through the cache proves nothing. Notes that an earlier run may have left cache entries, if this run
    /// printed no key.
    pub(crate) fn doubts(&self, ctx: &Ctx<'_>, dry_run: bool) -> Vec<Doubt> {
        match self {
            Self::Deleted(entries) if !dry_run => return entries.doubts(),
            Self::Printed(printer) if printer.knows_of_none() && !dry_run => ctx.talk.warning(
                "no row was found, so no cache key was printed: if an earlier run deleted rows and their copies were \
                 not deleted from the cache, they are there still: clear it; --cache-cleared says that this was done",
            ),
            _ => {}
        }
        Vec::new()
    }

    /// The exit code of a command that would end with `exit` but for the cache.
    pub(crate) fn exit(&self, exit: Exit, dry_run: bool) -> Exit {
        if exit == Exit::Done && !dry_run && self.may_hold() { Exit::Incomplete } else { exit }
    }
}

impl Printer {
    fn new(around: (String, String), is_known: bool, out: RefCell<Box<dyn Write>>) -> Self {
        let (printed, left_out) = (Cell::new(0), Cell::new(0));
        let (is_cleared, failed) = (Cell::new(false), RefCell::new(None));
        Self { around, out, is_known, is_cleared, printed, left_out, failed }
    }

    /// Whether it printed no key although the cache may hold entries of sessions.
    fn knows_of_none(&self) -> bool {
        self.printed.get() == 0 && !self.is_cleared.get()
    }

    fn print(&self, keys: &[&str]) {
        // Django makes no key with a line end in it. Printed, it would look like two other keys.
        let (lines, odd): (Vec<&str>, Vec<&str>) =
            keys.iter().partition(|key| !key.contains(char::is_control));
        let lines_printed = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        self.printed.set(self.printed.get() + lines_printed);
        let mut lost = odd.len();
        if let Err(error) = self.write(&lines) {
            lost = keys.len();
            let what = "cannot print the cache keys of sessions that are gone from the table";
            let error = StoreError::new(Fault::Fatal, what)
                .because(error)
                .hint("they may be in the cache still: clear it");
            self.failed.replace(Some(error));
        }
        self.left_out.set(self.left_out.get() + u64::try_from(lost).unwrap_or(u64::MAX));
    }

    fn write(&self, keys: &[&str]) -> std::io::Result<()> {
        let (before, after) = &self.around;
        let mut out = self.out.borrow_mut();
        for key in keys {
            writeln!(out, "{before}{key}{after}")?;
        }
        out.flush()
    }
}
