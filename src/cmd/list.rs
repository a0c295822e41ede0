//! `list`: sessions as they are read.

use std::io::Write;
use std::ops::ControlFlow;

use super::Ctx;
use super::describe::{Detail, KeyDisplay, describe_row};
use super::lookup::by_user;
use crate::cli::{List, ListFormat};
use crate::codec::{Decoder, UserIds};
use crate::engine::Ended;
use crate::error::{Error, Exit};
use crate::model::{Page, Row, SavedWindow, Signature, Timestamp, counted};
use crate::report::{ListedSession, State};
use crate::store::Filter;
use crate::{settings, ui};

/// What one page gave.
#[derive(Default)]
struct Listed {
    sessions: Vec<ListedSession>,
    /// Sessions that are described one by one when they are printed: a page of them, each inflated
    /// to megabytes, would not fit.
    later: Page,
    payload_bytes: usize,
    /// Rows that may belong to the users asked for, but cannot be read.
    unreadable: u64,
    /// Rows that name one of them and do not verify.
    unverified: u64,
    /// Logins of somebody else than the user column says.
    different: u64,
    /// Rows that do not say when they were saved, where that matters.
    undated: u64,
}

pub(super) fn run(ctx: &mut Ctx<'_>, args: &List) -> Result<Exit, Error> {
    let saved = settings::saved_window(&args.saved)?;
    let users: Option<UserIds> = (!args.users.is_empty()).then(|| args.users.iter().collect());
    ctx.note_unchecked();
    let keys = KeyDisplay::from(args.show_keys);
    let detail = match args.format {
        ListFormat::Json | ListFormat::Jsonl => Detail::Payload,
        _ => Detail::Summary,
    };
    let store = ctx.open()?;
    let by_user = match &users {
        Some(_) => by_user(ctx, &*store, &args.lookup, &args.users)?,
        None => None,
    };
    let column = by_user.as_ref().map(|by| by.column.name.clone());
    let filter =
        Filter { live_at: (!args.all).then(Timestamp::now), user: by_user, ..Filter::default() };
    let mut reader = store.reader()?;
    let mut out = std::mem::replace(&mut ctx.out, Box::new(std::io::sink()));
    let mut listing = Listing::new(&mut *out, args.format);
    let (mut unreadable, mut unverified, mut different, mut undated) = (0, 0, 0, 0);
    let mut failed = Ok(());
    let limit = args.limit.unwrap_or(u64::MAX);
    let codec = &ctx.codec;
    let worker = || {
        let mut decoder = Decoder::new(codec);
        let users = users.as_ref();
        move |page: &Page| list_page(page, &mut decoder, users, saved, detail, keys)
    };
    let mut decoder = Decoder::new(codec);
    let fold = |listed: Listed| {
        unreadable += listed.unreadable;
        unverified += listed.unverified;
        different += listed.different;
        undated += listed.undated;
        let later = listed.later.rows().map(|row| describe_row(&mut decoder, &row, detail, keys));
        for session in listed.sessions.into_iter().chain(later) {
            if listing.count == limit {
                return ControlFlow::Break(());
            }
            if let Err(error) = listing.add(&session) {
                failed = Err(error);
                return ControlFlow::Break(());
            }
        }
        if listing.count == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let ended = ctx.scan().run(&mut *reader, &filter, worker, fold)?;
    failed?;
    listing.begin()?;
    listing.end()?;
    out.flush()?;
    if unverified > 0 {
        let (rows, name) =
            (counted(unverified, "more session"), if unverified == 1 { "names" } else { "name" });
        ctx.talk.note(&format!(
            "{rows} {name} such a user but cannot be verified: Django reads them as empty"
        ));
    }
    if undated > 0 {
        let rows = counted(undated, "row");
        ctx.talk.warning(&format!(
            "{rows} without a time of saving left out: only Django 3.1 and later write one"
        ));
    }
    if unreadable > 0 {
        let rows = counted(unreadable, "row");
        ctx.talk.warning(&format!("{rows} could not be read and may be anybody's session"));
    }
    if let (Some(column), true) = (column, different > 0) {
        ctx.talk.warning(&format!(
            "{} of somebody else: column {} is wrong, so sessions may be missing here; see --no-user-column",
            counted(different, "login"),
            ui::sanitize(&column)
        ));
    }
    Ok(match ended {
        Ended::Interrupted(signal) => Exit::Interrupted(signal),
        _ if unreadable + different + undated > 0 => Exit::Incomplete,
        _ => Exit::Done,
    })
}

/// Bytes of payload that the sessions of one page may hold between worker and printer.
const PAYLOAD_BYTES: usize = 1 << 20;

impl Listed {
    fn add(&mut self, row: &Row<'_>, decoder: &mut Decoder<'_>, detail: Detail, keys: KeyDisplay) {
        if self.payload_bytes > PAYLOAD_BYTES {
            self.later.push(*row);
            return;
        }
        let session = describe_row(decoder, row, detail, keys);
        let payload = session.session.payload.as_ref();
        self.payload_bytes += payload.map_or(0, |payload| payload.get().len());
        self.sessions.push(session);
    }
}

fn list_page(
    page: &Page,
    decoder: &mut Decoder<'_>,
    users: Option<&UserIds>,
    saved: Option<SavedWindow>,
    detail: Detail,
    keys: KeyDisplay,
) -> Listed {
    let mut listed = Listed::default();
    for row in page.rows() {
        if let Some(saved) = saved {
            let in_time = saved.contains(decoder.decode(row.data).saved());
            listed.undated += u64::from(in_time.is_none());
            if in_time != Some(true) {
                continue;
            }
        }
        let Some(users) = users else {
            listed.add(&row, decoder, detail, keys);
            continue;
        };
        let session = decoder.decode(row.data);
        match session.auth() {
            Ok(auth) if auth.user_id.as_deref().is_some_and(|id| users.contains(id)) => {
                if session.signature() == Signature::Invalid {
                    listed.unverified += 1;
                } else {
                    listed.add(&row, decoder, detail, keys);
                }
            }
            Ok(auth) if row.user.is_some() && auth.user_id.is_some() => {
                listed.different += u64::from(session.signature() != Signature::Invalid);
            }
            Ok(_) => {}
            Err(_) if session.signature() == Signature::Invalid => {}
            Err(_) => listed.unreadable += 1,
        }
    }
    listed
}

/// A list that is printed while it grows.
struct Listing<'o> {
    out: &'o mut dyn Write,
    format: ListFormat,
    count: u64,
    begun: bool,
}

