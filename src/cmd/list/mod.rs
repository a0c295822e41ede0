//! `list`: lists sessions, of some users or of all.

mod lines;
mod listing;
mod order;
mod pages;
mod printer;
mod sorted;

use std::io::Write;
use std::ops::ControlFlow;

use django_session::Decoder;

use self::listing::Listing;
use self::order::Order;
use self::pages::{Listed, Pages};
use self::printer::Printer;
use self::sorted::Sorted;
use super::Command;
use crate::cli::{List, ListColumn, ListFormat};
use crate::context::Ctx;
use crate::engine::Ended;
use crate::error::{Error, Exit};
use crate::model::{Page, counted};
use crate::report::Column;
use crate::sessions::describe::{Detail, KeyDisplay};
use crate::sessions::login_keys_seen::LoginKeysSeen;
use crate::sessions::remarks::Remarks;
use crate::sessions::selection::{Found, Options, Selection};
use crate::sessions::user_names::UserNames;
use crate::settings;
use crate::store::{Filter, Store};

/// Which sessions to list, and what to show of them.
struct Query<'a> {
    args: &'a List,
    selection: Selection<'a>,
    detail: Detail,
    keys: KeyDisplay,
}

impl Command for List {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        let columns = self.columns(ctx)?;
        let order = Order::of(self)?;
        let options = Options {
            whom: &self.whom,
            conditions: &self.conditions,
            saved: &self.saved,
            lookup: Some(&self.lookup),
            all: self.all,
        };
        let query = Query {
            args: self,
            selection: Selection::of(ctx, &options)?,
            detail: match self.format {
                ListFormat::Json | ListFormat::Jsonl | ListFormat::Whole => Detail::Payload,
                _ => Detail::Summary,
            },
            keys: KeyDisplay::from(self.show_keys),
        };
        let ctx = &ctx.reading_sessions();
        query.selection.demand(ctx)?;
        let limit = self.limit.unwrap_or(u64::MAX);
        let mut listing = Listing::new(out, self.format, limit, ctx.is_about_many());
        listing.columns = columns;
        let mut remarks = query.selection.remarks();
        let ended = query.list_all(ctx, order.as_ref(), &mut listing, &mut remarks)?;
        if ended == Ended::Whole {
            query.selection.doubt_ids(ctx, &mut remarks);
        }
        listing.begin(&std::iter::empty())?;
        listing.end()?;
        let inexact_ids = listing.inexact_ids;
        out.flush()?;
        warn_of_inexact_ids(ctx, inexact_ids);
        remarks.print(ctx);
        Ok(match ended {
            Ended::Interrupted(signal) => Exit::Interrupted(signal),
            _ if remarks.is_doubtful() || inexact_ids > 0 => Exit::Incomplete,
            _ => Exit::Done,
        })
    }

    fn prints(&self) -> bool {
        self.format != ListFormat::Count
    }

    fn reads_stdin(&self) -> usize {
        usize::from(self.whom.from_file.as_deref().is_some_and(settings::is_stdin))
    }
}

impl List {
    /// The columns that were asked for, each once.
    fn columns(&self, ctx: &Ctx<'_>) -> Result<Vec<Column>, Error> {
        let has_columns = matches!(self.format, ListFormat::Table | ListFormat::Csv);
        if !self.columns.is_empty() && !has_columns {
            return Err(Error::usage(
                "--columns: only a table and CSV have columns",
                "leave it out, or --format; of JSON, jq takes fields: jq -c '{user_id, saved}'",
            ));
        }
        let mut columns = Vec::new();
        for column in &self.columns {
            let column = column_of(*column);
            if column == Column::Schema && !ctx.is_about_many() {
                return Err(Error::usage(
                    "--columns schema: there is one schema",
                    "leave it out; with --all-schemas each session has its own",
                ));
            }
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        Ok(columns)
    }
}

impl Query<'_> {
    /// Lists the sessions of every table.
    fn list_all(
        &self,
        ctx: &Ctx<'_>,
        order: Option<&Order>,
        listing: &mut Listing<'_>,
        remarks: &mut Remarks,
    ) -> Result<Ended, Error> {
        let tables = ctx.each()?;
        let mut sorted = order.map(|order| Sorted::new(order, self));
        let mut ended = Ended::Whole;
        for (place, ctx) in tables.iter().enumerate() {
            if let Some(sorted) = &mut sorted {
                sorted.place = place;
            }
            ended = self.list(ctx, &mut sorted, listing, remarks)?;
            if ended != Ended::Whole {
                break;
            }
        }
        // A part of the table has no first ones.
        if let Some(sorted) = sorted.filter(|_| ended == Ended::Whole) {
            sorted.print(&tables, listing)?;
        }
        Ok(ended)
    }

