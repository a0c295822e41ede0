//! Checks a sample of the newest rows: whether the keys verify them, and how they are serialized.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use django_session::{Decoder, Verdict};

use crate::context::Ctx;
use crate::model::{Expiry, Finding, Layout, Row, Serializer, Tally, Timestamp, counted};
use crate::sessions::lookup::spellings;
use crate::sessions::similar_keys::NO_LAYOUT;
use crate::store::{ByUser, ColumnCondition, Filter, Reader, StoreError, UserColumn};

/// Rows in a sample.
const ROWS: u32 = 1_000;
/// A session that was saved within this many seconds is recent.
const RECENT: i64 = 3_600;

/// The counts of a sample.
#[derive(Default)]
pub(super) struct Sample {
    pub(super) rows: u64,
    /// Whether the rows are the newest, or arbitrary ones.
    is_newest: bool,
    /// Rows by the key that verifies them.
    by_key: Vec<u64>,
    layouts: BTreeMap<Option<Layout>, u64>,
    serializers: BTreeMap<Option<Serializer>, u64>,
    /// The tally of the rows. An expired row counts by its data.
    tally: Tally,
    /// When rows were saved and when they expire, for rows that have both times.
    pub(super) moments: Vec<Moment>,
    /// All logins, and recent ones.
    pub(super) logins: Stamped,
    pub(super) recent: Stamped,
}

/// The time of a save and the expiry that was written with it, in seconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) saved: i64,
    pub(super) expires: Expiry,
}

/// Logins, by what their user column holds.
#[derive(Clone, Copy, Default)]
pub(super) struct Stamped {
    pub(super) logins: u64,
    pub(super) right: u64,
    pub(super) wrong: u64,
}

impl Sample {
    pub(super) fn take(
        ctx: &Ctx<'_>,
        reader: &mut dyn Reader,
        is_newest: bool,
        column: Option<&UserColumn>,
    ) -> Result<Self, StoreError> {
        let by = |column: &UserColumn| ByUser {
            column: column.clone(),
            condition: ColumnCondition::Any,
        };
        let filter =
            Filter { newest: is_newest.then_some(ROWS), user: column.map(by), ..Filter::default() };
        let mut sample =
            Self { is_newest, by_key: vec![0; ctx.codec.keyring.len()], ..Self::default() };
        let mut decoder = Decoder::new(ctx.codec);
        let now = Timestamp::now().as_micros() / 1_000_000;
        reader.scan(&filter, &mut |mut page| {
            for row in page.rows() {
                if sample.rows == u64::from(ROWS) {
                    return ControlFlow::Break(());
                }
                sample.add(&mut decoder, &row, column, now);
            }
            page.clear();
            ControlFlow::Continue(page)
        })?;
        Ok(sample)
    }

    fn add(
        &mut self,
        decoder: &mut Decoder<'_>,
        row: &Row<'_>,
        column: Option<&UserColumn>,
        now: i64,
    ) {
        let session = row.decode(decoder);
        self.rows += 1;
        if let Some(count) = session.signed_by().and_then(|key| self.by_key.get_mut(key)) {
            *count += 1;
        }
        *self.layouts.entry(session.layout()).or_default() += 1;
        let serializer = session.payload().ok().map(|payload| payload.serializer());
        *self.serializers.entry(serializer).or_default() += 1;
        self.moments.extend(session.saved().map(|saved| Moment { saved, expires: row.expires }));
        let verdict = session.verdict(|_| true);
        self.tally.count(&verdict);
        if let (Some(column), Verdict::Login(login)) = (column, &verdict)
            && !login.is_unverified()
        {
            let is_right = row.user.map(|said| spellings(column, &login.user_id).contains(said));
            self.logins.add(is_right);
            if session.saved().is_some_and(|saved| saved > now - RECENT) {
                self.recent.add(is_right);
            }
        }
    }

    /// Names the rows of the sample.
    fn what(&self) -> String {
        let newest = if self.is_newest { "newest " } else { "" };
        match self.rows {
            1 => format!("the {newest}row"),
            rows => format!("the {newest}{rows} rows"),
        }
    }

