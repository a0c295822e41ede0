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

/// The rows to scan.
#[derive(Clone)]
pub(super) struct Scope<'s> {
    pub(super) column: &'s UserColumn,
    /// Whether the column exists.
    pub(super) exists: bool,
    pub(super) condition: ColumnCondition,
    pub(super) include_expired: bool,
    /// Stop after this many logins, unless the key has verified none: only a scan of the whole table shows
    /// that a key is wrong.
    pub(super) enough: Option<u64>,
    /// Users who are missing from the table that the column refers to.
    pub(super) unknown: &'s BTreeSet<String>,
}

/// How to correct the rows whose column is wrong.
pub(super) struct Act<'d, 'w> {
    pub(super) driver: &'d mut Driver<'w>,
    /// Also correct values that are not NULL.
    pub(super) overwrite: bool,
    /// Collects users who turn out to be missing from the table that the column refers to.
    pub(super) unknown: &'d mut BTreeSet<String>,
}

/// Limits of what is collected before it is written: batches can grow, memory cannot.
const GATHERED_ROWS: usize = 10_000;
const GATHERED_BYTES: usize = 4 << 20;

impl Findings {
    /// Scans the rows in scope, and corrects them if asked to. The second value says how the scan ended, or
    /// why writing failed.
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

/// Reads the rows with these keys again and corrects them at once. So little time passes between reading and
/// writing that the site's next request hardly ever changes the row in between.
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
