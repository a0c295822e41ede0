//! Compares the user column of a row with the user that its data names, and decides whether to fill it,
//! correct it or leave it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use django_session::{Codec, Decoder, Verdict};

use crate::model::{Data, Keys, Page, Row, Tally, Timestamp};
use crate::sessions::unfit_ids::UnfitIds;
use crate::store::{UserColumn, UserType, Was};

/// The counts of a scan: rows by what their data and their user column hold.
#[derive(Default)]
pub(super) struct Findings {
    /// The tally of the rows. An expired row counts by its data, if it is scanned at all.
    pub(super) tally: Tally,
    /// Logins with NULL in the column.
    pub(super) missing: u64,
    /// Logins with another user in the column.
    pub(super) different: u64,
    /// Logins of users whose id does not fit the type of the column.
    pub(super) misfits: u64,
    /// Some of these ids.
    pub(super) misfit_ids: UnfitIds,
    /// Logins of users who are missing from the table that the column refers to.
    pub(super) unknown: u64,
    /// Logins that were saved within the last hour, and those of them with NULL in the column.
    pub(super) recent: u64,
    pub(super) recent_missing: u64,
    /// Bytes of the data of logins that is stored in the row itself.
    pub(super) bytes: u64,
    /// Whether some id does not fit a column of numbers, or of UUIDs.
    pub(super) no_number: bool,
    pub(super) no_uuid: bool,
    /// Keys of rows whose column is wrong and that this scan does not correct. If there are many, only some
    /// of them.
    pub(super) wrong: Keys,
}

/// A value to write into the column of a row.
pub(super) struct Stamp {
    pub(super) key: String,
    pub(super) data: Was,
    pub(super) user: Option<String>,
}

impl Stamp {
    pub(super) fn bytes(&self) -> usize {
        self.key.len() + self.data.bytes()
    }
}

/// The findings of one page.
#[derive(Default)]
pub(super) struct PageFindings {
    pub(super) found: Findings,
    pub(super) stamps: Vec<Stamp>,
}

const MOST_WRONG: usize = 100_000;
/// PostgreSQL stores longer values outside the row, and does not copy them when it writes a new version of
/// the row.
const STORED_INLINE: usize = 2_000;
/// In seconds.
const HOUR: i64 = 3_600;

/// Decodes rows and compares their users with the column.
pub(super) struct Judge<'c> {
    decoder: Decoder<'c>,
    rules: Rules<'c>,
}

/// The rules for the column.
struct Rules<'c> {
    column: &'c UserColumn,
    /// Seconds since 1970.
    hour_ago: i64,
    /// Whether values are corrected, or only NULL is filled; `None` if nothing is written.
    overwrite: Option<bool>,
    /// Users that the column cannot name.
    unknown: &'c BTreeSet<String>,
}

impl<'c> Judge<'c> {
    pub(super) fn new(
        codec: &'c Codec,
        column: &'c UserColumn,
        overwrite: Option<bool>,
        unknown: &'c BTreeSet<String>,
    ) -> Self {
        let hour_ago = Timestamp::now().as_micros() / 1_000_000 - HOUR;
        let rules = Rules { column, hour_ago, overwrite, unknown };
        Self { decoder: Decoder::new(codec), rules }
    }

    pub(super) fn page(&mut self, page: &Page) -> PageFindings {
        let mut findings = PageFindings::default();
        let Self { decoder, rules } = self;
        let mut decoder = decoder.page();
        for row in page.rows() {
            rules.row(&row, &mut decoder, &mut findings);
        }
        findings
    }
}

impl Rules<'_> {
    fn row(&self, row: &Row<'_>, decoder: &mut Decoder<'_>, page: &mut PageFindings) {
        let found = &mut page.found;
        let session = row.decode(decoder);
        let verdict = session.verdict(|_| true);
        found.tally.count(&verdict);
        let (Verdict::Login(login), Data::Text(data)) = (&verdict, row.data) else {
            // Signatures are checked only until one row has proved the keys right.
            if found.tally.signatures.valid == 0 {
                found.tally.signatures.count(session.signature());
            }
            return;
        };
        found.tally.signatures.count(login.signature);
        if login.is_unverified() {
            return;
        }
        let id = &*login.user_id;
        found.bytes += u64::try_from(data.len().min(STORED_INLINE)).unwrap_or(0);
        found.no_number = found.no_number || UserType::Bigint.fit(id).is_none();
        found.no_uuid = found.no_uuid || UserType::Uuid.fit(id).is_none();
        let mut user = self.column.fit(id);
        if user.is_none() {
            found.misfits += 1;
            found.misfit_ids.note(id);
        }
        if user.take_if(|user| self.unknown.contains(&**user)).is_some() {
            found.unknown += 1;
        }
        let recent = session.saved().is_some_and(|saved| saved > self.hour_ago);
        found.recent += u64::from(recent);
        let stamped = match (row.user, user.as_deref()) {
            (None, Some(_)) => {
                found.missing += 1;
                found.recent_missing += u64::from(recent);
                self.overwrite
            }
            (Some(stamp), user) if user != Some(stamp) => {
                found.different += 1;
                self.overwrite.filter(|overwrite| *overwrite)
            }
            (None, None) | (Some(_), _) => return,
        };
        if stamped.is_some() {
            let (key, data, user) = (row.key.into(), data.into(), user.map(Cow::into_owned));
            page.stamps.push(Stamp { key, data, user });
        } else {
            found.wrong.push(row.key);
        }
    }
}

impl Findings {
    pub(super) fn add(&mut self, page: Self) {
        self.tally += page.tally;
        self.missing += page.missing;
        self.different += page.different;
        self.misfits += page.misfits;
        self.misfit_ids.append(page.misfit_ids);
        self.unknown += page.unknown;
        self.recent += page.recent;
        self.recent_missing += page.recent_missing;
        self.bytes += page.bytes;
        self.no_number |= page.no_number;
        self.no_uuid |= page.no_uuid;
        if self.wrong.len() < MOST_WRONG {
            self.wrong.append(&page.wrong);
        }
    }
}
