//! The context of a command: its settings, and access to the session table and to the terminal. It does not
//! change during a run.

mod deferred_note;

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use deferred_note::WithNote;
use django_session::Codec;

use crate::cli::{Global, ReportFormat, Saved};
use crate::engine::{Event, Pace, Progress, Scan};
use crate::error::{Error, Exit};
use crate::model::SavedWindow;
use crate::settings::{self, Backends, Database, Project};
use crate::stop::{Asked, Stop};
use crate::store::{Capability, Notice, Opening, ReferringColumn, Store, Table, Terms, Waits};
use crate::ui::{self, Report, Talk};

/// The context of a command. Nothing in it changes: work on another table gets a context of its own.
#[derive(Clone)]
pub(crate) struct Ctx<'a> {
    pub(crate) global: &'a Global,
    pub(crate) project: &'a Option<Project>,
    pub(crate) backends: Backends,
    /// What `--replica` names.
    pub(crate) replicas: &'a [String],
    /// The schema of the session table, if known.
    pub(crate) schema: Option<String>,
    /// Columns of other tables whose rows are deleted with the sessions that they name.
    pub(crate) referring: Vec<ReferringColumn>,
    /// What is unknown of the site and a Django project would tell. It is noted when the first database is
    /// opened.
    pub(crate) unknown: Vec<String>,
    pub(crate) codec: &'a Codec,
    pub(crate) stop: &'a Stop,
    pub(crate) waits: Waits,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) talk: Talk,
    /// Its `tell` sends each message once.
    pub(crate) terms: Terms,
    pub(crate) workers: usize,
    /// Most keys that one scan collects.
    pub(crate) most_keys: usize,
}

/// The exit code of a command with this error. A command that was asked to stop has not failed.
pub(crate) fn exit(error: &Error, stop: &Stop) -> Exit {
    match stop.asked().filter(|_| error.is_passing()) {
        Some(Asked::Signal(signal)) => Exit::Interrupted(signal),
        Some(Asked::RunTime) => Exit::Incomplete,
        None => error.exit(),
    }
}

