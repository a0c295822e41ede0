//! One scan of the session table: counts what the rows are, and collects the keys of the sessions that a query selects.

mod passes;
mod verified;

pub(crate) use verified::find_verified_row;

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use django_session::{Decoded, Decoder, Verdict};

use super::counts::Counts;
use super::describe::{KeyDisplay, listed, summary};
use super::distinct::DistinctUsers;
use super::login_keys_seen::LoginKeysSeen;
use super::logins::Logins;
use super::named_users::SessionsOf;
use super::newest::{Candidate, Candidates};
use super::query::{Answer, SessionQuery, UserFilter};
use super::unfit_ids::UnfitIds;
use crate::context::Ctx;
use crate::engine::Ended;
use crate::model::{Keys, Page, Row, Signature, Tally, Timestamp};
use crate::report::{Doubt, ListedSession, Matches};
use crate::store::{ByUser, Filter, Since, Store, StoreError};

/// What a scan looks for, and how.
#[derive(Clone, Copy)]
pub(crate) struct SurveyOptions<'a> {
    /// The query that selects sessions.
    pub(crate) query: SessionQuery<'a>,
    /// Read only the rows that a user column gives to these users.
    pub(crate) by_user: Option<&'a ByUser>,
    /// Stop reading a row that begins with a login of somebody else. Such a row may name a selected user further
    /// on: behind an impersonation, or where a serializer of the site's own writes a key twice. The scan that proves
    /// reads the whole row.
    pub(crate) skim: bool,
    pub(crate) collect: Collect,
    /// Whether an earlier scan found a row that the keys verify.
    pub(crate) key_is_right: bool,
}

/// What to do with the keys of selected sessions.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Collect {
    Keys,
    /// Collect them for a dry run, which asks what other tables refer to; at most [`MOST_KEYS`].
    FirstKeys,
    CountOnly,
}

/// The result of a scan.
pub(crate) struct Survey {
    /// [`Ended::Enough`] if the query selects more sessions than one scan collects.
    pub(crate) ended: Ended,
    pub(crate) tally: Tally,
    pub(crate) matches: Matches,
    /// The selected sessions by what they are.
    pub(crate) kinds: Tally,
    /// The keys of the selected sessions, unless they were only to be counted.
    pub(crate) keys: Keys,
    /// Keys of sessions that no key verifies: they are selected once the keys are known to be right.
    unverified: Keys,
    /// Login keys (`--user-key`) under which no session holds a login.
    pub(crate) unseen: Vec<String>,
    /// The doubt that sessions without a login hold one under another key.
    pub(crate) elsewhere: Option<Doubt>,
    /// The top-level keys of sessions, counted as long as a login key was not seen.
    pub(crate) members: Counts,
    /// Users of sessions that no key verifies.
    pub(crate) unverified_users: DistinctUsers,
    /// Sessions by selected user.
    pub(crate) sessions_of: SessionsOf,
    /// Some of the ids that the primary key of the table of users cannot hold.
    pub(crate) unfit_ids: UnfitIds,
    /// The form of the ids in all logins, where no table of users shows how the site spells ids.
    pub(crate) logins: Logins,
    preview: Vec<ListedSession>,
    /// Rows that expired before this were left out.
    pub(crate) live_at: Option<Timestamp>,
    /// Whether the store could tell what changed since the mark that the scan was given.
    pub(crate) could_tell: bool,
    /// Whether the scan left out what has not changed since then.
    pub(crate) is_of_changes: bool,
}

/// A session that expired less than this ago may be live: a request that began before then saves its session, with a new
/// `expire_date`, when it ends (Django 5.2 `SessionMiddleware.process_response`), and clocks differ.
const JUST_EXPIRED: Duration = Duration::from_secs(600);

/// Keys that one scan collects, at about 40 bytes each. Later scans find the rest.
pub(crate) const MOST_KEYS: usize = 500_000;

/// Sessions of which a dry run shows more than their number.
const PREVIEW: usize = 20;

const MOST_PREVIEW_BYTES: usize = 2_000;

impl Collect {
    /// What a dry run collects: it needs keys only where rows of other tables refer to sessions, to count those.
    pub(crate) fn of_dry_run(needs_keys: bool) -> Self {
        if needs_keys { Self::FirstKeys } else { Self::CountOnly }
    }
}

