//! What every command has at hand.

use std::cell::{OnceCell, RefCell};
use std::io::Write;

use django_session::Codec;

use crate::cli::{Global, Saved};
use crate::engine::{Pace, Progress, Scan};
use crate::error::{Error, Exit};
use crate::model::SavedWindow;
use crate::sessions::audit::Audit;
use crate::sessions::cache_keys::CacheKeys;
use crate::settings::{self, Backends, Database, Project};
use crate::stop::{Asked, Stop};
use crate::store::{Capability, Fault, Gone, Opening, Store, StoreError, Table, Terms, Waits};
use crate::ui::Talk;

/// What every command has at hand.
pub(crate) struct Ctx<'a> {
    pub(crate) global: &'a Global,
    pub(crate) project: Option<Project>,
    pub(crate) backends: Backends,
    /// The schema of the session table, where one is known.
    pub(crate) schema: Option<String>,
    /// Which database was opened, for people.
    pub(crate) place: OnceCell<String>,
    pub(crate) audit: Option<Audit>,
    /// What is not known of the site, until it is told.
    pub(crate) unknown: RefCell<Vec<String>>,
    pub(crate) codec: Codec,
    pub(crate) stop: &'a Stop,
    pub(crate) waits: Waits,
    pub(crate) progress: Box<dyn Progress>,
    pub(crate) talk: Talk,
    pub(crate) terms: Terms,
    pub(crate) out: Box<dyn Write>,
    pub(crate) workers: usize,
    /// Keys that one look collects.
    pub(crate) most_keys: usize,
}

/// How a command with this error ends: one that was asked to end has not failed.
pub(crate) fn exit(error: &Error, stop: &Stop) -> Exit {
    match stop.asked().filter(|_| error.is_passing()) {
        Some(Asked::Signal(signal)) => Exit::Interrupted(signal),
        Some(Asked::RunTime) => Exit::Incomplete,
        None => error.exit(),
    }
}

impl Ctx<'_> {
    /// For commands that look into sessions.
    pub(crate) fn note_unchecked(&self) {
        if self.codec.keyring.is_empty() {
            self.is_unknown("its SECRET_KEY, so signatures are not checked");
        }
    }

    /// Something is not known of the site that a project would say.
    pub(crate) fn is_unknown(&self, what: impl Into<String>) {
        self.unknown.borrow_mut().push(what.into());
    }

    /// Says in one note what is not known of the site, and ends saying it.
    pub(crate) fn note_unknown(&self) {
        let unknown = std::mem::take(&mut *self.unknown.borrow_mut());
        if !unknown.is_empty() {
            self.talk.note(&format!(
                "not known of the site: {}. --django PROJECT tells",
                unknown.join("; ")
            ));
        }
    }

    /// Refuses `--verified-only` where nothing can be verified: it would leave nothing, and delete all.
    pub(crate) fn demand_key(&self, verified_only: bool) -> Result<(), Error> {
        if verified_only && self.codec.keyring.is_empty() {
            return Err(Error::usage(
                "--verified-only: no SECRET_KEY is given, so nothing can be verified",
                "give the site's SECRET_KEY (--secret-key-file, SESSCTL_SECRET_KEY or --django), or leave --verified-only out",
            ));
        }
        Ok(())
    }

    /// The time in which sessions were saved that are asked for. How it was understood is said at once.
    pub(crate) fn saved_window(&self, args: &Saved) -> Result<Option<SavedWindow>, Error> {
        let understood = settings::saved_window(args, self.project.as_ref())?;
        Ok(understood.map(|(window, notes)| {
            for note in notes {
                self.talk.note(&note);
            }
            window
        }))
    }

    /// The database that is meant.
    pub(crate) fn database(&self) -> Result<Database, Error> {
        if let Some(project) = &self.project {
            project.demand_table()?;
        }
        settings::database(self.global, self.project.as_ref(), self.backends)
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
        if self.place.set(source.place()).is_ok() {
            for warning in &warnings {
                self.talk.warning(warning);
            }
            for note in &notes {
                self.talk.note(note);
            }
            if traits.naive_clock && !clock.is_known() {
                self.is_unknown(format!(
                    "the time zone of what {} stores, so sessions that expired in the last 12 hours count as live (or give \
                     --db-timezone)",
                    traits.name
                ));
            }
            self.note_unknown();
        }
        self.stop.heed();
        if table.schema().is_some() {
            traits.demand(Capability::Schemas)?;
        }
        let (waits, terms) = (self.waits.clone(), self.terms.clone());
        Ok(source.open(Opening { table, clock, waits, terms }))
    }

    /// Makes known that these sessions are no login any more, if they were written. Of a connection that was lost
    /// nobody knows whether it committed first; to delete a cache entry too many does no harm.
    pub(crate) fn told<T>(
        &self,
        cache: &CacheKeys,
        keys: &[&str],
        written: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &written {
            Ok(_) => {
                if let Some(audit) = &self.audit {
                    audit.note(keys);
                }
                cache.gone(keys);
            }
            Err(error) if matches!(error.fault(), Fault::Lost | Fault::Stopped) => cache.gone(keys),
            Err(_) => {}
        }
        written
    }

    /// The same for a delete: what other tables keep is a login still.
    pub(crate) fn deleted(
        &self,
        cache: &CacheKeys,
        keys: &[&str],
        deleted: Result<Gone, StoreError>,
    ) -> Result<Gone, StoreError> {
        let kept = deleted.as_ref().map(|gone| &gone.kept.rows).ok();
        let gone = keys.iter().filter(|key| kept.is_none_or(|kept| !kept.contains(**key)));
        let gone: Vec<&str> = gone.copied().collect();
        self.told(cache, &gone, deleted)
    }

    /// From here on the time counts that the work was given.
    pub(crate) fn begin(&self, pace: &Pace) {
        if let Some(time) = pace.run_time {
            self.stop.end_after(time);
        }
    }

    pub(crate) fn scan(&self) -> Scan<'_> {
        Scan { workers: self.workers, stop: self.stop, progress: &*self.progress }
    }
}