impl Ctx<'_> {
    /// The context for the table in this schema.
    pub(crate) fn in_schema(&self, schema: String) -> Self {
        Self { schema: Some(schema), ..self.clone() }
    }

    /// The context for a command that deletes the rows of these columns with their sessions.
    pub(crate) fn deleting_references(&self, referring: Vec<ReferringColumn>) -> Self {
        Self { referring, ..self.clone() }
    }

    /// The context for commands that decode sessions.
    pub(crate) fn reading_sessions(&self) -> Self {
        let unchecked = "its SECRET_KEY, so signatures are not checked";
        self.not_knowing(self.codec.keyring.is_empty().then_some(unchecked))
    }

    /// The context for commands to which it matters that `what` is unknown of the site.
    pub(crate) fn not_knowing(&self, what: Option<&str>) -> Self {
        let mut ctx = self.clone();
        ctx.unknown.extend(what.map(str::to_owned));
        ctx
    }

    /// What is not known of the site, in one note.
    fn unknown_note(&self) -> Option<Notice> {
        let unknown = self.unknown.join("; ");
        let who_tells = if self.project.is_some() { "" } else { ". --django PROJECT tells" };
        let text = format!("not known of the site: {unknown}{who_tells}");
        (!unknown.is_empty()).then_some(Notice::Note(text))
    }

    /// Notes what is unknown of the site, for commands without a database.
    pub(crate) fn note_unknown(&self) {
        if let Some(note) = self.unknown_note() {
            (self.terms.notify)(&note);
        }
    }

    /// Whether the options may select several schemas.
    pub(crate) fn is_about_many(&self) -> bool {
        self.global.all_schemas || self.global.schemas.len() > 1
    }

    /// An error if an option for a single table was given.
    pub(crate) fn refuse_many(&self, option: &str, given: bool) -> Result<(), Error> {
        if given && self.is_about_many() {
            return Err(Error::usage(
                format!("{option} cannot be combined with several schemas"),
                "name the one that is meant with --schema",
            ));
        }
        Ok(())
    }

    /// An error for `--verified-only` without a secret key: no session could be verified.
    pub(crate) fn demand_key(&self, verified_only: bool) -> Result<(), Error> {
        if verified_only && self.codec.keyring.is_empty() {
            return Err(Error::usage(
                "--verified-only: no SECRET_KEY is given, so nothing can be verified",
                "give the site's SECRET_KEY (--secret-key-file, SESSCTL_SECRET_KEY or --django), or leave --verified-only out",
            ));
        }
        Ok(())
    }

    /// The time window that the options select, if any. Notes how the times were understood.
    pub(crate) fn saved_window(&self, args: &Saved) -> Result<Option<SavedWindow>, Error> {
        let understood = settings::saved_window(args, self.project.as_ref())?;
        Ok(understood.map(|(window, notes)| {
            for note in notes {
                self.talk.note(&note);
            }
            window
        }))
    }

    /// The database that the options name.
    pub(crate) fn database(&self) -> Result<Database, Error> {
        if let Some(project) = &self.project {
            project.demand_table()?;
        }
        settings::database(self.global, self.project.as_ref(), self.backends, self.replicas)
    }

    /// The session table.
    pub(crate) fn table(&self) -> Result<Table, Error> {
        settings::table(self.global, self.project.as_ref(), self.schema.as_deref())
    }

    pub(crate) fn open(&self) -> Result<Box<dyn Store>, Error> {
        if self.is_about_many() && self.schema.is_none() {
            return Err(Error::usage(
                "this command looks at one schema at a time",
                "name it with --schema",
            ));
        }
        self.open_table(self.table()?)
    }

    pub(crate) fn open_table(&self, table: Table) -> Result<Box<dyn Store>, Error> {
        let Database { source, traits, clock, notes, warnings } = self.database()?;
        for warning in warnings {
            (self.terms.notify)(&Notice::Warning(warning));
        }
        for note in notes {
            (self.terms.notify)(&Notice::Note(note));
        }
        let no_zone = (traits.naive_clock && !clock.is_known()).then(|| {
            format!(
                "the time zone of what {} stores, so sessions that expired in the last 12 hours count as live (or give \
                 --db-timezone)",
                traits.name
            )
        });
        self.stop.start_checking();
        if table.schema().is_some() {
            traits.demand(Capability::Schemas)?;
        }
        if !self.referring.is_empty() {
            traits.demand(Capability::References)?;
        }
        let (waits, terms) = (self.waits.clone(), self.terms.clone());
        let referring = self.referring.clone();
        let opening = Opening { table, referring, clock, waits, terms: terms.clone() };
        let store = source.open(opening);
        Ok(match self.not_knowing(no_zone.as_deref()).unknown_note() {
            Some(note) => Box::new(WithNote { store, terms, note }),
            None => store,
        })
    }

    /// Prints a report. A reader that closes the pipe is no failure.
    pub(crate) fn print(
        &self,
        out: &mut dyn Write,
        format: ReportFormat,
        report: &impl Report,
    ) -> io::Result<()> {
        let printed = match format {
            ReportFormat::Json => ui::write_json_line(out, report),
            ReportFormat::Human if self.talk.is_quiet() => report.write_quiet(out),
            ReportFormat::Human => report.write(out),
        };
        match printed.and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    /// Starts the deadline of `--run-time`.
    pub(crate) fn begin(&self, pace: &Pace) {
        if let Some(time) = pace.run_time {
            self.stop.end_after(time);
        }
    }

    /// Waits for requests in flight to end, and says how long it still does. Ends early on a signal.
    pub(crate) fn settle(&self, time: Duration) {
        const TICK: Duration = Duration::from_secs(1);
        let mut left = time;
        while !left.is_zero() && self.stop.requested().is_none() {
            self.progress.event(Event::Settling { left });
            self.stop.sleep(left.min(TICK));
            left = left.saturating_sub(TICK);
        }
        if !time.is_zero() {
            self.progress.event(Event::WaitEnds);
        }
    }

    pub(crate) fn scan(&self) -> Scan<'_> {
        Scan { workers: self.workers, stop: self.stop, progress: self.progress }
    }
}
