//! The outcome of a logout: what the scans found, how many sessions were ended, and why the run ended.

use crate::engine::{Ended, StopReason};
use crate::model::Tally;
use crate::report::{Doubt, ListedSession, Matches, Referenced};
use crate::sessions::counts::Counts;
use crate::sessions::distinct::DistinctUsers;
use crate::sessions::logins::Logins;
use crate::sessions::named_users::SessionsOf;
use crate::sessions::references::{KeptSessions, ReferencesGone};
use crate::sessions::survey::{Survey, SurveyOptions};
use crate::sessions::unfit_ids::UnfitIds;

/// What the scans found, what was done, and why it ended.
pub(crate) struct Outcome {
    /// Rows that the first scan read.
    pub(crate) scanned: u64,
    /// The tally of the last scan that read all live rows, or of the last scan if none did.
    pub(crate) tally: Tally,
    /// Matches of all scans, and the doubtful rows of the last scan.
    pub(crate) matches: Matches,
    /// The sessions that the first scan selected, by what they are.
    pub(crate) kinds: Tally,
    pub(crate) deleted: u64,
    /// Rows of other tables that were deleted with the sessions, or would be.
    pub(crate) references: ReferencesGone,
    /// Whether the table was truncated before the first scan. Its rows are not counted.
    pub(crate) emptied: bool,
    pub(crate) rewritten: u64,
    pub(crate) batches: u64,
    /// Sessions that the last scan found, if a scan followed the last delete.
    pub(crate) remaining: Option<u64>,
    /// Deleted sessions that the last scan found again.
    pub(crate) not_deleted: u64,
    /// Sessions that stay because rows of other tables refer to them.
    pub(crate) kept: KeptSessions,
    pub(crate) rounds: u32,
    /// Why nothing is proved although the last scan found no session.
    pub(crate) doubts: Vec<Doubt>,
    /// Whether the result relies on the user column (`--trust-column`).
    pub(crate) by_column: bool,
    /// Sessions that stay because no key verifies them.
    pub(crate) unverified_left: u64,
    /// Whether a scan found a row that a key verifies.
    pub(super) key_is_right: bool,
    /// Logins that all scans saw.
    pub(crate) named: u64,
    /// Login keys under which no scan saw a login; `None` before the first scan.
    pub(super) unseen: Option<Vec<String>>,
    /// The doubt that sessions without a login hold one under another key, of the last scan.
    pub(super) elsewhere: Option<Doubt>,
    pub(super) members: Counts,
    unverified_users: DistinctUsers,
    /// Matching sessions of all scans, by user.
    pub(crate) sessions_of: SessionsOf,
    /// Some of the ids in the last scan that the key of the table of users cannot hold.
    pub(crate) unfit_ids: UnfitIds,
    /// The kinds of ids in all logins of the last scan.
    pub(crate) logins: Logins,
    /// The first sessions that a dry run found.
    pub(crate) preview: Vec<ListedSession>,
    pub(crate) ended: Result<(), StopReason>,
}

impl Outcome {
    /// The outcome of a command that was interrupted before its first scan.
    pub(crate) fn interrupted(reason: StopReason) -> Self {
        Self { ended: Err(reason), ..Self::nothing_yet() }
    }

    pub(super) fn nothing_yet() -> Self {
        Self {
            scanned: 0,
            tally: Tally::default(),
            matches: Matches::default(),
            kinds: Tally::default(),
            deleted: 0,
            references: ReferencesGone::default(),
            emptied: false,
            rewritten: 0,
            batches: 0,
            remaining: None,
            not_deleted: 0,
            kept: KeptSessions::default(),
            rounds: 1,
            doubts: Vec::new(),
            by_column: false,
            unverified_left: 0,
            key_is_right: false,
            named: 0,
            unseen: None,
            elsewhere: None,
            members: Counts::default(),
            unverified_users: DistinctUsers::default(),
            sessions_of: SessionsOf::default(),
            unfit_ids: UnfitIds::default(),
            logins: Logins::default(),
            preview: Vec::new(),
            ended: Ok(()),
        }
    }

    /// Takes over those findings of a scan that deleting does not change.
    pub(super) fn note(&mut self, options: &SurveyOptions<'_>, survey: &mut Survey) {
        if self.key_is_right && !options.query.verified_only {
            survey.take_unverified();
            self.unverified_left = 0;
        } else {
            self.unverified_left = survey.matches.unverified;
        }
        if options.reads_all() || self.tally == Tally::default() {
            self.tally = survey.tally;
        }
        self.named += survey.tally.named();
        let unseen = std::mem::take(&mut survey.unseen);
        match &mut self.unseen {
            Some(so_far) => so_far.retain(|key| unseen.contains(key)),
            None => self.unseen = Some(unseen),
        }
        self.elsewhere = survey.elsewhere.take();
        self.members.merge(&std::mem::take(&mut survey.members));
        self.unverified_users.append(std::mem::take(&mut survey.unverified_users));
        self.unfit_ids = std::mem::take(&mut survey.unfit_ids);
        if survey.is_of_changes {
            self.logins.append(survey.logins);
        } else {
            self.logins = survey.logins;
        }
        let Matches { shared, alike, unfit, unreadable, undated, saved_later, different, .. } =
            survey.matches;
        let different = self.matches.different.max(different);
        self.matches = Matches {
            shared,
            alike,
            unfit,
            unreadable,
            different,
            undated,
            saved_later,
            ..self.matches
        };
        if self.unverified_left > 0 {
            self.matches.unverified = self.unverified_left;
        }
        if let Ended::Interrupted(signal) = survey.ended {
            self.ended = Err(StopReason::Interrupted(signal));
        }
    }

    /// Counts the sessions that a scan found, before they are ended.
    pub(super) fn count(&mut self, found: &mut Survey) {
        let again = u64::try_from(self.kept.among(&found.keys)).unwrap_or(u64::MAX);
        self.matches.matched += found.matches.matched.saturating_sub(again);
        if self.unverified_left == 0 {
            self.matches.unverified += found.matches.unverified;
        }
        self.matches.impersonated += found.matches.impersonated;
        self.sessions_of.append(std::mem::take(&mut found.sessions_of));
    }

    /// How many different users have sessions that no key verifies, as far as they were counted.
    pub(crate) fn unverified_users(&self) -> u64 {
        self.unverified_users.count()
    }

    /// The sessions that other tables keep, for the report.
    pub(crate) fn referenced(&mut self) -> Referenced {
        std::mem::take(&mut self.kept).report()
    }
}
