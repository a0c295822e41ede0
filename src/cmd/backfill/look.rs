//! One look at the rows of a table and what their user column says, that can put it right on the way.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::cmd::Ctx;
use crate::codec::Decoder;
use crate::engine::{Driver, Ended, Why};
use crate::model::{Page, Row, Signature, Timestamp};
use crate::store::{Assignment, ByUser, Filter, Reader, Stamps, StoreError, UserColumn, UserType};

/// Which rows are looked at.
#[derive(Clone)]
pub(super) struct Scope<'s> {
    pub(super) column: &'s UserColumn,
    /// Whether the table has it yet.
    pub(super) exists: bool,
    pub(super) stamps: Stamps,
    pub(super) include_expired: bool,
    /// End after so many logins.
    pub(super) enough: Option<u64>,
}

/// What is done about rows whose column does not say what they are.
pub(super) struct Act<'d, 'w> {
    pub(super) driver: &'d mut Driver<'w>,
    /// Also where it says something else.
    pub(super) overwrite: bool,
}

/// What a look found: rows by what was found in them.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) scanned: u64,
    /// Rows that Django takes for somebody's login.
    pub(super) logins: u64,
    /// Of these: without a word in the column.
    pub(super) missing: u64,
    /// Of these: with somebody else in the column.
    pub(super) different: u64,
    /// Of these: by a user whose id does not fit the type of the column.
    pub(super) misfits: u64,
    /// The smallest such ids.
    pub(super) misfit_ids: BTreeSet<String>,
    pub(super) anonymous: u64,
    /// Rows that name a user and that Django reads as empty.
    pub(super) unverified: u64,
    pub(super) unreadable: u64,
    /// Rows whose signature was checked, and found right.
    pub(super) checked: u64,
    pub(super) valid: u64,
    /// Logins saved within the last hour, and those of them without a word in the column.
    pub(super) recent: u64,
    pub(super) recent_missing: u64,
    /// Bytes of the data of logins, as far as they are stored in the row itself.
    pub(super) bytes: u64,
    /// Which types of column every id fits.
    pub(super) no_number: bool,
    pub(super) no_uuid: bool,
}

/// A row whose column is to say this.
struct Stamp {
    key: String,
    data: String,
    user: Option<String>,
}

/// What one page gave.
#[derive(Default)]
struct PageFindings {
    found: Findings,
    wrong: Vec<Stamp>,
}

const MOST_IDS: usize = 5;
/// What is longer PostgreSQL stores elsewhere, and does not write anew when a row is.
const STORED_INLINE: usize = 2_000;
/// In seconds.
const HOUR: i64 = 3_600;
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
    ) -> Result<(Self, Result<Ended, Why>), StoreError> {
        let by = ByUser { column: scope.column.clone(), stamps: scope.stamps.clone() };
        let now = Timestamp::now();
        let filter = Filter {
            live_at: (!scope.include_expired).then_some(now),
            user: scope.exists.then_some(by),
            in_pages: act.is_some(),
            ..Filter::default()
        };
        let overwrite = act.as_ref().map(|act| act.overwrite);
        let codec = &ctx.codec;
        let worker = || {
            let mut judge = Judge {
                decoder: Decoder::new(codec),
                column: scope.column,
                hour_ago: now.as_micros() / 1_000_000 - HOUR,
                overwrite,
            };
            move |page: &Page| {
                let mut findings = PageFindings::default();
                for row in page.rows() {
                    judge.row(&row, &mut findings);
                }
                findings
            }
        };
        let mut found = Self::default();
        let (mut gathered, mut bytes) = (Vec::new(), 0);
        let mut failed = None;
        let column = scope.column;
        let ended = ctx.scan().run(reader, &filter, worker, |page| {
            found.add(page.found);
            bytes += page.wrong.iter().map(Stamp::bytes).sum::<usize>();
            gathered.extend(page.wrong);
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
                Some(enough) if found.logins + found.unverified >= enough => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })?;
        if let (Some(act), None, Ended::Whole) = (&mut act, &failed, ended) {
            failed = write(act, column, &gathered).err();
        }
        Ok((found, failed.map_or(Ok(ended), Err)))
    }
}

fn write(act: &mut Act<'_, '_>, column: &UserColumn, rows: &[Stamp]) -> Result<(), Why> {
    let overwrite = act.overwrite;
    act.driver.write(rows, |writer, batch| {
        let rows: Vec<_> = batch
            .iter()
            .map(|row| Assignment { key: &row.key, data: &row.data, user: row.user.as_deref() })
            .collect();
        writer.assign(column, &rows, overwrite)
    })
}

impl Stamp {
    fn bytes(&self) -> usize {
        self.key.len() + self.data.len()
    }
}

/// Tells whose rows are.
struct Judge<'c> {
    decoder: Decoder<'c>,
    column: &'c UserColumn,
    /// Seconds since 1970.
    hour_ago: i64,
    /// Whether what the column says is put right; `None` if nothing is.
    overwrite: Option<bool>,
}

impl Judge<'_> {
    fn row(&mut self, row: &Row<'_>, page: &mut PageFindings) {
        let found = &mut page.found;
        found.scanned += 1;
        let session = self.decoder.decode(row.data);
        let Ok(auth) = session.auth() else {
            found.unreadable += 1;
            return;
        };
        let Some(id) = auth.user_id else {
            found.anonymous += 1;
            return;
        };
        let signature = session.signature();
        found.checked += u64::from(signature != Signature::Unchecked);
        found.valid += u64::from(signature == Signature::Valid);
        if signature == Signature::Invalid {
            found.unverified += 1;
            return;
        }
        found.logins += 1;
        found.bytes += u64::try_from(row.data.len().min(STORED_INLINE)).unwrap_or(0);
        found.no_number = found.no_number || UserType::Bigint.fit(&id).is_none();
        found.no_uuid = found.no_uuid || UserType::Uuid.fit(&id).is_none();
        let user = self.column.fit(&id);
        if user.is_none() {
            found.misfits += 1;
            found.misfit_ids.insert(id.to_string());
            found.keep_few_ids();
        }
        let recent = session.saved().is_some_and(|saved| saved > self.hour_ago);
        found.recent += u64::from(recent);
        let wrong = match (row.user, user.as_deref()) {
            (None, Some(_)) => {
                found.missing += 1;
                found.recent_missing += u64::from(recent);
                self.overwrite.is_some()
            }
            (Some(stamp), user) if user != Some(stamp) => {
                found.different += 1;
                self.overwrite == Some(true)
            }
            (None, None) | (Some(_), _) => false,
        };
        if wrong {
            let (key, data, user) = (row.key.into(), row.data.into(), user.map(Cow::into_owned));
            page.wrong.push(Stamp { key, data, user });
        }
    }
}

impl Findings {
    fn keep_few_ids(&mut self) {
        while self.misfit_ids.len() > MOST_IDS {
            self.misfit_ids.pop_last();
        }
    }

    fn add(&mut self, page: Self) {
        self.scanned += page.scanned;
        self.logins += page.logins;
        self.missing += page.missing;
        self.different += page.different;
        self.misfits += page.misfits;
        self.misfit_ids.extend(page.misfit_ids);
        self.keep_few_ids();
        self.anonymous += page.anonymous;
        self.unverified += page.unverified;
        self.unreadable += page.unreadable;
        self.checked += page.checked;
        self.valid += page.valid;
        self.recent += page.recent;
        self.recent_missing += page.recent_missing;
        self.bytes += page.bytes;
        self.no_number |= page.no_number;
        self.no_uuid |= page.no_uuid;
    }
}