    pub(super) fn describe_keys(&self) -> Finding {
        const CHECK: &str = "key";
        let keys = self.by_key.len();
        let Some(first) = self.by_key.first() else {
            return Finding::unknown(CHECK, "no SECRET_KEY given: no signature was checked")
                .next("set SESSCTL_SECRET_KEY or use --secret-key-file");
        };
        let share = |rows: u64| percent(rows, self.rows);
        let each: Vec<String> = self
            .by_key
            .iter()
            .zip(1..)
            .map(|(rows, number)| format!("key {number} of {keys}: {}", share(*rows)))
            .collect();
        let verified: u64 = self.by_key.iter().sum();
        let text = format!("verifies {} of {} ({})", share(verified), self.what(), each.join(", "));
        if verified == 0 {
            Finding::problem(
                CHECK,
                text,
                if self.layouts.keys().all(Option::is_none) {
                    NO_LAYOUT
                } else {
                    "give the SECRET_KEY of the site itself; a SessionStore class of its own needs --key-salt"
                },
            )
        } else if verified * 100 < self.rows * 95 {
            Finding::warning(
                CHECK,
                text,
                "if the key was rotated, give the old ones too; the site reads rows that no key verifies as empty",
            )
        } else if *first == 0 {
            Finding::warning(
                CHECK,
                text,
                "is the first key the site's SECRET_KEY? --keep-data signs with it",
            )
        } else {
            Finding::ok(CHECK, text)
        }
    }

    pub(super) fn describe_formats(&self) -> [Finding; 2] {
        let layouts: Vec<String> = self
            .layouts
            .iter()
            .map(|(layout, rows)| format!("{} {}", by(*layout), percent(*rows, self.rows)))
            .collect();
        let text = format!("of {}: {}", self.what(), layouts.join(", "));
        let layouts = if self.layouts.contains_key(&None) {
            Finding::warning(
                "layouts",
                text,
                "`sessctl list --all` shows which rows are not Django's",
            )
        } else {
            Finding::ok("layouts", text)
        };
        [layouts, self.describe_serializers()]
    }

    fn describe_serializers(&self) -> Finding {
        const CHECK: &str = "serializers";
        let word = |serializer: &Option<Serializer>| match serializer {
            Some(Serializer::Json) => "JSON",
            Some(Serializer::Pickle) => "pickle",
            None => "neither JSON nor pickle",
        };
        let each: Vec<String> = self
            .serializers
            .iter()
            .map(|(serializer, rows)| format!("{} {}", word(serializer), percent(*rows, self.rows)))
            .collect();
        let text = format!("of {}: {}", self.what(), each.join(", "));
        if self.serializers.contains_key(&Some(Serializer::Pickle)) {
            Finding::warning(
                CHECK,
                text,
                "who has the SECRET_KEY can run code on a site that reads pickles: let it use JSONSerializer; \
                 `sessctl stats` counts those that are left",
            )
        } else if self.tally.unreadable > 0 {
            Finding::warning(
                CHECK,
                format!("{text}; {} cannot be read", counted(self.tally.unreadable, "row")),
                "they may be anybody's, and logout-user leaves them: `sessctl list --all` says why",
            )
        } else {
            Finding::ok(CHECK, text)
        }
    }
}

impl Stamped {
    fn add(&mut self, is_right: Option<bool>) {
        self.logins += 1;
        self.right += u64::from(is_right == Some(true));
        self.wrong += u64::from(is_right == Some(false));
    }
}

/// The versions of Django that write this layout.
fn by(layout: Option<Layout>) -> &'static str {
    match layout {
        Some(Layout::Signed) => "Django 3.1 and later",
        Some(Layout::Legacy) => "Django 1.3 to 3.0",
        Some(Layout::Md5) => "Django 1.2",
        None => "no layout of Django's",
    }
}

/// A percentage that is 100% only for all, and 0% only for none.
pub(super) fn percent(part: u64, whole: u64) -> String {
    match part.saturating_mul(100).checked_div(whole).unwrap_or(0) {
        0 if part > 0 => "under 1%".into(),
        share => format!("{share}%"),
    }
}
