use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cmd::Ctx;
use crate::codec::{Decoded, Decoder};
use crate::engine::Ended;
use crate::error::Error;
use crate::model::{Expiry, Page, Row, Signature, Timestamp};
use crate::report::Census;
use crate::store::{BEHIND_UTC, Filter, Store};

/// Counts what is in the table. A key that verifies nothing of it is wrong.
pub(super) fn take(ctx: &Ctx<'_>, store: &dyn Store) -> Result<Census, Error> {
    let now = Timestamp::now();
    let verified = AtomicBool::new(false);
    let codec = &ctx.codec;
    let worker = || {
        let mut decoder = Decoder::new(codec);
        let verified = &verified;
        move |page: &Page| {
            let mut census = Census::default();
            for row in page.rows() {
                census.count(&row, now, || decoder.decode(row.data), verified);
            }
            census
        }
    };
    let mut census = Census::default();
    let ended = ctx.scan().run(&mut *store.reader()?, &Filter::default(), worker, |page| {
        census.add(page);
        ControlFlow::Continue(())
    })?;
    if let Ended::Interrupted(signal) = ended {
        return Err(Error::Interrupted { signal });
    }
    let looked_at = census.rows - census.expired;
    if !codec.keyring.is_empty() && looked_at > 0 && !verified.into_inner() {
        return Err(Error::WrongKey { looked_at });
    }
    Ok(census)
}

impl Census {
    fn count<'d>(
        &mut self,
        row: &Row<'_>,
        now: Timestamp,
        decode: impl FnOnce() -> Decoded<'d>,
        verified: &AtomicBool,
    ) {
        self.rows += 1;
        let live = match row.expires {
            Expiry::At(at) => at > now,
            // Somewhere on earth it may be.
            Expiry::Wall(at) => at > now.before(BEHIND_UTC),
            Expiry::Unreadable => false,
        };
        if !live {
            self.expired += 1;
            return;
        }
        let decoded = decode();
        let auth = decoded.auth();
        let signature = decoded.signature();
        if signature == Signature::Valid {
            verified.store(true, Ordering::Relaxed);
        }
        match auth {
            _ if signature == Signature::Invalid => self.live_anonymous += 1,
            Ok(auth) if auth.user_id.is_some() => self.live_users += 1,
            Ok(_) => self.live_anonymous += 1,
            Err(_) => self.live_unreadable += 1,
        }
    }
}
