//! The first scan as a part of the proof: where the store can tell what changed since, the scan that proves reads only that.
//!
//! What the first scan saw, less what was deleted, plus what changed since, is all that there is. So the first scan must
//! have read and judged every live row as the proof would, without a doubt; and each session that was selected must be gone.
//! That a delete says so is not enough: the scan of changes looks for their keys too.

use std::collections::HashSet;
use std::sync::Arc;

use crate::context::Ctx;
use crate::engine::{Driver, Ended, StopReason};
use crate::model::{Keys, Tally, Timestamp};
use crate::report::Matches;
use crate::sessions::query::UserFilter;
use crate::sessions::removal::Removal;
use crate::sessions::survey::{Survey, SurveyOptions};
use crate::store::{Mark, Since, Store, StoreError};

/// What to build a proof on; without a mark the scan that proves reads all rows.
pub(super) struct Base<'p> {
    mark: Option<Mark>,
    proof: Option<SurveyOptions<'p>>,
    /// The rows that the first scan read and did not select.
    stay: Tally,
    /// The first scan left out rows that expired before this.
    live_at: Option<Timestamp>,
    /// The keys of the sessions that were deleted.
    gone: Arc<Keys>,
}

/// Most keys of deleted sessions that a scan of changes looks for. To look for 100,000 in each row takes PostgreSQL as long as
/// to send all rows.
const MOST_GONE: usize = 10_000;

impl<'p> Base<'p> {
    /// Notes the state before the first scan. Rows that `--keep-data` rewrites stay, rows that a first scan selects
    /// unread are not judged, and which of a user's sessions are the newest a part of the rows does not show: then there is
    /// nothing to build on.
    pub(super) fn before(
        first: &SurveyOptions<'p>,
        proof: Option<SurveyOptions<'p>>,
        removal: Removal,
        driver: Option<&mut Driver<'_>>,
    ) -> Result<Self, StopReason> {
        let reads_all = first.query.newest.is_none()
            && first.reads_all_rows()
            && !matches!(first.query.users, UserFilter::EverythingBut(_))
            && !matches!(removal, Removal::KeepData);
        let proof = proof.filter(|proof| reads_all && proof.reads_all());
        let mark = match (driver, &proof) {
            (Some(driver), Some(_)) => driver.mark()?,
            _ => None,
        };
        Ok(Self { mark, proof, stay: Tally::default(), live_at: None, gone: Arc::default() })
    }

    /// The first scan, if the proof is to be built on it: one that judges every row as the proof does.
    pub(super) fn first(&self) -> Option<SurveyOptions<'p>> {
        self.proof.filter(|_| self.mark.is_some())
    }

    /// The mark for a scan.
    pub(super) fn since(&self, only_changes: bool) -> Option<Since> {
        self.mark.clone().map(|mark| Since { mark, only_changes, also: Arc::clone(&self.gone) })
    }

    /// Gives up a first scan that saw not all of the marked database, or something that is in doubt.
    pub(super) fn judge(&mut self, first: &Survey) {
        self.stay = first.tally;
        self.stay -= first.kinds;
        self.live_at = first.live_at;
        if first.ended != Ended::Whole
            || !first.could_tell
            || !is_beyond_doubt(first)
            || !first.unseen.is_empty()
        {
            self.mark = None;
        }
    }

    /// Gives up unless the database counted as many rows as there were sessions to delete. It may count others: a rule can
    /// turn the delete to another table, and a damaged index lead to another row with the same key.
    pub(super) fn check_gone(&mut self, keys: &Keys, deleted: u64) {
        if self.mark.is_none() {
            return;
        }
        let gone = Arc::make_mut(&mut self.gone);
        gone.append(keys);
        if u64::try_from(keys.len()) != Ok(deleted) || gone.len() > MOST_GONE {
            self.mark = None;
        }
    }

    /// Reads what changed since the first scan. `None` if a scan of all rows must tell.
    pub(super) fn changes(
        &mut self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
        options: &SurveyOptions<'_>,
    ) -> Result<Option<Survey>, StoreError> {
        let Some(since) = self.since(true) else { return Ok(None) };
        let mut found = options.run_since(ctx, store, Some(since))?;
        // A clock that was set back makes sessions live again that the first scan left out.
        let is_sound = !found.is_of_changes
            || is_beyond_doubt(&found)
                && found.live_at >= self.live_at
                && !self.is_back(&found.keys);
        if !found.is_of_changes || !is_sound {
            self.mark = None;
        }
        if found.is_of_changes {
            found.tally = Tally { signatures: found.tally.signatures, ..self.stay };
        }
        Ok(Some(found).filter(|found| is_sound || matches!(found.ended, Ended::Interrupted(_))))
    }

    /// Whether a session is there that was deleted.
    fn is_back(&self, found: &Keys) -> bool {
        let found: HashSet<&str> = found.iter().collect();
        !found.is_empty() && self.gone.iter().any(|key| found.contains(key))
    }
}

/// Whether each row that was read is a session that is selected, or certainly none.
fn is_beyond_doubt(found: &Survey) -> bool {
    let Matches {
        matched: _,
        impersonated: _,
        unverified,
        shared,
        alike,
        unfit,
        unreadable,
        maybe_spared,
        different,
        undated,
        saved_later,
    } = found.matches;
    let in_doubt = [
        unverified,
        shared,
        alike,
        unfit,
        unreadable,
        maybe_spared,
        different,
        undated,
        saved_later,
    ];
    found.elsewhere.is_none() && in_doubt.iter().all(|rows| *rows == 0)
}
