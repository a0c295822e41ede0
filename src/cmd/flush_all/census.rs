use std::ops::ControlFlow;

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
    let codec = &ctx.codec;
    let worker = || {
        let mut decoder = Decoder::new(codec);
        move |page: &Page| {
            let (mut census, mut seals) = (Census::default(), Seals::default());
            for row in page.rows() {
                census.count(&row, now, || decoder.decode_row(&row), &mut seals);
            }
            (census, seals)
        }
    };
    let (mut census, mut seals) = (Census::default(), Seals::default());
    let ended = ctx.scan().run(&mut *store.reader()?, &Filter::default(), worker, |page| {
        census.add(page.0);
        seals.checked += page.1.checked;
        seals.valid += page.1.valid;
        ControlFlow::Continue(())
    })?;
    if let Ended::Interrupted(signal) = ended {
        return Err(Error::Interrupted { signal });
    }
    if seals.checked > 0 && seals.valid == 0 {
        return Err(Error::WrongKey { looked_at: seals.checked });
    }
    Ok(census)
}

/// Signatures of live rows.
#[derive(Default)]
struct Seals {
    checked: u64,
    valid: u64,
}

impl Census {
    fn count<'d>(
        &mut self,
        row: &Row<'_>,
        now: Timestamp,
        decode: impl FnOnce() -> Decoded<'d>,
        seals: &mut Seals,
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
        seals.checked += u64::from(signature != Signature::Unchecked);
        seals.valid += u64::from(signature == Signature::Valid);
        match auth {
            _ if signature == Signature::Invalid => self.live_anonymous += 1,
            Ok(auth) if auth.user_id.is_some() => self.live_users += 1,
            Ok(_) => self.live_anonymous += 1,
            Err(_) => self.live_unreadable += 1,
        }
    }
}
