//! `--audit-file`: one line of JSON for each run that may change a table, for those who ask later.

use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::Ctx;
use crate::codec::fingerprint;
use crate::error::{Error, Exit};
use crate::model::Timestamp;
use crate::report::AuditEntry;
use crate::ui::{self, Report};
use crate::{cli, settings};

/// Sessions that a line names. Of all the sessions of a site their number says enough.
const MOST_KEYS: usize = 10_000;

/// The file, and what is to be said in it.
pub(super) struct Audit {
    path: PathBuf,
    file: File,
    reason: Option<String>,
    began: Timestamp,
    /// Fingerprints of sessions that are no login any more.
    keys: RefCell<Vec<String>>,
    keys_left_out: Cell<u64>,
}

impl Audit {
    /// Opens the file that was named, if one was, before anything is done that should stand in it.
    pub(super) fn open(args: &cli::Audit) -> Result<Option<Self>, Error> {
        let Some(path) = &args.audit_file else { return Ok(None) };
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        Ok(Some(Self {
            file: file.map_err(|source| Error::cannot_write(path, source))?,
            path: path.clone(),
            reason: args.reason.clone(),
            began: Timestamp::now(),
            keys: RefCell::default(),
            keys_left_out: Cell::default(),
        }))
    }

    /// Notes sessions that are no login any more.
    pub(super) fn note(&self, keys: &[&str]) {
        let mut noted = self.keys.borrow_mut();
        for key in keys {
            if noted.len() < MOST_KEYS {
                noted.push(fingerprint(key));
            } else {
                self.keys_left_out.set(self.keys_left_out.get() + 1);
            }
        }
    }

    /// Adds the line, and waits until it is on the disk.
    pub(super) fn write<R: Report>(
        &self,
        ctx: &Ctx<'_>,
        command: &'static str,
        report: Option<&R>,
        ended: &Result<Exit, Error>,
    ) -> Result<(), Error> {
        let operator = settings::operator();
        let entry = AuditEntry {
            began: self.began.to_string(),
            ended: Timestamp::now().to_string(),
            host: operator.host,
            user: operator.user,
            sudo_user: operator.sudo_user,
            version: env!("CARGO_PKG_VERSION"),
            command,
            arguments: settings::arguments(ctx.global),
            database: ctx.place.get().cloned(),
            reason: self.reason.clone(),
            exit: ended.as_ref().map_or_else(Error::exit, |exit| *exit).code(),
            error: ended.as_ref().err().map(ToString::to_string),
            report,
            keys: self.keys.take(),
            keys_left_out: self.keys_left_out.get(),
        };
        // In one piece, since others may append to it too.
        let mut line = Vec::new();
        ui::write_json_line(&mut line, &entry)?;
        let written = (&self.file).write_all(&line).and_then(|()| match self.file.sync_data() {
            // A pipe or a terminal.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        });
        written.map_err(|source| Error::cannot_write(&self.path, source))
    }
}
