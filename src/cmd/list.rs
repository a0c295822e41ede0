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

/// Which sessions, and what of them.
struct Query<'a> {
    args: &'a List,
    users: Option<UserIds>,
    saved: Option<SavedWindow>,
    detail: Detail,
    keys: KeyDisplay,
}

/// Rows that may be what was asked for, for all that can be told, and are not listed.
#[derive(Default)]
struct Doubts {
    /// That cannot be read.
    unreadable: u64,
    /// That name one of the users and do not verify.
    unverified: u64,
    /// Logins of somebody else than the user column says.
    different: u64,
    /// That do not say when they were saved, where that matters.
    undated: u64,
}

/// What one page gave.
#[derive(Default)]
struct Listed {
    sessions: Vec<ListedSession>,
    /// Sessions that are described one by one when they are printed: a page of them, each inflated
    /// to megabytes, would not fit.
    later: Page,
    payload_bytes: usize,
    doubts: Doubts,
}

pub(super) fn run(ctx: &mut Ctx<'_>, args: &List) -> Result<Exit, Error> {
    settings::refuse_blank("--user", &args.users)?;
    let query = Query {
        args,
        users: (!args.users.is_empty()).then(|| args.users.iter().collect()),
        saved: ctx.saved_window(&args.saved)?,
        detail: match args.format {
            ListFormat::Json | ListFormat::Jsonl => Detail::Payload,
            _ => Detail::Summary,
        },
        keys: KeyDisplay::from(args.show_keys),
    };
    ctx.note_unchecked();
    let schemas = ctx.schemas()?;
    let mut out = std::mem::replace(&mut ctx.out, Box::new(std::io::sink()));
    let limit = args.limit.unwrap_or(u64::MAX);
    let mut listing = Listing::new(&mut *out, args.format, limit, schemas.is_some());
    let mut doubts = Doubts::default();
    let ended = match schemas {
        None => query.list(ctx, &mut listing, &mut doubts)?,
        Some(schemas) => {
            let mut ended = Ended::Whole;
            for schema in schemas {
                ctx.schema = Some(schema);
                ended = query.list(ctx, &mut listing, &mut doubts)?;
                if ended != Ended::Whole {
                    break;
                }
            }
            ended
        }
    };
    listing.begin()?;
    listing.end()?;
    let inexact_ids = listing.inexact_ids;
    out.flush()?;
    tell_inexact_ids(ctx, inexact_ids);
    doubts.tell(ctx);
    Ok(match ended {
        Ended::Interrupted(signal) => Exit::Interrupted(signal),
        _ if doubts.unreadable + doubts.different + doubts.undated + inexact_ids > 0 => {
            Exit::Incomplete
        }
        _ => Exit::Done,
    })
}

