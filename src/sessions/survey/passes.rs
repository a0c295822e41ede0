//! Scans for the sessions beyond the newest few of their user: as many passes over the table as it takes to rank the sessions of
//! all users in bounded memory.

use std::ops::ControlFlow;

use django_session::Decoder;

use super::{Collect, Findings, MOST_PREVIEW_BYTES, PREVIEW, Survey, SurveyOptions};
use crate::context::Ctx;
use crate::engine::Ended;
use crate::model::Page;
use crate::sessions::describe::{KeyDisplay, listed, summary};
use crate::sessions::find::find;
use crate::sessions::newest::{Beyond, Counted, Ranking};
use crate::sessions::query::Newest;
use crate::store::{Filter, Reader, StoreError};

/// Sessions of which a dry run knows more than their number, so that some are left to be shown.
const MOST_SHOWN: usize = 1_000;

impl SurveyOptions<'_> {
    /// Ranks the sessions that the query asks for, and adds those to the survey that are beyond the newest. What else is counted
    /// comes from the first pass.
    pub(super) fn rank<W>(
        &self,
        ctx: &Ctx<'_>,
        (reader, filter): (&mut dyn Reader, &Filter),
        worker: impl Fn() -> W + Sync,
        newest: Newest,
        survey: &mut Survey,
    ) -> Result<Ended, StoreError>
    where
        W: FnMut(&mut Page) -> Findings,
    {
        let most_keys = ctx.most_keys;
        let most_known = match self.collect {
            Collect::Keys => usize::MAX,
            Collect::FirstKeys => most_keys,
            Collect::CountOnly => MOST_SHOWN,
        };
        // A session takes up more than twice the memory of a key.
        let mut ranking = Ranking::new(newest.keep, most_keys / 2, most_known);
        let (mut is_first, mut first_keys) = (true, Vec::new());
        loop {
            let ended =
                ctx.scan().run(&mut *reader, filter, &worker, |mut findings: Findings| {
                    ranking.add(std::mem::take(&mut findings.candidates));
                    if is_first {
                        survey.add(findings, self.collect, most_keys);
                    }
                    if self.collect == Collect::Keys && survey.keys() + ranking.found() >= most_keys
                    {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                })?;
            let goes_on = ended == Ended::Whole && ranking.end_pass();
            survey.take(ranking.take_beyond(), (self.collect, most_keys), &mut first_keys);
            if ended != Ended::Whole {
                return Ok(ended);
            }
            if !goes_on {
                break;
            }
            if survey.go_on(self.collect, most_keys) == ControlFlow::Break(()) {
                return Ok(Ended::Enough);
            }
            is_first = false;
        }
        survey.matches.undated += ranking.unknown;
        if self.collect != Collect::Keys {
            survey.show(ctx, reader, &first_keys);
        }
        Ok(Ended::Whole)
    }
}

impl Survey {
    /// How many keys were collected.
    fn keys(&self) -> usize {
        self.keys.len() + self.unverified.len()
    }

    /// Adds sessions that have to go.
    fn take(
        &mut self,
        beyond: Vec<Beyond>,
        (collect, most_keys): (Collect, usize),
        first_keys: &mut Vec<Box<str>>,
    ) {
        for Beyond { key, id, sessions } in beyond {
            let Counted { matched, unverified, behind } = sessions;
            if let Some(id) = &id {
                self.sessions_of.add_asked(id, matched + unverified);
            }
            self.matches.matched += matched;
            self.matches.unverified += unverified;
            self.matches.impersonated += behind;
            self.kinds.scanned += matched + unverified;
            self.kinds.logins += matched;
            self.kinds.unverified += unverified;
            let Some(key) = key else { continue };
            if collect == Collect::Keys || collect == Collect::FirstKeys && !self.has(most_keys) {
                let keys = if unverified > 0 { &mut self.unverified } else { &mut self.keys };
                keys.push(&key);
            }
            if first_keys.len() < PREVIEW {
                first_keys.push(key);
            }
        }
    }

    /// Reads the first of these sessions, for the operator to check. One that is gone by now is not shown.
    fn show(&mut self, ctx: &Ctx<'_>, reader: &mut dyn Reader, keys: &[Box<str>]) {
        let mut decoder = Decoder::new(ctx.codec);
        for key in keys {
            let Ok(found) = find(reader, key) else { continue };
            let Ok(row) = found.row() else { continue };
            let described = summary(&row.decode(&mut decoder));
            if described.held_bytes() > MOST_PREVIEW_BYTES {
                continue;
            }
            self.preview.push(listed(&row, described, KeyDisplay::Masked));
        }
    }
}
