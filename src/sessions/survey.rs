//! One look at the rows of a table: what they are, and which of them are asked for.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use django_session::{Decoded, Decoder, UserIds, Verdict};

use super::counts::Counts;
use super::describe::{KeyDisplay, listed, summary};
use super::distinct::DistinctUsers;
use super::login_keys_seen::LoginKeysSeen;
use super::logins::Logins;
use super::named_users::SessionsOf;
use super::query::{Answer, SessionQuery, UserFilter};
use super::unfit_ids::UnfitIds;
use crate::context::Ctx;
use crate::engine::Ended;
use crate::model::{Keys, Page, Row, Signature, Tally};
use crate::report::{Doubt, ListedSession, Matches};
use crate::store::{ByUser, Filter, Store, StoreError};

/// How a look is taken.
#[derive(Clone, Copy)]
pub(crate) struct SurveyOptions<'a> {
    /// What is looked for.
    pub(crate) query: SessionQuery<'a>,
    /// Read only the rows that a user column gives to these users.
    pub(crate) by_user: Option<&'a ByUser>,
    /// Read no more of a row that begins with a login of somebody else. Such a row may name a wanted user further
    /// behind: as the one behind an impersonation, or where a serializer of the site's own writes a key twice. The
    /// look that proves reads all of it.
    pub(crate) skim: bool,
    pub(crate) collect: Collect,
    /// Whether an earlier look found a row that the keys verify.
    pub(crate) key_is_right: bool,
}

/// What becomes of the keys of the sessions that are found.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Collect {
    Keys,
    /// Of a dry run, which asks what other tables refer to. Further keys than [`MOST_KEYS`] are not collected.
    FirstKeys,
    CountOnly,
}

/// What a look found.
pub(crate) struct Survey {
    /// [`Ended::Enough`] if more sessions are asked for than one look collects.
    pub(crate) ended: Ended,
    pub(crate) tally: Tally,
    pub(crate) matches: Matches,
    /// The keys of the sessions that are asked for, unless they were only to be counted.
    pub(crate) keys: Keys,
    /// The same of sessions that no key verifies: they are asked for once the keys are known to be right.
    unverified: Keys,
    /// Keys of logins under which no session holds one.
    pub(crate) unseen: Vec<String>,
    /// The doubt that sessions without a login hold one under another key.
    pub(crate) elsewhere: Option<Doubt>,
    /// What stands at the top level of sessions, as long as there are such keys.
    pub(crate) members: Counts,
    /// Users of sessions that no key verifies.
    pub(crate) unverified_users: DistinctUsers,
    /// Sessions by user, where some users are asked for.
    pub(crate) sessions_of: SessionsOf,
    /// Some of the ids that the key of the table of users cannot hold.
    pub(crate) unfit_ids: UnfitIds,
    /// What the ids in all logins are, where nothing else tells how the site spells them.
    pub(crate) logins: Logins,
    preview: Vec<ListedSession>,
}

/// Sessions that expired so short a time ago may be live: a request that began before saves its session, and with it a new
/// `expire_date`, when it ends (Django 5.2 `SessionMiddleware.process_response`), and clocks differ.
const JUST_EXPIRED: Duration = Duration::from_secs(600);

/// Keys that one look collects, at about 40 bytes each. Where there are more they are found by the
/// looks that follow.
pub(crate) const MOST_KEYS: usize = 500_000;

/// Sessions of which a dry run shows more than their number.
const PREVIEW: usize = 20;

const MOST_PREVIEW_BYTES: usize = 2_000;

impl Collect {
    /// What a dry run needs: where other tables can keep sessions it counts those that would stay.
    pub(crate) fn of_dry_run(can_be_kept: bool) -> Self {
        if can_be_kept { Self::FirstKeys } else { Self::CountOnly }
    }
}

