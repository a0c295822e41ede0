//! Counts the rows of a table for `stats`.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use django_session::{Decoded, Decoder, Verdict};

use super::report::LargeSession;
use super::sketch::{Day, DayRows, Days, Distinct, Sizes};
use crate::model::{
    Expiry, Layout, Page, Row, Serializer, Signature, Tally, Timestamp, masked_key,
};
use crate::sessions::counts::{Counts, beginning};
use crate::sessions::login_keys_seen::LoginKeysSeen;
use crate::sessions::selection::{Found, TableSelection};

const DAY: i64 = 24 * 3_600;
/// Most large sessions that are named.
const LARGEST: usize = 5;

/// The counts of `stats`. Users and times are those of live rows; formats and sizes are those of all rows.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) tally: Tally,
    pub(super) impersonated: u64,
    /// What the live rows are to the selection.
    pub(super) found: Found,
    /// Rows by the place of their key.
    pub(super) signed_by: BTreeMap<usize, SignedBy>,
    pub(super) compressed: u64,
    pub(super) formats: Formats,
    pub(super) sizes: Sizes,
    pub(super) largest: Vec<LargeSession>,
    pub(super) users: Counts,
    /// Users behind impersonations.
    pub(super) behind: Counts,
    pub(super) backends: Counts,
    pub(super) members: Counts,
    pub(super) saved: Days,
    pub(super) expires: Days,
}

/// Rows by layout, serializer and signature; a row without layout or serializer has `None`.
#[derive(Default)]
pub(super) struct Formats {
    pub(super) layouts: BTreeMap<Option<Layout>, u64>,
    pub(super) serializers: BTreeMap<Option<Serializer>, u64>,
    pub(super) signatures: BTreeMap<Option<Signature>, u64>,
}

/// The rows that one key signed.
#[derive(Clone, Copy, Default)]
pub(super) struct SignedBy {
    pub(super) rows: u64,
    pub(super) live: u64,
    pub(super) logins: u64,
    /// The last save of a live one, in seconds since 1970.
    pub(super) last_saved: Option<i64>,
}

impl AddAssign for SignedBy {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.live += other.live;
        self.logins += other.logins;
        self.last_saved = self.last_saved.max(other.last_saved);
    }
}

/// Counts the rows of pages.
pub(super) struct Counter<'c> {
    pub(super) decoder: Decoder<'c>,
    pub(super) now: Timestamp,
    /// Which rows are counted.
    pub(super) table: &'c TableSelection<'c>,
    pub(super) seen: &'c LoginKeysSeen<'c>,
}

impl Counter<'_> {
    pub(super) fn page(&mut self, page: &Page) -> Totals {
        let (mut totals, mut of_expired) = (Totals::default(), Found::default());
        let mut decoder = self.decoder.page();
        for row in page.rows() {
            let live = row.expires.may_be_after(self.now);
            let session = row.decode(&mut decoder);
            // An expired row leaves no doubt about who is logged in.
            let found = if live { &mut totals.found } else { &mut of_expired };
            if self.table.takes(&row, &session, self.seen, found) {
                totals.row(&row, &session, live);
            }
        }
        totals
    }
}

impl Totals {
    fn row(&mut self, row: &Row<'_>, session: &Decoded<'_>, live: bool) {
        // A session that is too large to be decoded whole contributes only its user.
        let verdict = session.verdict_and_members(|_| true, &mut |key, bytes| {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            self.members.add(&key, 1, bytes);
        });
        let (payload, signature) = (session.payload(), session.signature());
        self.compressed += u64::from(session.compressed());
        *self.formats.layouts.entry(session.layout()).or_default() += 1;
        let serializer = payload.ok().map(|payload| payload.serializer());
        *self.formats.serializers.entry(serializer).or_default() += 1;
        *self.formats.signatures.entry(Some(signature)).or_default() += 1;
        if let Some(place) = session.signed_by() {
            *self.signed_by.entry(place).or_default() += SignedBy {
                rows: 1,
                live: u64::from(live),
                logins: u64::from(live && matches!(verdict, Verdict::Login(_))),
                last_saved: session.saved().filter(|_| live),
            };
        }
        self.size(
            row,
            match &verdict {
                Verdict::Login(login) => Some(&*login.user_id),
                _ => None,
            },
        );
        if !live {
            return self.tally.count_expired();
        }
        self.tally.count(&verdict);
        let is_anonymous = matches!(verdict, Verdict::Anonymous { .. });
        let one = DayRows { rows: 1, anonymous: u64::from(is_anonymous) };
        self.expires.add(day(row.expires), one);
        if let Some(saved) = session.saved().filter(|_| signature != Signature::Invalid) {
            self.saved.add(Day::On(saved.div_euclid(DAY)), one);
        }
        if let Verdict::Login(login) = &verdict
            && !login.is_unverified()
        {
            self.impersonated += u64::from(!login.others.is_empty() || login.unclear);
            login.others.iter().for_each(|id| self.behind.add(id, 1, 0));
            self.users.add(&login.user_id, 1, 0);
            self.backends.add(login.backend.as_deref().unwrap_or_default(), 1, 0);
        }
    }

    fn size(&mut self, row: &Row<'_>, user_id: Option<&str>) {
        let size = row.data.bytes();
        self.sizes.add(size);
        if self.largest.len() < LARGEST || self.largest.last().is_some_and(|last| size > last.size)
        {
            let session_key = masked_key(row.key).to_owned();
            self.largest.push(LargeSession {
                session_key,
                user_id: user_id.map(|id| beginning(id).into()),
                size,
            });
            self.keep_largest();
        }
    }

    fn keep_largest(&mut self) {
        self.largest
            .sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.session_key.cmp(&b.session_key)));
        self.largest.truncate(LARGEST);
    }

    /// Adds the counts of another page, and its users to the different users.
    pub(super) fn merge(&mut self, page: Self, distinct: &mut Distinct) {
        self.tally += page.tally;
        self.impersonated += page.impersonated;
        self.found.append(page.found);
        self.compressed += page.compressed;
        add(&mut self.formats.layouts, page.formats.layouts);
        add(&mut self.formats.serializers, page.formats.serializers);
        add(&mut self.formats.signatures, page.formats.signatures);
        for (place, rows) in page.signed_by {
            *self.signed_by.entry(place).or_default() += rows;
        }
        self.sizes.merge(page.sizes);
        self.largest.extend(page.largest);
        self.keep_largest();
        page.users.hashes().for_each(|user| distinct.add(user));
        self.users.merge(&page.users);
        self.behind.merge(&page.behind);
        self.backends.merge(&page.backends);
        self.members.merge(&page.members);
        self.saved.merge(page.saved);
        self.expires.merge(page.expires);
    }
}

fn add<K: Ord>(to: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, rows) in from {
        *to.entry(key).or_default() += rows;
    }
}

fn day(expires: Expiry) -> Day {
    match expires {
        Expiry::At(instant) | Expiry::Wall(instant) if instant.is_never() => Day::Never,
        Expiry::At(instant) | Expiry::Wall(instant) => {
            Day::On(instant.as_micros().div_euclid(1_000_000 * DAY))
        }
        Expiry::Unreadable(_) => Day::Unknown,
    }
}