impl SurveyOptions<'_> {
    /// Whether the scan reads every live row.
    pub(crate) fn reads_all_rows(&self) -> bool {
        self.by_user.is_none() && self.query.key_prefix().is_none()
    }

    /// Whether the scan reads the data of every live row to the end.
    pub(crate) fn reads_all(&self) -> bool {
        self.reads_all_rows() && !self.skim
    }

    /// Scans every row that may be live.
    pub(crate) fn run(&self, ctx: &Ctx<'_>, store: &dyn Store) -> Result<Survey, StoreError> {
        self.run_since(ctx, store, None)
    }

    /// The same, with a mark of before.
    pub(crate) fn run_since(
        &self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
        since: Option<Since>,
    ) -> Result<Survey, StoreError> {
        let key_prefix = self.query.key_prefix();
        // A session that was named goes even if it expired.
        let live_only =
            key_prefix.is_none() && !matches!(self.query.users, UserFilter::EverythingBut(_));
        let codec = ctx.codec;
        let mut reader = store.reader()?;
        if self.collect == Collect::Keys {
            // With several hosts this may be another server than the first: a replica that lags behind proves nothing.
            reader.demand_writes()?;
        }
        let now = reader.now()?;
        let filter = Filter {
            live_at: if live_only { Some(now.before(JUST_EXPIRED)) } else { None },
            user: self.by_user.cloned(),
            key_prefix,
            since,
            ..Filter::default()
        };
        let seen = Seen {
            key_is_right: AtomicBool::new(self.key_is_right || codec.keyring.is_empty()),
            login_keys: LoginKeysSeen::new(ctx, &self.query),
            candidates: Candidates::of(&self.query, now),
        };
        let worker = || {
            let mut decoder = Decoder::new(codec);
            let seen = &seen;
            move |page: &mut Page| Findings::of(page, &mut decoder, self, seen)
        };
        let mut survey = Survey::empty();
        survey.ended = match self.query.newest {
            Some(newest) => self.rank(ctx, (&mut *reader, &filter), worker, newest, &mut survey)?,
            None => ctx.scan().run(&mut *reader, &filter, worker, |findings| {
                survey.add(findings, self.collect, ctx.most_keys);
                survey.go_on(self.collect, ctx.most_keys)
            })?,
        };
        survey.live_at = filter.live_at;
        survey.could_tell = reader.could_tell();
        survey.is_of_changes =
            survey.could_tell && filter.since.is_some_and(|since| since.only_changes);
        survey.unseen = seen.login_keys.unseen();
        survey.elsewhere = seen.login_keys.elsewhere();
        ctx.talk.detail(&format!(
            "looked at {} rows: {} sessions found",
            survey.tally.scanned,
            survey.matches.matched + survey.matches.unverified
        ));
        Ok(survey)
    }
}

impl Survey {
    /// How many rows were checked, if a key was given and verified none of them. `None` unless the scan read all rows.
    pub(crate) fn nothing_verifies(&self) -> Option<u64> {
        self.tally.signatures.none_is_valid().filter(|_| self.ended == Ended::Whole)
    }

    /// Adds the sessions that no key verifies to the selected ones, once the keys are known to be right: either Django reads
    /// such a session as empty, and deleting it loses nothing, or the site has a key that was not given here.
    pub(crate) fn take_unverified(&mut self) {
        self.matches.matched += self.matches.unverified;
        self.keys.append(&std::mem::take(&mut self.unverified));
    }

    /// The first of the selected sessions.
    pub(crate) fn preview(self) -> Vec<ListedSession> {
        self.preview
    }

    fn empty() -> Self {
        Self {
            ended: Ended::Whole,
            tally: Tally::default(),
            matches: Matches::default(),
            kinds: Tally::default(),
            keys: Keys::default(),
            unverified: Keys::default(),
            unseen: Vec::new(),
            elsewhere: None,
            members: Counts::default(),
            unverified_users: DistinctUsers::default(),
            sessions_of: SessionsOf::default(),
            unfit_ids: UnfitIds::default(),
            logins: Logins::default(),
            preview: Vec::new(),
            live_at: None,
            could_tell: false,
            is_of_changes: false,
        }
    }

    /// Whether the scan has to read more.
    fn go_on(&self, collect: Collect, most_keys: usize) -> ControlFlow<()> {
        if collect == Collect::Keys && self.has(most_keys) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn has(&self, keys: usize) -> bool {
        self.keys.len() + self.unverified.len() >= keys
    }

    fn add(&mut self, findings: Findings, collect: Collect, most_keys: usize) {
        self.tally += findings.tally;
        self.matches += findings.matches;
        self.kinds += findings.kinds;
        if collect == Collect::Keys || collect == Collect::FirstKeys && !self.has(most_keys) {
            self.keys.append(&findings.keys);
            self.unverified.append(&findings.unverified);
        }
        self.members.merge(&findings.members);
        self.unverified_users.append(findings.unverified_users);
        self.sessions_of.append(findings.sessions_of);
        self.unfit_ids.append(findings.unfit_ids);
        self.logins.append(findings.logins);
        let room = PREVIEW.saturating_sub(self.preview.len());
        self.preview.extend(findings.preview.into_iter().take(room));
    }
}

/// State that the workers share.
struct Seen<'c> {
    /// Whether a key has verified a row. From then on signatures are checked only where they matter.
    key_is_right: AtomicBool,
    login_keys: LoginKeysSeen<'c>,
    /// Finds the sessions that are to be ranked, if the query is for those beyond the newest.
    candidates: Option<Candidates<'c>>,
}