impl SurveyOptions<'_> {
    /// Whether it reads the data of every live row to the end.
    pub(crate) fn reads_all(&self) -> bool {
        self.by_user.is_none() && !self.skim
    }

    /// Looks at every row that may be live.
    pub(crate) fn run(&self, ctx: &Ctx<'_>, store: &dyn Store) -> Result<Survey, StoreError> {
        let live_only = !matches!(self.query.users, UserFilter::EverythingBut(_));
        let codec = ctx.codec;
        let seen = Seen {
            key_is_right: AtomicBool::new(self.key_is_right || codec.keyring.is_empty()),
            login_keys: LoginKeysSeen::new(ctx, self.query.users),
        };
        let worker = || {
            let mut decoder = Decoder::new(codec);
            let seen = &seen;
            move |page: &mut Page| Findings::of(page, &mut decoder, self, seen)
        };
        let mut reader = store.reader()?;
        if self.collect == Collect::Keys {
            // Of several hosts it may be another than was asked first: a replica that is behind proves nothing.
            reader.demand_writes()?;
        }
        let filter = Filter {
            live_at: if live_only { Some(reader.now()?.before(JUST_EXPIRED)) } else { None },
            user: self.by_user.cloned(),
            ..Filter::default()
        };
        let mut survey = Survey::empty();
        let ended = ctx.scan().run(&mut *reader, &filter, worker, |findings| {
            survey.add(findings, self.collect, ctx.most_keys);
            if self.collect == Collect::Keys && survey.has(ctx.most_keys) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        survey.ended = ended;
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
    /// How many rows were checked, if a key was given and verified none of them. Only a look at all rows can tell.
    pub(crate) fn nothing_verifies(&self) -> Option<u64> {
        self.tally.signatures.none_is_valid().filter(|_| self.ended == Ended::Whole)
    }

    /// Takes sessions that no key verifies for sessions that were asked for, since the keys are right: Django reads
    /// them as empty, and nothing is lost, or it has a key that was not given here.
    pub(crate) fn take_unverified(&mut self) {
        self.matches.matched += self.matches.unverified;
        self.keys.append(&std::mem::take(&mut self.unverified));
    }

    /// The first of the sessions that were found.
    pub(crate) fn preview(self) -> Vec<ListedSession> {
        self.preview
    }

    fn empty() -> Self {
        Self {
            ended: Ended::Whole,
            tally: Tally::default(),
            matches: Matches::default(),
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
        }
    }

    fn has(&self, keys: usize) -> bool {
        self.keys.len() + self.unverified.len() >= keys
    }

    fn add(&mut self, findings: Findings, collect: Collect, most_keys: usize) {
        self.tally += findings.tally;
        self.matches += findings.matches;
        if collect == Collect::Keys || collect == Collect::FirstKeys && !self.has(most_keys) {
            self.keys.append(&findings.keys);
            self.unverified.append(&findings.unverified);
        }
        self.members.merge(findings.members);
        self.unverified_users.append(findings.unverified_users);
        self.sessions_of.append(findings.sessions_of);
        self.unfit_ids.append(findings.unfit_ids);
        self.logins.append(findings.logins);
        let room = PREVIEW.saturating_sub(self.preview.len());
        self.preview.extend(findings.preview.into_iter().take(room));
    }
}

/// Reads the live rows until the key verifies one: [`Ended::Enough`] if there is one. An expired row proves nothing: its
/// key may have gone out of use with it.
pub(crate) fn find_verified_row(ctx: &Ctx<'_>, store: &dyn Store) -> Result<Ended, StoreError> {
    let codec = ctx.codec;
    let worker = || {
        let mut decoder = Decoder::new(codec);
        move |page: &mut Page| {
            let mut decoder = decoder.page();
            page.rows().any(|row| row.decode(&mut decoder).signature() == Signature::Valid)
        }
    };
    let mut reader = store.reader()?;
    let filter = Filter { live_at: Some(reader.now()?), ..Filter::default() };
    ctx.scan().run(&mut *reader, &filter, worker, |verifies| {
        if verifies { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

/// What all workers together have seen.
struct Seen<'c> {
    /// A row that one of the keys verifies. From then on only rows that matter have their signature checked.
    key_is_right: AtomicBool,
    login_keys: LoginKeysSeen<'c>,
}

/// What one page gave.
#[derive(Default)]
struct Findings {
    tally: Tally,
    matches: Matches,
    keys: Keys,
    unverified: Keys,
    members: Counts,
    unverified_users: DistinctUsers,
    sessions_of: SessionsOf,
    unfit_ids: UnfitIds,
    logins: Logins,
    preview: Vec<ListedSession>,
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
            // What the column says of a row is compared with the whole of it.
            let skims = options.skim && row.user.is_none() && seen.login_keys.has_one_key();
            let skimmed = row.data.text().filter(|_| skims);
            match (options.query.users, skimmed) {
                (UserFilter::EverythingBut(ids), _) if ids.is_empty() => findings.take_unread(&row),
                (UserFilter::These(ids), Some(stored)) => {
                    let others = |user_id: &str| {
                        count_login(&skimmed_logins, ids, user_id);
                        !(ids.contains(user_id) || ids.may_mean(user_id) || ids.is_unfit(user_id))
                    };
                    if let Some(session) = decoder.decode_unless(stored, others) {
                        findings.row(&row, &session, options, seen);
                    } else {
                        findings.tally.scanned += 1;
                        findings.tally.logins += 1;
                        // Both may ask, as long as no key has verified a row: it is decoded once for them.
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

    /// Where all rows are asked for, none has to be read.
    fn take_unread(&mut self, row: &Row<'_>) {
        self.tally.scanned += 1;
        self.matches.matched += 1;
        self.keys.push(row.key);
    }

    /// Checks a signature as long as no row has shown that the keys are right.
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
        query.count(answer, &verdict, &mut self.matches);
        match (answer, &verdict) {
            (Answer::Unverified, Verdict::Login(login)) => {
                self.unverified_users.insert(&login.user_id);
            }
            (Answer::Unfit, Verdict::Login(login)) => self.unfit_ids.note(&login.user_id),
            _ => {}
        }
        self.count_users(query, answer, &verdict);
        if !query.takes(answer) {
            return;
        }
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

    /// Counts a session for each of the users who are asked for and whom it names.
    fn count_users(&mut self, query: &SessionQuery<'_>, answer: Answer, verdict: &Verdict<'_>) {
        if let (UserFilter::These(ids), Verdict::Login(login)) = (query.users, verdict) {
            if ids.are_of_unknown_key() && !login.is_unverified() {
                self.logins.count(&login.user_id);
            }
            for id in login.users().filter(|id| ids.contains(id)) {
                self.sessions_of.count(id, query.takes(answer));
            }
        }
    }
}

/// Counts a login of which no more than its user was read.
fn count_login(logins: &Cell<Logins>, asked: &UserIds, user_id: &str) {
    if asked.are_of_unknown_key() {
        let mut counted = logins.get();
        counted.count(user_id);
        logins.set(counted);
    }
}
