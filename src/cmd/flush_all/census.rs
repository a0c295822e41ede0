use std::ops::ControlFlow;

use crate::cmd::Ctx;
use crate::cmd::signatures::Signatures;
use crate::codec::{Decoded, Decoder, UserIds};
use crate::engine::Ended;
use crate::error::Error;
use crate::model::{Page, Row, Signature, Timestamp};
use crate::report::Census;
use crate::store::{Filter, Store};

/// Counts what is in the table, and finds out which of these users have live sessions. A key that verifies nothing of the
/// table is wrong.
pub(super) fn take(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    users: &UserIds,
) -> Result<(Census, UserIds), Error> {
    let mut reader = store.reader()?;
    let now = reader.now()?;
    let codec = &ctx.codec;
    let worker = || {
        let mut decoder = Decoder::new(codec);
        move |page: &Page| {
            let mut looked = Looked::default();
            for row in page.rows() {
                looked.count(&row, now, || decoder.decode_row(&row), users);
            }
            looked
        }
    };
    let mut all = Looked::default();
    let ended = ctx.scan().run(&mut *reader, &Filter::default(), worker, |page| {
        all.add(page);
        ControlFlow::Continue(())
    })?;
    if let Ended::Interrupted(signal) = ended {
        return Err(Error::Interrupted { signal });
    }
    match all.signatures.none_is_valid() {
        Some(looked_at) => Err(Error::WrongKey { looked_at }),
        None => Ok((all.census, all.found)),
    }
}

#[derive(Default)]
struct Looked {
    census: Census,
    signatures: Signatures,
    found: UserIds,
}

impl Looked {
    fn add(&mut self, other: Self) {
        self.census.add(other.census);
        self.signatures.add(other.signatures);
        self.found.append(other.found);
    }

    fn count<'d>(
        &mut self,
        row: &Row<'_>,
        now: Timestamp,
        decode: impl FnOnce() -> Decoded<'d>,
        users: &UserIds,
    ) {
        let census = &mut self.census;
        census.rows += 1;
        if !row.expires.may_be_after(now) {
            census.expired += 1;
            return;
        }
        let decoded = decode();
        let auth = decoded.auth();
        let signature = decoded.signature();
        self.signatures.count(signature);
        match auth.map(|auth| auth.user_id) {
            _ if signature == Signature::Invalid => census.live_anonymous += 1,
            Ok(Some(user)) => {
                census.live_users += 1;
                if users.contains(&user) {
                    self.found.insert(&user);
                }
            }
            Ok(None) => census.live_anonymous += 1,
            Err(_) => census.live_unreadable += 1,
        }
    }
}