/// The findings of one page.
#[derive(Default)]
struct Findings {
    tally: Tally,
    matches: Matches,
    kinds: Tally,
    keys: Keys,
    unverified: Keys,
    members: Counts,
    unverified_users: DistinctUsers,
    sessions_of: SessionsOf,
    unfit_ids: UnfitIds,
    logins: Logins,
    preview: Vec<ListedSession>,
    /// Sessions to rank.
    candidates: Vec<Candidate>,
}

impl Findings {
    fn of(
        page: &Page,
        decoder: &mut Decoder<'_>,
        options: &SurveyOptions<'_>,
        seen: &Seen<'_>,
    ) -> Self {
        let (mut findings, mut decoder) = (Self::default(), decoder.page());
        let skimmed_logins = Cell::new(Logins::default());
        for row in page.rows() {
            // A row that the user column selects is compared with the column, so it is read as a whole.
            let skims = options.skim && row.user.is_none() && seen.login_keys.has_one_key();
            let skimmed = row.data.text().filter(|_| skims);
            match (options.query.users, skimmed) {
                (UserFilter::EverythingBut(ids), _) if ids.is_empty() => findings.take_unread(&row),
                (UserFilter::These(ids), Some(stored)) => {
                    let others = |user_id: &str| {
                        Logins::count_asked(&skimmed_logins, ids, user_id);
                        !(ids.contains(user_id) || ids.may_mean(user_id) || ids.is_unfit(user_id))
                    };
                    if let Some(session) = decoder.decode_unless(stored, others) {
                        findings.row(&row, &session, options, seen);
                    } else {
                        findings.tally.scanned += 1;
                        findings.tally.logins += 1;
                        // Both may need the whole row as long as no key has verified one; it is decoded once.
                        let mut known = None;
                        let mut signature =
                            || *known.get_or_insert_with(|| decoder.decode(stored).signature());
                        seen.login_keys.note_first(&mut signature);
                        findings.prove(&mut signature, seen);
                    }
                }
                _ => findings.row(&row, &row.decode(&mut decoder), options, seen),
            }
        }
        findings.logins.append(skimmed_logins.get());
        findings
    }

    /// Counts a row without reading it: the query selects all rows.
    fn take_unread(&mut self, row: &Row<'_>) {
        self.tally.scanned += 1;
        self.matches.matched += 1;
        self.keys.push(row.key);
    }

    /// Checks a signature, as long as no row has shown that the keys are right.
    fn prove(&mut self, signature: impl FnOnce() -> Signature, seen: &Seen<'_>) {
        if !seen.key_is_right.load(Relaxed) {
            let signature = signature();
            self.tally.signatures.count(signature);
            if signature == Signature::Valid {
                seen.key_is_right.store(true, Relaxed);
            }
        }
    }

    fn row(
        &mut self,
        row: &Row<'_>,
        session: &Decoded<'_>,
        options: &SurveyOptions<'_>,
        seen: &Seen<'_>,
    ) {
        let query = &options.query;
        let verdict = query.verdict(row, session);
        self.tally.count(&verdict);
        self.prove(|| session.signature(), seen);
        seen.login_keys.note(session, &verdict, &mut self.members);
        let answer = query.answer(row, session, &verdict);
        if let (Some(candidates), true, Verdict::Login(login)) =
            (&seen.candidates, query.takes(answer), &verdict)
        {
            candidates.add(&mut self.candidates, row, session, login);
            return self.count_users(query, Answer::Other, &verdict);
        }
        query.count(answer, &verdict, &mut self.matches);
        match (answer, &verdict) {
            (Answer::Unverified, Verdict::Login(login)) => {
                self.unverified_users.insert(&login.user_id);
            }
            (Answer::Unfit, Verdict::Login(login)) => self.unfit_ids.note(&login.user_id),
            (Answer::MaybeLogin, _) => seen.login_keys.note_no_visitor(session, &verdict),
            _ => {}
        }
        self.count_users(query, answer, &verdict);
        if !query.takes(answer) {
            return;
        }
        self.kinds.count(&verdict);
        match answer {
            Answer::Unverified => self.unverified.push(row.key),
            _ => self.keys.push(row.key),
        }
        if self.preview.len() < PREVIEW {
            let described = summary(session);
            if described.held_bytes() <= MOST_PREVIEW_BYTES {
                self.preview.push(listed(row, described, KeyDisplay::Masked));
            }
        }
    }

    /// Counts a session for each selected user whom it names.
    fn count_users(&mut self, query: &SessionQuery<'_>, answer: Answer, verdict: &Verdict<'_>) {
        if let (UserFilter::These(ids), Verdict::Login(login)) = (query.users, verdict) {
            if ids.are_of_unknown_key() && !login.is_unverified() {
                self.logins.count(&login.user_id);
            }
            for id in login.users().filter(|id| ids.contains(id)) {
                self.sessions_of.count(id, login, query.takes(answer));
            }
        }
    }
}
