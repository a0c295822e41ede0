use std::ops::ControlFlow;

use crate::cmd::Ctx;
use crate::codec::{Decoder, UserIds, Verdict};
use crate::engine::Ended;
use crate::error::Error;
use crate::model::{Page, Tally, Timestamp};
use crate::store::{Filter, Store};

/// Counts what is in the table, and finds out which of these users have live sessions. A key that verifies nothing of the
/// table is wrong.
pub(super) fn take(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    users: &UserIds,
) -> Result<(Tally, UserIds), Error> {
    let mut reader = store.reader()?;
    let now = reader.now()?;
    let codec = &ctx.codec;
    let worker = || {
        let mut decoder = Decoder::new(codec);
        move |page: &Page| Counted::of(page, &mut decoder, now, users)
    };
    let (mut tally, mut found) = (Tally::default(), UserIds::default());
    let ended = ctx.scan().run(&mut *reader, &Filter::default(), worker, |page| {
        tally += page.tally;
        found.append(page.found);
        ControlFlow::Continue(())
    })?;
    if let Ended::Interrupted(signal) = ended {
        return Err(Error::Interrupted { signal });
    }
    match tally.signatures.none_is_valid() {
        Some(looked_at) => Err(Error::WrongKey { looked_at }),
        None => Ok((tally, found)),
    }
}

/// What one page gave.
#[derive(Default)]
struct Counted {
    tally: Tally,
    found: UserIds,
}

impl Counted {
    fn of(page: &Page, decoder: &mut Decoder<'_>, now: Timestamp, users: &UserIds) -> Self {
        let Self { mut tally, mut found } = Self::default();
        for row in page.rows() {
            if !row.expires.may_be_after(now) {
                tally.count_expired();
                continue;
            }
            let session = decoder.decode_row(&row);
            let verdict = session.verdict(|_| true);
            verdict.count(&mut tally);
            tally.signatures.count(session.signature());
            if let Verdict::Login(login) = &verdict {
                login.users().filter(|id| users.contains(id)).for_each(|id| found.insert(id));
            }
        }
        decoder.shrink();
        Self { tally, found }
    }
}
