//! `--audit-file`: the audit log. Each run that may change a table appends two lines of JSON: one before its
//! first change, one after its last. A run that died leaves the first line alone.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Write as _;
use std::path::PathBuf;

use crate::model::fingerprint;
use serde::Serialize;

use crate::context::Ctx;
use crate::error::{Error, Exit};
use crate::files::{Place, as_operator};
use crate::model::{Timestamp, without_logins};
use crate::report::{AuditBegan, AuditEnded, AuditedRun};
use crate::ui::{self, Report};
use crate::{cli, settings};

/// Most sessions that one line names. Of more, the line has only the number.
const MOST_KEYS: usize = 10_000;

/// An open audit file, and what the last line of this run will say.
pub(crate) struct Audit {
    path: PathBuf,
    file: File,
    run: AuditedRun,
    /// Fingerprints of the sessions that this run ended.
    keys: RefCell<Vec<String>>,
    keys_left_out: Cell<u64>,
}

impl Audit {
    /// Opens the file of `--audit-file`, if it was given, and writes the first line of this run. If this
    /// fails, the command must not begin.
    pub(crate) fn begin(
        ctx: &Ctx<'_>,
        command: &'static str,
        args: &cli::Audit,
    ) -> Result<Option<Self>, Error> {
        let Some(path) = &args.audit_file else { return Ok(None) };
        let file = as_operator(|| Place::of_output(path).and_then(|place| place.append()));
        let operator = settings::operator();
        let began = Timestamp::now();
        let run = AuditedRun {
            run: format!("{:016x}", RandomState::new().hash_one((began, std::process::id()))),
            began: began.to_string(),
            host: operator.host,
            uid: operator.uid,
            login_uid: operator.login_uid,
            user: operator.user,
            sudo_user: operator.sudo_user,
            version: env!("CARGO_PKG_VERSION"),
            command,
            arguments: settings::arguments(ctx.global),
            database: database(ctx),
            reason: args.reason.as_deref().map(without_logins),
        };
        let audit = Self {
            file: file.map_err(|source| Error::cannot_write(path, source))?,
            path: path.clone(),
            run,
            keys: RefCell::default(),
            keys_left_out: Cell::default(),
        };
        audit.write(&AuditBegan { event: "began", run: &audit.run })?;
        Ok(Some(audit))
    }

    /// Notes sessions that this run ended.
    pub(crate) fn note(&self, keys: &[&str]) {
        let mut noted = self.keys.borrow_mut();
        for key in keys {
            if noted.len() < MOST_KEYS {
                noted.push(fingerprint(key));
            } else {
                self.keys_left_out.set(self.keys_left_out.get() + 1);
            }
        }
    }

    /// Writes the last line of this run.
    pub(crate) fn end<R: Report>(
        &self,
        report: Option<&R>,
        ended: &Result<Exit, Error>,
    ) -> Result<(), Error> {
        self.write(&AuditEnded {
            event: "ended",
            run: &self.run,
            ended: Timestamp::now().to_string(),
            exit: ended.as_ref().map_or_else(Error::exit, |exit| *exit).code(),
            error: ended
                .as_ref()
                .err()
                .map(|error| ui::unrepeated(&error.to_string()).into_owned()),
            report,
            keys: self.keys.take(),
            keys_left_out: self.keys_left_out.get(),
        })
    }

    /// Appends a line, and returns once it is on the disk.
    fn write(&self, entry: &impl Serialize) -> Result<(), Error> {
        // One write for the whole line, since other processes may append to the file too.
        let mut line = Vec::new();
        ui::write_json_line(&mut line, entry)?;
        let written = (&self.file).write_all(&line).and_then(|()| self.file.sync_data());
        written.map_err(|source| Error::cannot_write(&self.path, source))
    }
}

/// The database of this run. `None` if it cannot be resolved; then the command itself reports the error.
fn database(ctx: &Ctx<'_>) -> Option<String> {
    Some(ctx.database().ok()?.source.absolute_place())
}
