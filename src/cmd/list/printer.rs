//! Prints the sessions of one page after another, with the names of their users.

use django_session::Decoder;

use super::Query;
use super::listing::Listing;
use super::pages::Listed;
use crate::context::Ctx;
use crate::model::Row;
use crate::report::{ListedSession, State};
use crate::sessions::describe::{Described, describe, listed};
use crate::sessions::user_names::UserNames;

/// Prints the sessions of one table.
pub(super) struct Printer<'p, 'o> {
    pub(super) ctx: &'p Ctx<'p>,
    pub(super) query: &'p Query<'p>,
    pub(super) names: UserNames<'p>,
    /// The schema that each session shows.
    pub(super) schema: Option<&'p String>,
    pub(super) listing: &'p mut Listing<'o>,
    pub(super) decoder: Decoder<'p>,
}

impl Printer<'_, '_> {
    /// Prints the sessions of a page until the limit is reached. Returns whether a login was printed.
    pub(super) fn print(&mut self, page: Listed) -> std::io::Result<bool> {
        let Self { ctx, names, listing, .. } = self;
        let mut has_login = false;
        let room = listing.room();
        names.read(ctx, page.lines.iter().take(room).filter_map(|line| line.user_id));
        for line in page.lines.iter().take(room) {
            has_login |= line.is_login;
            listing.add_line(&line, line.user_id.and_then(|id| names.of_user(id)).as_deref())?;
        }
        let mut sessions = page.sessions;
        sessions.truncate(room);
        names.add(ctx, &mut sessions);
        if !sessions.is_empty() {
            listing.begin(&sessions.iter())?;
        }
        for session in &sessions {
            has_login |= session.session.state == State::User;
            listing.add(session, None)?;
        }
        for row in page.later.rows() {
            if self.listing.is_full() {
                return Ok(has_login);
            }
            has_login |= self.print_row(&row)?;
        }
        Ok(has_login)
    }

    /// Prints one session, and says whether it is a login.
    fn print_row(&mut self, row: &Row<'_>) -> std::io::Result<bool> {
        let Self { ctx, query, names, schema, listing, decoder } = self;
        print_row(ctx, query, row, (names, decoder), *schema, listing)
    }
}

/// Decodes one session and prints it. Returns whether it is a login.
pub(super) fn print_row(
    ctx: &Ctx<'_>,
    query: &Query<'_>,
    row: &Row<'_>,
    (names, decoder): (&mut UserNames<'_>, &mut Decoder<'_>),
    schema: Option<&String>,
    listing: &mut Listing<'_>,
) -> std::io::Result<bool> {
    let mut decoder = decoder.page();
    let stored = row.decode(&mut decoder);
    let Described { session, large } = describe(&stored, query.detail);
    let is_login = session.state == State::User;
    let session = listed(row, session, query.keys);
    let mut session = ListedSession { schema: schema.cloned(), ..session };
    names.add(ctx, std::slice::from_mut(&mut session));
    listing.add(&session, large)?;
    Ok(is_login)
}
