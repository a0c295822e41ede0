//! One scan that compares rows with their user column, and fills or corrects the column on the way if asked
//! to.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::judge::{Findings, Judge, Stamp};
use crate::context::Ctx;
use crate::engine::{Doing, Driver, Ended, StopReason};
use crate::model::{Keys, Page};
use crate::sessions::read_few::read_few;
use crate::store::{
    Assignment, ByUser, ColumnCondition, Filter, Reader, StoreError, UserColumn, Writer,
};

/// Which rows are looked at.
#[derive(Clone)]
pub(super) struct Scope<'s> {
    pub(super) column: &'s UserColumn,
    /// Whether the table has it yet.
    pub(super) exists: bool,
    pub(super) condition: ColumnCondition,
    pub(super) include_expired: bool,
    /// End after so many logins, unless the key verified nothing yet: only the whole table says that it is wrong.
    pub(super) enough: Option<u64>,
    /// Users that the column cannot name.
    pub(super) unknown: &'s BTreeSet<String>,
}

/// What is done about rows whose column does not say what they are.
pub(super) struct Act<'d, 'w> {
    pub(super) driver: &'d mut Driver<'w>,
    /// Also where it says something else.
    pub(super) overwrite: bool,
    /// Users that the column turns out to be unable to name.
    pub(super) unknown: &'d mut BTreeSet<String>,
}

/// What is gathered before it is written, so that a batch can grow and memory cannot.
const GATHERED_ROWS: usize = 10_000;
const GATHERED_BYTES: usize = 4 << 20;

impl Findings {
    /// Looks at the rows in scope, and acts where it is told to. How the looking ended, or why the
    /// acting could not go on, comes second.
    pub(super) fn take(
        ctx: &Ctx<'_>,
        reader: &mut dyn Reader,
        scope: &Scope<'_>,
        mut act: Option<Act<'_, '_>>,
    ) -> Result<(Self, Result<Ended, StopReason>), StoreError> {
        let by = ByUser { column: scope.column.clone(), condition: scope.condition.clone() };
        let now = reader.now()?;
        let filter = Filter {
            live_at: (!scope.include_expired).then_some(now),
            user: scope.exists.then_some(by),
            in_pages: act.is_some(),
            ..Filter::default()
        };
        let overwrite = act.as_ref().map(|act| act.overwrite);
        let (codec, column) = (ctx.codec, scope.column);
        let worker = || {
            let mut judge = Judge::new(codec, column, overwrite, scope.unknown);
            move |page: &mut Page| judge.page(page)
        };
        let mut found = Self::default();
        let (mut gathered, mut bytes) = (Vec::new(), 0);
        let mut failed = None;
        let ended = ctx.scan().run(reader, &filter, worker, |page| {
            found.add(page.found);
            bytes += page.stamps.iter().map(Stamp::bytes).sum::<usize>();
            gathered.extend(page.stamps);
            if let Some(act) = &mut act
                && (gathered.len() >= GATHERED_ROWS || bytes >= GATHERED_BYTES)
            {
                bytes = 0;
                if let Err(why) = write(act, column, &std::mem::take(&mut gathered)) {
                    failed = Some(why);
                    return ControlFlow::Break(());
                }
            }
            match scope.enough {
                Some(enough)
                    if found.tally.named() >= enough
                        && found.tally.signatures.none_is_valid().is_none() =>
                {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        })?;
        if let (Some(act), None, Ended::Whole) = (&mut act, &failed, ended) {
            failed = write(act, column, &gathered).err();
        }
        Ok((found, failed.map_or(Ok(ended), Err)))
    }
}

fn write(act: &mut Act<'_, '_>, column: &UserColumn, stamps: &[Stamp]) -> Result<(), StopReason> {
    let Act { driver, overwrite, unknown } = act;
    driver.write(stamps, |writer, batch| assign(writer, column, batch, *overwrite, unknown))
}

fn assign(
    writer: &mut dyn Writer,
    column: &UserColumn,
    stamps: &[Stamp],
    overwrite: bool,
    unknown: &mut BTreeSet<String>,
) -> Result<u64, StoreError> {
    let rows: Vec<_> = stamps
        .iter()
        .map(|row| Assignment { key: &row.key, data: &row.data, user: row.user.as_deref() })
        .collect();
    let mut done = writer.assign(column, &rows, overwrite)?;
    unknown.append(&mut done.unknown);
    Ok(done.rows)
}

/// Reads the rows with these keys again and acts at once: between reading and writing is too little
/// time for a visitor's next request, that changes the row, to come in time and again.
pub(super) fn mend(
    ctx: &Ctx<'_>,
    column: &UserColumn,
    act: Act<'_, '_>,
    keys: &Keys,
) -> Result<(), StopReason> {
    let Act { driver, overwrite, unknown } = act;
    let known_before = unknown.clone();
    let mut judge = Judge::new(ctx.codec, column, Some(overwrite), &known_before);
    driver.is_doing(Doing::Filling);
    driver.each(keys, |writer, batch| {
        read_few(writer, batch, &mut |writer, page, _| {
            let found = judge.page(page);
            assign(writer, column, &found.stamps, overwrite, unknown)
        })
    })
}
