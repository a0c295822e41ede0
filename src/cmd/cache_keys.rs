//! `--print-cache-keys`: the cache of the `cached_db` engine holds copies of sessions, and is asked before the table.

use std::cell::{Cell, RefCell};
use std::io::Write;

use super::Ctx;
use crate::error::{Error, Exit};
use crate::settings::Project;
use crate::store::{Fault, StoreError};
use crate::ui;

/// With the usual `KEY_FUNCTION`, `KEY_PREFIX` and `VERSION`.
const AROUND: (&str, &str) = (":1:django.contrib.sessions.cached_db", "");

/// What becomes of the copies in the cache.
pub(super) enum CacheKeys {
    /// As far as is known there is no cache.
    None,
    /// Somebody else has to see to them.
    Unheeded,
    /// Their keys are printed.
    Printed(Printer),
}

/// Standard output, and how a session's key becomes that of a cache entry.
pub(super) struct Printer {
    around: (String, String),
    out: RefCell<Box<dyn Write>>,
    /// Keys that are no line, or came to nothing.
    left_out: Cell<u64>,
    /// What kept keys from being printed, until somebody has heard of it.
    failed: RefCell<Option<StoreError>>,
}

impl CacheKeys {
    /// What was asked for. Where keys are printed, everything else goes to standard error from here on.
    pub(super) fn asked(ctx: &mut Ctx<'_>, print: bool) -> Result<Self, Error> {
        let cached = ctx.project.as_ref().and_then(Project::cached_engine);
        ctx.refuse_many("--print-cache-keys", print)?;
        if print {
            let around = match &ctx.project {
                Some(project) => project.around_cache_keys()?,
                None => (AROUND.0.to_owned(), AROUND.1.to_owned()),
            };
            let out = RefCell::new(std::mem::replace(&mut ctx.out, ui::stderr()));
            return Ok(Self::Printed(Printer::new(around, out)));
        }
        let Some(engine) = cached else { return Ok(Self::None) };
        ctx.talk.warning(&format!(
            "SESSION_ENGINE is {engine}, which is asked before the table: whoever is in it stays logged in although \
             the row is gone; --print-cache-keys prints what to delete there"
        ));
        Ok(Self::Unheeded)
    }

    /// Prints those of sessions whose rows are gone. Not sooner: a request that finds nothing in the cache
    /// puts the row there. Where that fails the rows are gone nonetheless, so it is for [`Self::go_on`] to say.
    pub(super) fn gone(&self, keys: &[&str]) {
        if let Self::Printed(printer) = self {
            printer.print(keys);
        }
    }

    /// Whether more may go: not when nobody hears of it any more.
    pub(super) fn go_on(&self) -> Result<(), StoreError> {
        match self {
            Self::Printed(printer) => printer.failed.take().map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }

    /// Whether the cache may still let somebody in, for all that was done.
    pub(super) fn may_hold(&self) -> bool {
        match self {
            Self::None => false,
            Self::Unheeded => true,
            Self::Printed(printer) => printer.left_out.get() > 0,
        }
    }

    /// How a command ends that would otherwise have ended so.
    pub(super) fn exit(&self, exit: Exit, dry_run: bool) -> Exit {
        if exit == Exit::Done && !dry_run && self.may_hold() { Exit::Incomplete } else { exit }
    }
}

impl Printer {
    fn new(around: (String, String), out: RefCell<Box<dyn Write>>) -> Self {
        Self { around, out, left_out: Cell::new(0), failed: RefCell::new(None) }
    }

    fn print(&self, keys: &[&str]) {
        // Django makes none with a line end in it, and two lines would be two other keys.
        let (lines, odd): (Vec<&str>, Vec<&str>) =
            keys.iter().partition(|key| !key.contains(char::is_control));
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