    /// Lists the sessions of one table, or collects them to be sorted.
    fn list(
        &self,
        ctx: &Ctx<'_>,
        sorted: &mut Option<Sorted<'_>>,
        listing: &mut Listing<'_>,
        remarks: &mut Remarks,
    ) -> Result<Ended, Error> {
        let store = ctx.open()?;
        let table = self.selection.in_table(ctx, &*store)?;
        let seen = LoginKeysSeen::new(ctx, &table.query());
        let schema = ctx.schema.as_ref().filter(|_| listing.with_schemas);
        let pages = Pages { query: self, table: &table, seen: &seen, schema };
        let (ended, found) = match sorted {
            None => self.print(ctx, &*store, &pages, listing)?,
            Some(sorted) => self.collect(ctx, &*store, &pages, sorted)?,
        };
        table.remark(ctx, &*store, &seen, (ended, found), remarks)?;
        Ok(ended)
    }

    /// Prints the sessions while it scans the table. Returns what else there is to say of them.
    fn print(
        &self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
        pages: &Pages<'_>,
        listing: &mut Listing<'_>,
    ) -> Result<(Ended, Found), Error> {
        let (mut failed, mut all) = (Ok(()), Found::default());
        let names = self.names(ctx, store)?;
        listing.with_names |= names.may_be_known();
        let decoder = Decoder::new(ctx.codec);
        let mut printer =
            Printer { ctx, query: self, names, schema: pages.schema, listing, decoder };
        let worker = |decoder: &mut Decoder<'_>, page: &mut Page| pages.listed(page, decoder);
        let ended = self.scan(ctx, store, pages, worker, |mut listed: Listed| {
            all.append(std::mem::take(&mut listed.found));
            match printer.print(listed) {
                Ok(printed_login) => all.has_login |= printed_login,
                Err(error) => failed = Err(error),
            }
            failed.is_err() || printer.listing.is_full()
        })?;
        failed?;
        Ok((ended, all))
    }

    /// Keeps the sessions that are to be printed, sorted.
    fn collect(
        &self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
        pages: &Pages<'_>,
        sorted: &mut Sorted<'_>,
    ) -> Result<(Ended, Found), Error> {
        let (mut failed, mut all) = (Ok(()), Found::default());
        let order = sorted.order;
        let worker =
            |decoder: &mut Decoder<'_>, page: &mut Page| pages.candidates(page, decoder, order);
        let ended = self.scan(ctx, store, pages, worker, |(candidates, found)| {
            all.append(found);
            failed = sorted.add(candidates);
            failed.is_err()
        })?;
        failed?;
        Ok((ended, all))
    }

    /// Scans a table until `fold` says that it is over.
    fn scan<T: Send>(
        &self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
        pages: &Pages<'_>,
        work: impl Fn(&mut Decoder<'_>, &mut Page) -> T + Sync,
        mut fold: impl FnMut(T) -> bool,
    ) -> Result<Ended, Error> {
        let mut reader = store.reader()?;
        let live_at = if self.args.all { None } else { Some(reader.now()?) };
        let filter = Filter { live_at, user: pages.table.by_user.clone(), ..Filter::default() };
        let worker = || {
            let mut decoder = Decoder::new(ctx.codec);
            let work = &work;
            move |page: &mut Page| work(&mut decoder, page)
        };
        let fold = |result: T| {
            if fold(result) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        Ok(ctx.scan().run(&mut *reader, &filter, worker, fold)?)
    }

    /// The names of users, if the format shows them.
    fn names<'s>(&self, ctx: &Ctx<'_>, store: &'s dyn Store) -> Result<UserNames<'s>, Error> {
        let shows = !matches!(self.args.format, ListFormat::Ids | ListFormat::Count);
        if !shows || self.args.no_names {
            return Ok(UserNames::unknown());
        }
        UserNames::of(ctx, store, self.args.whom.selectors.user_table.as_deref())
    }
}

/// Warns that `logout-user --from-file` would not log out the users of all listed sessions.
fn warn_of_inexact_ids(ctx: &Ctx<'_>, sessions: u64) {
    if sessions > 0 {
        let sessions = counted(sessions, "session");
        ctx.talk.warning(&format!(
            "{sessions} with a user id that no line can hold as it is (it is empty, begins with a byte order mark, has \
             more than 1,000 bytes, or holds characters that are not printed): --format jsonl shows it"
        ));
    }
}

fn column_of(typed: ListColumn) -> Column {
    match typed {
        ListColumn::Schema => Column::Schema,
        ListColumn::SessionKey => Column::SessionKey,
        ListColumn::State => Column::State,
        ListColumn::UserId => Column::UserId,
        ListColumn::Username => Column::Username,
        ListColumn::Backend => Column::Backend,
        ListColumn::Behind => Column::Behind,
        ListColumn::Signature => Column::Signature,
        ListColumn::Key => Column::Key,
        ListColumn::Saved => Column::Saved,
        ListColumn::Expires => Column::Expires,
        ListColumn::Size => Column::Size,
        ListColumn::Layout => Column::Layout,
        ListColumn::Serializer => Column::Serializer,
        ListColumn::Compressed => Column::Compressed,
        ListColumn::Error => Column::Error,
        ListColumn::Format => Column::Format,
    }
}
