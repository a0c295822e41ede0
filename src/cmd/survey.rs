//! One look at the rows of a table: whose sessions are there, and can they be told?

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::Ctx;
use super::describe::{Detail, KeyDisplay, describe, listed};
use super::signatures::Signatures;
use crate::codec::{Decoded, Decoder, UserIds};
use crate::engine::Ended;
use crate::model::{Keys, Page, Row, SavedWindow, Signature, Timestamp};
use crate::report::ListedSession;
use crate::store::{ByUser, Filter, Store, StoreError};

/// Which sessions are looked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) who: Who<'a>,
    /// When they were last saved, if that matters.
    pub(super) saved: Option<SavedWindow>,
    /// The one key that stays.
    pub(super) spared: Option<&'a str>,
    /// The column that finds them, if there is one.
    pub(super) by_user: Option<&'a ByUser>,
    /// Read no more of rows that begin with a login of somebody else. That is exact unless a serializer of the
    /// site's own writes a key twice, and where no other look will prove anything it is what `--no-verify` means.
    pub(super) skim: bool,
}

impl Wanted<'_> {
    /// What the column says of a row is compared with the whole of it.
    fn skims(&self, row: &Row<'_>) -> bool {
        self.skim && row.user.is_none()
    }
}

/// Whose sessions are looked for.
#[derive(Clone, Copy)]
pub(super) enum Who<'a> {
    /// Live ones of these users.
    These(&'a UserIds),
    /// Live ones of all users but these.
    AllBut(&'a UserIds),
    /// Every row that is no session of these users, be it anonymous, expired or unreadable.
    EverythingBut(&'a UserIds),
}

impl Who<'_> {
    pub(super) fn wants(self, user_id: Option<&str>) -> bool {
        match self {
            Self::These(ids) => user_id.is_some_and(|id| ids.contains(id)),
            Self::AllBut(ids) => user_id.is_some_and(|id| !ids.contains(id)),
            Self::EverythingBut(ids) => !user_id.is_some_and(|id| ids.contains(id)),
        }
    }
}

/// What a look found.
pub(super) struct Survey {
    /// [`Ended::Enough`] if there are more of them than [`MOST_KEYS`].
    pub(super) ended: Ended,
    pub(super) scanned: u64,
    /// Sessions that were looked for.
    pub(super) matched: u64,
    /// Their keys, unless they were only to be counted.
    pub(super) keys: Keys,
    /// Rows that name a wanted user and that Django reads as empty.
    pub(super) unverified: u64,
    /// Rows that cannot be read, and may be anybody's for all that is known.
    pub(super) unreadable: u64,
    /// Logins of somebody else than the column says.
    pub(super) different: u64,
    /// Sessions of wanted users that do not say when they were saved, where that matters.
    pub(super) undated: u64,
    signatures: Signatures,
    preview: Vec<ListedSession>,
}

/// What becomes of the keys of the sessions that are found.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Collect {
    Keys,
    CountOnly,
}

/// Keys that one look collects, at about 40 bytes each. Where there are more they are found by the
/// looks that follow.
const MOST_KEYS: u64 = 500_000;

/// Sessions of which a dry run shows more than their number.
const PREVIEW: usize = 20;

