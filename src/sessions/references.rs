//! Rows of other tables that refer to sessions. Before the first batch, and in a dry run, commands that delete tell the operator
//! what foreign keys do, and check the columns whose rows are to go with their sessions.

use std::collections::{BTreeSet, HashSet};

use crate::cli;
use crate::context::Ctx;
use crate::error::Error;
use crate::model::Keys;
use crate::report::{DeletedOf, Referenced, ReferencesDeleted};
use crate::store::{Kept, Reader, Reference, ReferringColumn, Store, StoreError, add_each};

/// Most keys in one statement.
const KEYS_AT_ONCE: usize = 5_000;

/// The columns whose rows are to go with their sessions, each once. An error if `otherwise`, an option that deletes no single
/// session, was given as well.
pub(crate) fn asked(
    args: &cli::References,
    otherwise: Option<&str>,
) -> Result<Vec<ReferringColumn>, Error> {
    let mut columns: Vec<_> =
        args.cleanup_allauth.then(ReferringColumn::of_allauth).into_iter().collect();
    for typed in &args.delete_references {
        let column = typed.parse().map_err(|error| {
            Error::usage(
                format!("--delete-references {typed:?}: {error}"),
                "as in --delete-references shop_device.session_key",
            )
        })?;
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    let option = if args.cleanup_allauth { "--cleanup-allauth" } else { "--delete-references" };
    match otherwise.filter(|_| !columns.is_empty()) {
        Some("--keep-data") => Err(Error::usage(
            format!(
                "{option} cannot be combined with --keep-data: the sessions stay, and the rows of other tables point at them"
            ),
            format!(
                "leave {option} out: django-allauth drops rows of sessions without a login by itself"
            ),
        )),
        Some(other) => Err(Error::usage(
            format!(
                "{option} cannot be combined with {other}: it reads no session, and so knows no row that refers to one"
            ),
            format!("leave {other} out, or empty the other table yourself"),
        )),
        None => Ok(columns),
    }
}

/// Checks the columns whose rows are to go with their sessions, tells the operator what the foreign keys do, and returns these.
pub(crate) fn note(ctx: &Ctx<'_>, reader: &mut dyn Reader) -> Result<Vec<Reference>, Error> {
    if !ctx.referring.is_empty() {
        for warning in reader.check_referring()? {
            ctx.talk.warning(&warning);
        }
    }
    let mut references = reader.references()?;
    references.retain(|reference| !reference.is_deleted());
    for reference in &references {
        let Reference { table, on_delete, .. } = reference;
        let columns = reference.columns.join(", ");
        ctx.talk.note(&if reference.takes_sessions() {
            format!(
                "sessions refer to each other ({columns}) ON DELETE CASCADE: a session to which another one refers stays, \
                 since that one would go with it, whosever it is"
            )
        } else if reference.hinders() {
            format!(
                "table {table} ({columns}) refers to sessions: the database does not let a session go to which a row \
                 of it refers, so these stay{}",
                way_out(reference)
            )
        } else {
            format!(
                "table {table} refers to sessions ON DELETE {on_delete}: the database does that to its rows"
            )
        });
    }
    Ok(references)
}

/// How to have the rows deleted, too, where a name needs no quotes. They may be of worth to the site, so this says what it does.
fn way_out(reference: &Reference) -> String {
    let is_plain = |name: &str| name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    match &*reference.columns {
        [column] if is_plain(&reference.table) && is_plain(column) => {
            let table = &reference.table;
            format!(
                "; --delete-references {table}.{column} deletes these rows of {table} with them"
            )
        }
        _ => String::new(),
    }
}

/// Whether a dry run needs the keys of sessions: to count rows of other tables that keep sessions, or go with them.
pub(crate) fn need_keys(ctx: &Ctx<'_>, references: &[Reference]) -> bool {
    !ctx.referring.is_empty() || references.iter().any(Reference::hinders)
}

/// Sessions that stay because rows of other tables refer to them.
#[derive(Default)]
pub(crate) struct KeptSessions(Kept);

impl KeptSessions {
    /// Of the sessions that a dry run found, those that other tables would keep, as far as the role can see.
    pub(crate) fn foreseen(store: &dyn Store, keys: &Keys) -> Result<Self, StoreError> {
        let keys: Vec<&str> = keys.iter().collect();
        let mut kept = Kept::default();
        if !keys.is_empty() {
            let mut reader = store.reader()?;
            for some in keys.chunks(KEYS_AT_ONCE) {
                kept.add(reader.referenced(some)?);
            }
        }
        Ok(Self(kept))
    }

    /// Adds the result of a batch: of the sessions with these keys, `kept` stay.
    pub(crate) fn acted(&mut self, keys: &Keys, kept: Kept) {
        for key in keys.iter() {
            self.0.rows.remove(key);
        }
        self.0.add(kept);
    }

    /// Drops sessions that a later scan did not find: the site ended them meanwhile.
    pub(crate) fn retain(&mut self, found: &Keys) {
        let there: HashSet<&str> = found.iter().collect();
        self.0.rows.retain(|key| there.contains(&**key));
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.count()
    }

    /// How many sessions with these keys are kept.
    pub(crate) fn among(&self, keys: &Keys) -> usize {
        keys.iter().filter(|key| self.0.rows.contains(*key)).count()
    }

    /// The keys among these whose sessions are not kept.
    pub(crate) fn not_among<'k>(&self, keys: &'k Keys) -> Vec<&'k str> {
        keys.iter().filter(|key| !self.0.rows.contains(*key)).collect()
    }

    /// How many deleted sessions a scan found again although no other table keeps them.
    pub(crate) fn deleted_and_found(&self, deleted: &Keys, found: &Keys) -> u64 {
        let found: HashSet<&str> = found.iter().collect();
        let again = self.not_among(deleted).into_iter().filter(|key| found.contains(key)).count();
        u64::try_from(again).unwrap_or(u64::MAX)
    }

    pub(crate) fn report(self) -> Referenced {
        let referenced = self.count();
        let referenced_by = if referenced > 0 { self.0.by } else { BTreeSet::new() };
        Referenced { referenced, referenced_by }
    }
}

