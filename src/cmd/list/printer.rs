//! Prints the sessions of one page after another, with the names of their users.

use django_session::Decoder;

use super::listing::Listing;
use super::{Listed, Query};
use crate::context::Ctx;
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
        let Self { ctx, query, names, schema, listing, decoder } = self;
        let mut has_login = false;
        let mut sessions = page.sessions;
        sessions.truncate(listing.room());
        for session in &mut sessions {
            session.schema = schema.cloned();
        }
        names.add(ctx, &mut sessions);
        if !sessions.is_empty() {
            listing.begin(&sessions)?;
        }
        for session in &sessions {
            has_login |= session.session.state == State::User;
            listing.add(session, None)?;
        }
        let mut decoder = decoder.page();
        for row in page.later.rows() {
            if listing.is_full() {
                return Ok(has_login);
            }
            let stored = row.decode(&mut decoder);
            let Described { session, large } = describe(&stored, query.detail);
            has_login |= session.state == State::User;
            let session = listed(&row, session, query.keys);
            let mut session = ListedSession { schema: schema.cloned(), ..session };
            names.add(ctx, std::slice::from_mut(&mut session));
            listing.add(&session, large)?;
        }
        Ok(has_login)
    }
}
