//! What workers make of a page: sessions or lines to print, or sessions to sort.

use django_session::{Decoded, Decoder, Verdict};

use super::Query;
use super::lines::{Lines, Session};
use super::order::{Order, Rank};
use crate::model::{Leftover, Page, Row};
use crate::report::ListedSession;
use crate::sessions::describe::{Content, Described, describe, listed};
use crate::sessions::login_keys_seen::LoginKeysSeen;
use crate::sessions::selection::{Found, TableSelection};

/// Selects and describes the sessions of pages.
pub(super) struct Pages<'p> {
    pub(super) query: &'p Query<'p>,
    pub(super) table: &'p TableSelection<'p>,
    pub(super) seen: &'p LoginKeysSeen<'p>,
    /// The schema that each session shows.
    pub(super) schema: Option<&'p String>,
}

/// The sessions of one page.
#[derive(Default)]
pub(super) struct Listed {
    /// In formats of JSON, in place of the sessions.
    pub(super) lines: Lines,
    pub(super) sessions: Vec<ListedSession>,
    /// Large sessions, which are decoded one by one when they are printed.
    pub(super) later: Leftover,
    pub(super) found: Found,
    held_bytes: usize,
}

/// A session that may be among those that are listed.
pub(super) struct Candidate {
    pub(super) rank: Rank,
    pub(super) key: String,
    /// Bytes of its data as stored.
    pub(super) size: usize,
    /// `None` if it is large: it is read again when it is printed.
    pub(super) session: Option<Box<ListedSession>>,
}

/// The candidates of one page.
#[derive(Default)]
pub(super) struct Candidates {
    pub(super) all: Vec<Candidate>,
    /// How many sessions were selected, candidates or not.
    pub(super) selected: u64,
}

/// Most bytes of payloads and names that one page may hold between worker and printer.
const HELD_BYTES: usize = 1 << 20;
/// Larger payloads are decoded by the printer, one at a time: as JSON, each may be twice as large.
const LARGE_PAYLOAD: usize = 256 << 10;

impl Pages<'_> {
    /// The selected sessions of a page, in its order.
    pub(super) fn listed(&self, page: &mut Page, decoder: &mut Decoder<'_>) -> Listed {
        let (mut listed, mut decoder) = (Listed::default(), decoder.page());
        let mut later = Vec::new();
        for (at, row) in page.rows().enumerate() {
            // After the first session that is left to the printer all are left to it, which keeps the order.
            if self.table.is_of_all() && (!later.is_empty() || row.data.bytes() > LARGE_PAYLOAD) {
                later.push(at);
                continue;
            }
            let session = row.decode(&mut decoder);
            if !self.table.takes(&row, &session, self.seen, &mut listed.found) {
                continue;
            }
            let is_added = later.is_empty()
                && if self.query.args.format.is_json() {
                    self.add_line(&row, &session, &mut listed.lines)
                } else {
                    let described = self.describe(&row, &session, &mut listed.held_bytes);
                    let schema = self.schema.cloned();
                    let described = described.map(|session| ListedSession { schema, ..session });
                    let is_described = described.is_some();
                    listed.sessions.extend(described);
                    is_described
                };
            if !is_added {
                later.push(at);
            }
        }
        listed.later = page.leave(later);
        listed
    }

    /// The selected sessions of a page that may be among those that are listed.
    pub(super) fn candidates(
        &self,
        page: &Page,
        decoder: &mut Decoder<'_>,
        order: &Order,
    ) -> (Candidates, Found) {
        let (mut candidates, mut found) = (Candidates::default(), Found::default());
        let (mut decoder, mut held_bytes) = (decoder.page(), 0);
        // Of equal rank those that came first are listed, and these come later.
        let last = order.last();
        for row in page.rows() {
            let session = row.decode(&mut decoder);
            if !self.table.takes(&row, &session, self.seen, &mut found) {
                continue;
            }
            candidates.selected += 1;
            found.has_login |=
                !found.has_login && matches!(session.verdict(|_| false), Verdict::Login(_));
            let rank = order.rank(&row, &session);
            if order.most == 0 || last.as_ref().is_some_and(|last| rank >= **last) {
                continue;
            }
            let described = self.describe(&row, &session, &mut held_bytes).map(Box::new);
            let key = row.key.to_owned();
            let size = row.data.bytes();
            candidates.all.push(Candidate { rank, key, size, session: described });
        }
        (candidates, found)
    }

    /// Adds a line, unless the session is large or the page already holds too much.
    fn add_line(&self, row: &Row<'_>, decoded: &Decoded<'_>, lines: &mut Lines) -> bool {
        if is_large(row, decoded) {
            return false;
        }
        let content = Content::of(decoded, self.query.detail);
        let schema = self.schema.map(String::as_str);
        let key = self.query.keys.of(row);
        content.large.is_none()
            && lines.add(Session { schema, key, row, decoded, content: &content }, HELD_BYTES)
    }

    /// Describes a session, unless it is large or the page already holds too much.
    fn describe(
        &self,
        row: &Row<'_>,
        session: &Decoded<'_>,
        held_bytes: &mut usize,
    ) -> Option<ListedSession> {
        if is_large(row, session) || *held_bytes > HELD_BYTES {
            return None;
        }
        let Described { session, large } = describe(session, self.query.detail);
        let bytes = session.held_bytes();
        if large.is_some() || *held_bytes + bytes > HELD_BYTES {
            return None;
        }
        *held_bytes += bytes;
        Some(listed(row, session, self.query.keys))
    }
}

fn is_large(row: &Row<'_>, session: &Decoded<'_>) -> bool {
    row.data.bytes() > LARGE_PAYLOAD
        || session.payload().is_ok_and(|payload| payload.bytes() > LARGE_PAYLOAD)
}