/// Rows of the columns in [`Ctx::referring`], in that order.
#[derive(Default)]
pub(crate) struct ReferencesGone {
    /// Those that were deleted, or would be after a dry run.
    rows: Vec<u64>,
    /// Those that refer to deleted sessions after all, if they were counted.
    left: Option<Vec<u64>>,
    /// Whether there are more than were counted.
    at_least: bool,
}

impl ReferencesGone {
    /// What a dry run would delete: what refers to the sessions with these keys, of `matched` that it found.
    pub(crate) fn foreseen(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        keys: &[&str],
        matched: u64,
    ) -> Result<Self, StoreError> {
        let rows = count(ctx, store, keys)?;
        let at_least = u64::try_from(keys.len()).is_ok_and(|keys| keys < matched);
        Ok(Self { rows, left: None, at_least })
    }

    /// Adds the result of a batch.
    pub(crate) fn add(&mut self, rows: &[u64]) {
        add_each(&mut self.rows, rows);
    }

    /// Counts the rows that refer to these deleted sessions.
    pub(crate) fn look(
        &mut self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
        keys: &[&str],
    ) -> Result<(), StoreError> {
        if !ctx.referring.is_empty() {
            add_each(self.left.get_or_insert_default(), &count(ctx, store, keys)?);
        }
        Ok(())
    }

    pub(crate) fn are_left(&self) -> bool {
        self.left.iter().flatten().any(|rows| *rows > 0)
    }

    pub(crate) fn report(&self, ctx: &Ctx<'_>, dry_run: bool) -> ReferencesDeleted {
        let rows: Vec<_> = self.rows.iter().map(|rows| Some(*rows)).collect();
        report(ctx, dry_run, (&rows, self.left.as_deref(), self.at_least))
    }
}

/// Counts the rows of each column that refer to these keys.
fn count(ctx: &Ctx<'_>, store: &dyn Store, keys: &[&str]) -> Result<Vec<u64>, StoreError> {
    let mut counts = vec![0; ctx.referring.len()];
    if !ctx.referring.is_empty() && !keys.is_empty() {
        let mut reader = store.reader()?;
        for some in keys.chunks(KEYS_AT_ONCE) {
            add_each(&mut counts, &reader.count_referring(some)?);
        }
    }
    Ok(counts)
}

/// The counts of each column, for a report: rows, those that are left, and whether there are more.
pub(crate) fn report(
    ctx: &Ctx<'_>,
    dry_run: bool,
    (rows, left, at_least): (&[Option<u64>], Option<&[u64]>, bool),
) -> ReferencesDeleted {
    let allauth = ReferringColumn::of_allauth();
    let columns = ctx.referring.iter().enumerate().map(|(place, referring)| DeletedOf {
        table: referring.table().to_string(),
        column: referring.column().to_owned(),
        rows: rows.get(place).copied().unwrap_or(Some(0)),
        left: left.map(|left| left.get(place).copied().unwrap_or(0)),
        at_least,
        is_of_allauth: *referring == allauth,
    });
    let columns: Vec<_> = columns.collect();
    let of_allauth = columns.iter().find(|column| column.is_of_allauth && !dry_run);
    ReferencesDeleted { allauth_deleted: of_allauth.and_then(|column| column.rows), columns }
}

/// Refuses `--truncate` where the database would refuse it. TRUNCATE fails if a foreign key exists, even if
/// no row refers to a session.
pub(crate) fn refuse(reader: &mut dyn Reader) -> Result<(), Error> {
    let tables: Vec<_> =
        reader.references()?.into_iter().map(|reference| reference.table).collect();
    if tables.is_empty() { Ok(()) } else { Err(Error::Referenced { tables: tables.join(", ") }) }
}
