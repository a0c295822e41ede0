use std::ops::ControlFlow;

use crate::cmd::Ctx;
use crate::cmd::signatures::Signatures;
use crate::codec::{Decoded, Decoder};
use crate::engine::Ended;
use crate::error::Error;
use crate::model::{Expiry, Page, Row, Signature, Timestamp};
use crate::report::Census;
use crate::store::{BEHIND_UTC, Filter, Store};

/// Counts what is in the table. A key that verifies nothing of it is wrong.
pub(super) fn take(ctx: &Ctx<'_>, store: &dyn Store) -> Result<Census, Error> {
    let now = Timestamp::now();
    let codec = &ctx.codec;
    let worker = || {
        let mut decoder = Decoder::new(codec);
        move |page: &Page| {
            let (mut census, mut signatures) = (Census::default(), Signatures::default());
            for row in page.rows() {
                census.count(&row, now, || decoder.decode_row(&row), &mut signatures);
            }
            (census, signatures)
        }
    };
    let (mut census, mut signatures) = (Census::default(), Signatures::default());
    let ended = ctx.scan().run(&mut *store.reader()?, &Filter::default(), worker, |page| {
        census.add(page.0);
        signatures.add(page.1);
        ControlFlow::Continue(())
    })?;
    if let Ended::Interrupted(signal) = ended {
        return Err(Error::Interrupted { signal });
    }
    match signatures.none_is_valid() {
        Some(looked_at) => Err(Error::WrongKey { looked_at }),
        None => Ok(census),
    }
}

impl Census {
    fn count<'d>(
        &mut self,
        row: &Row<'_>,
        now: Timestamp,
        decode: impl FnOnce() -> Decoded<'d>,
        signatures: &mut Signatures,
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
        signatures.count(signature);
        match auth {
            _ if signature == Signature::Invalid => self.live_anonymous += 1,
            Ok(auth) if auth.user_id.is_some() => self.live_users += 1,
            Ok(_) => self.live_anonymous += 1,
            Err(_) => self.live_unreadable += 1,
        }
    }
}
