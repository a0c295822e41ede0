//! Finds out whether the given keys are the site's.

use std::ops::ControlFlow;

use django_session::Decoder;

use crate::context::Ctx;
use crate::engine::Ended;
use crate::model::{Page, Signature};
use crate::store::{Filter, Store, StoreError};

/// Scans the live rows until a key verifies one: then [`Ended::Enough`]. Expired rows do not count: their key may be out of
/// use by now.
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