impl<'o> Listing<'o> {
    fn new(out: &'o mut dyn Write, format: ListFormat) -> Self {
        Self { out, format, count: 0, begun: false }
    }

    /// Writes the head, once: only when there is something to put under it, so that a table that
    /// cannot be read leaves no beginning of a list.
    fn begin(&mut self) -> std::io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        match self.format {
            ListFormat::Table => ui::write_table_header(self.out),
            ListFormat::Csv => ui::write_csv_header(self.out),
            ListFormat::Json => self.out.write_all(b"["),
            ListFormat::Jsonl | ListFormat::Ids | ListFormat::Count => Ok(()),
        }
    }

    fn add(&mut self, session: &ListedSession) -> std::io::Result<()> {
        self.begin()?;
        let first = self.count == 0;
        self.count += 1;
        match self.format {
            ListFormat::Table => ui::write_table_row(self.out, session),
            ListFormat::Csv => ui::write_csv_row(self.out, session),
            ListFormat::Json => {
                self.out.write_all(if first { b"\n" } else { b"," })?;
                ui::write_json_line(self.out, session)
            }
            ListFormat::Jsonl => ui::write_json_line(self.out, session),
            ListFormat::Ids => match &session.session.user_id {
                Some(id) if session.session.state == State::User => {
                    writeln!(self.out, "{}", ui::sanitize(id))
                }
                _ => Ok(()),
            },
            ListFormat::Count => Ok(()),
        }
    }

    fn end(&mut self) -> std::io::Result<()> {
        match self.format {
            ListFormat::Json => self.out.write_all(b"]\n"),
            ListFormat::Count => writeln!(self.out, "{}", self.count),
            _ => Ok(()),
        }
    }
}