impl Query<'_> {
    /// Lists the sessions of one table.
    fn list(
        &self,
        ctx: &Ctx<'_>,
        listing: &mut Listing<'_>,
        doubts: &mut Doubts,
    ) -> Result<Ended, Error> {
        let Self { args, detail, keys, .. } = *self;
        let store = ctx.open()?;
        let by_user = match &self.users {
            Some(_) => by_user(ctx, &*store, &args.lookup, &args.users)?,
            None => None,
        };
        let column = by_user.as_ref().map(|by| by.column.name.clone());
        let live_at = (!args.all).then(Timestamp::now);
        let filter = Filter { live_at, user: by_user, ..Filter::default() };
        let codec = &ctx.codec;
        let worker = || {
            let mut decoder = Decoder::new(codec);
            move |page: &Page| self.page(page, &mut decoder)
        };
        let (mut failed, mut different) = (Ok(()), 0);
        let schema = ctx.schema.as_ref().filter(|_| listing.with_schemas);
        let mut decoder = Decoder::new(codec);
        let fold = |listed: Listed| {
            different += listed.doubts.different;
            doubts.add(&listed.doubts);
            let later =
                listed.later.rows().map(|row| describe_row(&mut decoder, &row, detail, keys));
            for session in listed.sessions.into_iter().chain(later) {
                if listing.is_full() {
                    break;
                }
                let session = ListedSession { schema: schema.cloned(), ..session };
                if let Err(error) = listing.add(&session) {
                    failed = Err(error);
                    return ControlFlow::Break(());
                }
            }
            if listing.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let ended = ctx.scan().run(&mut *store.reader()?, &filter, worker, fold)?;
        failed?;
        if let (Some(column), true) = (column, different > 0) {
            ctx.talk.warning(&format!(
                "{} of somebody else: column {} is wrong, so sessions may be missing here; see --no-user-column",
                counted(different, "login"),
                ui::sanitize(&column)
            ));
        }
        Ok(ended)
    }

    fn page(&self, page: &Page, decoder: &mut Decoder<'_>) -> Listed {
        let mut listed = Listed::default();
        for row in page.rows() {
            if self.wants(&row, decoder, &mut listed.doubts) {
                listed.add(&row, decoder, self.detail, self.keys);
            }
        }
        listed
    }

    /// Whether it is to be listed, as far as that can be told.
    fn wants(&self, row: &Row<'_>, decoder: &mut Decoder<'_>, doubts: &mut Doubts) -> bool {
        if self.saved.is_none() && self.users.is_none() {
            return true;
        }
        let session = decoder.decode_row(row);
        if let Some(saved) = self.saved {
            let in_time = saved.contains(session.saved());
            doubts.undated += u64::from(in_time.is_none());
            if in_time != Some(true) {
                return false;
            }
        }
        let Some(users) = &self.users else { return true };
        let is_believed = || session.signature() != Signature::Invalid;
        match session.auth() {
            Ok(auth) if auth.user_id.as_deref().is_some_and(|id| users.contains(id)) => {
                let wanted = is_believed();
                doubts.unverified += u64::from(!wanted);
                return wanted;
            }
            Ok(auth) if row.user.is_some() && auth.user_id.is_some() => {
                doubts.different += u64::from(is_believed());
            }
            Ok(_) => {}
            Err(_) => doubts.unreadable += u64::from(is_believed()),
        }
        false
    }
}

impl Doubts {
    fn add(&mut self, other: &Self) {
        self.unreadable += other.unreadable;
        self.unverified += other.unverified;
        self.different += other.different;
        self.undated += other.undated;
    }

    fn tell(&self, ctx: &Ctx<'_>) {
        if self.unverified > 0 {
            let rows = counted(self.unverified, "more session");
            let name = if self.unverified == 1 { "names" } else { "name" };
            ctx.talk.note(&format!(
                "{rows} {name} such a user but cannot be verified: Django reads them as empty"
            ));
        }
        if self.undated > 0 {
            let rows = counted(self.undated, "row");
            ctx.talk.warning(&format!(
                "{rows} without a time of saving left out: only Django 3.1 and later write one"
            ));
        }
        if self.unreadable > 0 {
            let rows = counted(self.unreadable, "row");
            ctx.talk.warning(&format!("{rows} could not be read and may be anybody's session"));
        }
    }
}

/// Says that `logout-user --from-file` would not log out the users of all sessions that were listed.
fn tell_inexact_ids(ctx: &Ctx<'_>, sessions: u64) {
    if sessions > 0 {
        let sessions = counted(sessions, "session");
        ctx.talk.warning(&format!(
            "{sessions} with a user id that no line can hold as it is (it is empty, begins with a byte order mark, or \
             holds characters that are not printed): --format jsonl shows it"
        ));
    }
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

/// A list that is printed while it grows.
struct Listing<'o> {
    out: &'o mut dyn Write,
    format: ListFormat,
    limit: u64,
    /// Whether each session says which schema it is in.
    with_schemas: bool,
    count: u64,
    begun: bool,
    /// With `--format ids`: sessions whose user id is not on a line as it is.
    inexact_ids: u64,
}

impl<'o> Listing<'o> {
    fn new(out: &'o mut dyn Write, format: ListFormat, limit: u64, with_schemas: bool) -> Self {
        Self { out, format, limit, with_schemas, count: 0, begun: false, inexact_ids: 0 }
    }

    fn is_full(&self) -> bool {
        self.count == self.limit
    }

    /// Writes the head, once: only when there is something to put under it, so that a table that
    /// cannot be read leaves no beginning of a list.
    fn begin(&mut self) -> std::io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        match self.format {
            ListFormat::Table => ui::write_table_header(self.out, self.with_schemas),
            ListFormat::Csv => ui::write_csv_header(self.out, self.with_schemas),
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
                    self.inexact_ids += u64::from(!ui::write_id(self.out, id)?);
                    Ok(())
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
