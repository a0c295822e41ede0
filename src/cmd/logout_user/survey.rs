//! One look at the live rows of a table.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cmd::Ctx;
use crate::cmd::describe::{Detail, KeyDisplay, describe, listed};
use crate::codec::{Codec, Decoded, Decoder, UserIds};
use crate::engine::Ended;
use crate::model::{Keys, Page, Row, Signature, Timestamp};
use crate::report::ListedSession;
use crate::store::{Filter, Store, StoreError};

/// Whose sessions are looked for.
pub(super) struct Wanted<'a> {
    pub(super) ids: &'a UserIds,
    /// The one key that stays.
    pub(super) spared: Option<&'a str>,
}

/// What a look found.
pub(super) struct Survey {
    pub(super) ended: Ended,
    pub(super) scanned: u64,
    pub(super) keys: Keys,
    /// Rows that name a wanted user and that Django reads as empty.
    pub(super) unverified: u64,
    /// Rows that cannot be read, and may be anybody's for all that is known.
    pub(super) unreadable: u64,
    proof: KeyProof,
    preview: Vec<ListedSession>,
}

/// Whether the key that was given is the site's.
#[derive(Clone, Copy, PartialEq)]
enum KeyProof {
    NoKey,
    /// It verified a row.
    Right,
    /// It verified none of so many.
    Wrong(u64),
}

/// Sessions of which a dry run shows more than their number.
const PREVIEW: usize = 20;

impl Survey {
    /// Looks at every row that may be live.
    pub(super) fn take(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        wanted: &Wanted<'_>,
    ) -> Result<Self, StoreError> {
        let filter = Filter { live_at: Some(Timestamp::now()), ..Filter::default() };
        let mut survey = Self::empty(&ctx.codec);
        // Once the key is known to be right, only rows that matter have their signature checked.
        let key_is_right = AtomicBool::new(false);
        let codec = &ctx.codec;
        let worker = || {
            let mut decoder = Decoder::new(codec);
            let key_is_right = &key_is_right;
            move |page: &Page| Findings::of(page, &mut decoder, wanted, key_is_right)
        };
        let mut looked_at = 0;
        let ended = ctx.scan().run(&mut *store.reader()?, &filter, worker, |findings| {
            looked_at += findings.checked;
            survey.add(findings);
            ControlFlow::Continue(())
        })?;
        survey.ended = ended;
        survey.proof = match survey.proof {
            KeyProof::Wrong(_) if key_is_right.into_inner() => KeyProof::Right,
            KeyProof::Wrong(_) => KeyProof::Wrong(looked_at),
            proof => proof,
        };
        ctx.talk.detail(&format!(
            "looked at {} rows: {} sessions found",
            survey.scanned,
            survey.keys.len()
        ));
        Ok(survey)
    }

    /// Sessions of the wanted users.
    pub(super) fn matched(&self) -> u64 {
        u64::try_from(self.keys.len()).unwrap_or(u64::MAX)
    }

    /// How many rows were checked, if a key was given and verified none of them. A look that was
    /// broken off proves nothing.
    pub(super) fn nothing_verifies(&self) -> Option<u64> {
        match self.proof {
            KeyProof::Wrong(looked_at) if looked_at > 0 && self.ended == Ended::Whole => {
                Some(looked_at)
            }
            _ => None,
        }
    }

    /// The first of the sessions that were found.
    pub(super) fn preview(self) -> Vec<ListedSession> {
        self.preview
    }

    fn empty(codec: &Codec) -> Self {
        Self {
            ended: Ended::Whole,
            scanned: 0,
            keys: Keys::default(),
            unverified: 0,
            unreadable: 0,
            proof: if codec.keyring.is_empty() { KeyProof::NoKey } else { KeyProof::Wrong(0) },
            preview: Vec::new(),
        }
    }

    fn add(&mut self, findings: Findings) {
        self.scanned += findings.scanned;
        self.keys.append(&findings.keys);
        self.unverified += findings.unverified;
        self.unreadable += findings.unreadable;
        let room = PREVIEW.saturating_sub(self.preview.len());
        self.preview.extend(findings.preview.into_iter().take(room));
    }
}

/// What one page gave.
#[derive(Default)]
struct Findings {
    scanned: u64,
    checked: u64,
    keys: Keys,
    unverified: u64,
    unreadable: u64,
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
            findings.row(&row, &decoder.decode(row.data), wanted, key_is_right);
        }
        findings
    }

    fn row(
        &mut self,
        row: &Row<'_>,
        decoded: &Decoded<'_>,
        wanted: &Wanted<'_>,
        key_is_right: &AtomicBool,
    ) {
        self.scanned += 1;
        let auth = decoded.auth();
        let named = auth
            .as_ref()
            .is_ok_and(|auth| auth.user_id.as_deref().is_some_and(|id| wanted.ids.contains(id)));
        if !named && auth.is_ok() && key_is_right.load(Ordering::Relaxed) {
            return;
        }
        let signature = decoded.signature();
        self.checked += u64::from(signature != Signature::Unchecked);
        if signature == Signature::Valid {
            key_is_right.store(true, Ordering::Relaxed);
        }
        match signature {
            Signature::Invalid if named => self.unverified += 1,
            Signature::Invalid => {}
            _ if auth.is_err() => self.unreadable += 1,
            _ if named && wanted.spared != Some(row.key) => {
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
}
