//! Counts the rows of the table before `flush-all` deletes them, for the question to the operator and for the
//! dry run.

use std::ops::ControlFlow;

use django_session::{Decoder, UserIds, Verdict};

use super::report::{Census, FlushReport};
use crate::context::Ctx;
use crate::engine::Ended;
use crate::error::Error;
use crate::model::{Page, Tally, Timestamp};
use crate::sessions::distinct::DistinctUsers;
use crate::sessions::query::UserFilter;
use crate::store::{Filter, Store};

/// The counts of a table.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) tally: Tally,
    /// The users among those in question who have live sessions.
    pub(super) found: UserIds,
    /// Live sessions of these.
    pub(super) of_found: u64,
    /// Different users of sessions that no key verifies.
    pub(super) unverified_users: DistinctUsers,
    /// Unverified sessions that a run without exceptions for them deletes, and their users: those of spared
    /// users are not counted.
    pub(super) unverified_gone: u64,
    pub(super) unverified_users_gone: DistinctUsers,
}

/// Counts the rows of the table, and finds out which of these users have live sessions. Fails if the key
/// verifies no row: then it is wrong.
pub(super) fn take(ctx: &Ctx<'_>, store: &dyn Store, users: &UserIds) -> Result<Counted, Error> {
    let mut reader = store.reader()?;
    let now = reader.now()?;
    let codec = ctx.codec;
    let worker = || {
        let mut decoder = Decoder::new(codec);
        move |page: &mut Page| Counted::of(page, &mut decoder, now, users)
    };
    let mut all = Counted::default();
    let ended = ctx.scan().run(&mut *reader, &Filter::default(), worker, |page| {
        all.add(page);
        ControlFlow::Continue(())
    })?;
    if let Ended::Interrupted(signal) = ended {
        return Err(Error::Interrupted { signal });
    }
    match all.tally.signatures.none_is_valid() {
        Some(checked) => Err(Error::WrongKey { checked }),
        None => Ok(all),
    }
}

impl Counted {
    fn of(page: &Page, decoder: &mut Decoder<'_>, now: Timestamp, users: &UserIds) -> Self {
        let (mut counted, mut decoder) = (Self::default(), decoder.page());
        let goes = UserFilter::EverythingBut(users);
        for row in page.rows() {
            if !row.expires.may_be_after(now) {
                counted.tally.count_expired();
                continue;
            }
            let session = row.decode(&mut decoder);
            let verdict = session.verdict(|_| true);
            counted.tally.count(&verdict);
            counted.tally.signatures.count(session.signature());
            let Verdict::Login(login) = &verdict else { continue };
            if login.is_unverified() {
                counted.unverified_users.insert(&login.user_id);
                if goes.wants(Some(login)) {
                    counted.unverified_gone += 1;
                    counted.unverified_users_gone.insert(&login.user_id);
                }
            }
            let mut is_spared = false;
            for id in login.users().filter(|id| users.contains(id)) {
                is_spared = true;
                counted.found.insert(id);
            }
            counted.of_found += u64::from(is_spared);
        }
        counted
    }

    fn add(&mut self, page: Self) {
        self.tally += page.tally;
        self.found.append(page.found);
        self.of_found += page.of_found;
        self.unverified_users.append(page.unverified_users);
        self.unverified_gone += page.unverified_gone;
        self.unverified_users_gone.append(page.unverified_users_gone);
    }

    /// Adds the unverified sessions to the report. The scans of a run that deletes all sessions check no
    /// signatures, but this count did.
    pub(super) fn report_unverified(&self, report: &mut FlushReport) {
        report.matches.unverified = self.unverified_gone.min(report.matches.matched);
        report.unverified_users = self.unverified_users_gone.count();
    }

    /// The counts under the names of the report.
    pub(super) fn census(&self) -> Census {
        let live_unverified_users = self.unverified_users.count();
        let live_spared = self.of_found;
        Census { live_unverified_users, live_spared, ..self.tally.into() }
    }
}