impl Survey {
    /// Looks at every row that may be live.
    pub(super) fn take(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        wanted: &Wanted<'_>,
        collect: Collect,
    ) -> Result<Self, StoreError> {
        let live_only = !matches!(wanted.who, Who::EverythingBut(_));
        let filter = Filter {
            live_at: live_only.then(Timestamp::now),
            user: wanted.by_user.cloned(),
            ..Filter::default()
        };
        let mut survey = Self::empty();
        let codec = &ctx.codec;
        // Once the key is known to be right, only rows that matter have their signature checked; without one, none.
        let key_is_right = AtomicBool::new(codec.keyring.is_empty());
        let worker = || {
            let mut decoder = Decoder::new(codec);
            let key_is_right = &key_is_right;
            move |page: &Page| Findings::of(page, &mut decoder, wanted, key_is_right)
        };
        let mut reader = store.reader()?;
        if collect == Collect::Keys {
            // Of several hosts it may be another than was asked first: a replica that is behind proves nothing.
            reader.demand_writes()?;
        }
        let ended = ctx.scan().run(&mut *reader, &filter, worker, |findings| {
            survey.add(findings, collect);
            if collect == Collect::Keys && survey.matched >= MOST_KEYS {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        survey.ended = ended;
        ctx.talk.detail(&format!(
            "looked at {} rows: {} sessions found",
            survey.scanned, survey.matched
        ));
        Ok(survey)
    }

    /// How many rows were checked, if a key was given and verified none of them. A look that was
    /// broken off proves nothing.
    pub(super) fn nothing_verifies(&self) -> Option<u64> {
        self.signatures.none_is_valid().filter(|_| self.ended == Ended::Whole)
    }

    /// The first of the sessions that were found.
    pub(super) fn preview(self) -> Vec<ListedSession> {
        self.preview
    }

    fn empty() -> Self {
        Self {
            ended: Ended::Whole,
            scanned: 0,
            matched: 0,
            keys: Keys::default(),
            unverified: 0,
            unreadable: 0,
            different: 0,
            undated: 0,
            signatures: Signatures::default(),
            preview: Vec::new(),
        }
    }

    fn add(&mut self, findings: Findings, collect: Collect) {
        self.scanned += findings.scanned;
        self.matched += u64::try_from(findings.keys.len()).unwrap_or(u64::MAX);
        if collect == Collect::Keys {
            self.keys.append(&findings.keys);
        }
        self.unverified += findings.unverified;
        self.unreadable += findings.unreadable;
        self.different += findings.different;
        self.undated += findings.undated;
        self.signatures.add(findings.signatures);
        let room = PREVIEW.saturating_sub(self.preview.len());
        self.preview.extend(findings.preview.into_iter().take(room));
    }
}

/// Reads the table until the key verifies a row: [`Ended::Enough`] if there is one.
pub(super) fn look_for_proof(ctx: &Ctx<'_>, store: &dyn Store) -> Result<Ended, StoreError> {
    let codec = &ctx.codec;
    let worker = || {
        let mut decoder = Decoder::new(codec);
        move |page: &Page| {
            page.rows().any(|row| decoder.decode_row(&row).signature() == Signature::Valid)
        }
    };
    ctx.scan().run(&mut *store.reader()?, &Filter::default(), worker, |verifies| {
        if verifies { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

/// What one page gave.
#[derive(Default)]
struct Findings {
    scanned: u64,
    signatures: Signatures,
    keys: Keys,
    unverified: u64,
    unreadable: u64,
    different: u64,
    undated: u64,
    preview: Vec<ListedSession>,
}

impl Findings {
    fn of(
        page: &Page,
        decoder: &mut Decoder<'_>,
        wanted: &Wanted<'_>,
        key_is_right: &AtomicBool,
    ) -> Self {
        let mut findings = Self::default();
        for row in page.rows() {
            match (wanted.who, row.data.text().filter(|_| wanted.skims(&row))) {
                (Who::EverythingBut(ids), _) if ids.is_empty() => findings.take(&row),
                (Who::These(ids), Some(stored)) => {
                    match decoder.decode_unless(stored, |user_id| !ids.contains(user_id)) {
                        Some(session) => findings.row(&row, &session, wanted, key_is_right),
                        None => {
                            findings.of_others(|| decoder.decode(stored).signature(), key_is_right);
                        }
                    }
                }
                _ => findings.row(&row, &decoder.decode_row(&row), wanted, key_is_right),
            }
        }
        findings
    }

    /// A row of somebody else. Until one is known to verify, it may be the first.
    fn of_others(&mut self, signature: impl FnOnce() -> Signature, key_is_right: &AtomicBool) {
        self.scanned += 1;
        if !key_is_right.load(Relaxed) {
            self.check(signature(), key_is_right);
        }
    }

    fn check(&mut self, signature: Signature, key_is_right: &AtomicBool) {
        self.signatures.count(signature);
        if signature == Signature::Valid {
            key_is_right.store(true, Relaxed);
        }
    }

    fn take(&mut self, row: &Row<'_>) {
        self.scanned += 1;
        self.keys.push(row.key);
    }

    fn row(
        &mut self,
        row: &Row<'_>,
        decoded: &Decoded<'_>,
        wanted: &Wanted<'_>,
        key_is_right: &AtomicBool,
    ) {
        if matches!(wanted.who, Who::EverythingBut(_)) {
            self.unless_spared(row, decoded, wanted);
            return;
        }
        self.scanned += 1;
        let auth = decoded.auth();
        let named = auth.as_ref().is_ok_and(|auth| wanted.who.wants(auth.user_id.as_deref()));
        if !named && row.user.is_some() && auth.as_ref().is_ok_and(|auth| auth.user_id.is_some()) {
            self.different += u64::from(decoded.signature() != Signature::Invalid);
        }
        if !named && auth.is_ok() && key_is_right.load(Relaxed) {
            return;
        }
        let signature = decoded.signature();
        self.check(signature, key_is_right);
        let in_time = wanted.saved.map_or(Some(true), |time| time.contains(decoded.saved()));
        match signature {
            Signature::Invalid if named => self.unverified += 1,
            Signature::Invalid => {}
            _ if auth.is_err() => self.unreadable += 1,
            _ if named && in_time.is_none() => self.undated += 1,
            _ if named && in_time == Some(true) && wanted.spared != Some(row.key) => {
                self.keys.push(row.key);
                if self.preview.len() < PREVIEW {
                    self.preview.push(listed(
                        row,
                        describe(decoded, Detail::Summary),
                        KeyDisplay::Masked,
                    ));
                }
            }
            _ => {}
        }
    }

    /// A row that Django would not take for a session of theirs is none.
    fn unless_spared(&mut self, row: &Row<'_>, decoded: &Decoded<'_>, wanted: &Wanted<'_>) {
        let wants = decoded.auth().map_or(true, |auth| wanted.who.wants(auth.user_id.as_deref()));
        if wants || decoded.signature() == Signature::Invalid {
            self.take(row);
        } else {
            self.scanned += 1;
        }
    }
}
