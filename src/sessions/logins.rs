//! Classifies the user ids that logins in a table hold: numbers, UUIDs or other texts.

use std::cell::Cell;
use std::ops::ControlFlow;

use django_session::{Decoder, UserIds};

use crate::context::Ctx;
use crate::model::Signature;
use crate::store::{Filter, Store, StoreError, UserType};

/// Most live logins in a sample, and most pages that are read for it.
const MOST_LOGINS: u64 = 1_000;
const MOST_PAGES: u32 = 100;

/// How many live logins were seen, and how many of their ids are numbers or UUIDs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Logins {
    pub(crate) all: u64,
    numbers: u64,
    uuids: u64,
}

impl Logins {
    /// Whether the first live logins of the table all hold UUIDs; `false` if there are none.
    pub(crate) fn are_uuids(ctx: &Ctx<'_>, store: &dyn Store) -> Result<bool, StoreError> {
        let logins = Self::sample_until(ctx, store, |logins| logins.uuids < logins.all)?;
        Ok(logins.all > 0 && logins.uuids == logins.all)
    }

    pub(crate) fn sample(ctx: &Ctx<'_>, store: &dyn Store) -> Result<Self, StoreError> {
        Self::sample_until(ctx, store, |_| false)
    }

    /// Counts a login of which only the user was read, if the kind of the site's ids is asked for.
    pub(crate) fn count_asked(logins: &Cell<Self>, asked: &UserIds, user_id: &str) {
        if asked.are_of_unknown_key() {
            let mut counted = logins.get();
            counted.count(user_id);
            logins.set(counted);
        }
    }

    /// Reads pages until `enough` says so or the sample is full.
    fn sample_until(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        are_enough: impl Fn(&Self) -> bool,
    ) -> Result<Self, StoreError> {
        let mut reader = store.reader()?;
        let filter = Filter { live_at: Some(reader.now()?), in_pages: true, ..Filter::default() };
        let mut decoder = Decoder::new(ctx.codec);
        let (mut logins, mut pages) = (Self::default(), 0);
        reader.scan(&filter, &mut |mut page| {
            for row in page.rows() {
                let session = row.decode(&mut decoder);
                let user = session.auth().ok().and_then(|auth| auth.user_id);
                if let Some(id) = user.filter(|_| session.signature() != Signature::Invalid) {
                    logins.count(&id);
                }
            }
            pages += 1;
            if logins.all >= MOST_LOGINS || pages == MOST_PAGES || are_enough(&logins) {
                return ControlFlow::Break(());
            }
            page.clear();
            ControlFlow::Continue(page)
        })?;
        Ok(logins)
    }

    /// Adds the counts of another sample.
    pub(crate) fn append(&mut self, others: Self) {
        self.all += others.all;
        self.numbers += others.numbers;
        self.uuids += others.uuids;
    }

    /// Whether the ids are neither all numbers nor all UUIDs: then they do not show how the site spells ids.
    pub(crate) fn are_of_no_kind(&self) -> bool {
        self.kind() == Some(UserType::Text)
    }

    /// Counts the id of one login.
    pub(crate) fn count(&mut self, id: &str) {
        self.all += 1;
        self.numbers += u64::from(UserType::Bigint.fit(id).is_some());
        self.uuids += u64::from(UserType::Uuid.fit(id).is_some());
    }

    pub(crate) fn fit(&self, kind: UserType) -> u64 {
        match kind {
            UserType::Text => self.all,
            UserType::Bigint => self.numbers,
            UserType::Uuid => self.uuids,
        }
    }

    /// The type that all ids have; `None` without a login.
    pub(crate) fn kind(&self) -> Option<UserType> {
        if self.all == 0 {
            return None;
        }
        let kinds = [UserType::Bigint, UserType::Uuid, UserType::Text];
        kinds.into_iter().find(|kind| self.fit(*kind) == self.all)
    }
}
