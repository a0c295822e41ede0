//! `--keep-data`: rewrites sessions without their login and leaves the rest of their data, such as a cart, in
//! place.

use std::collections::HashSet;

use django_session::Decoder;

use super::query::{Answer, SessionQuery};
use super::read_few::read_few;
use super::record::Record;
use crate::context::Ctx;
use crate::engine::{BatchSize, Doing, Driver, Pace, StopReason};
use crate::error::Error;
use crate::model::{Data, Keys, Page, Timestamp};
use crate::store::{self, Replacement, StoreError, Was, Writer};

/// Sessions by what was done to them.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    /// Sessions that were rewritten without their login.
    pub(crate) rewritten: u64,
    /// Sessions that were deleted, since only JSON can be rewritten.
    pub(crate) deleted: u64,
    /// Sessions that had to be deleted but stay, because rows of other tables refer to them.
    pub(crate) stay: store::Kept,
}

/// Sessions in one transaction. All data of a batch is in memory at once.
const BATCH: usize = 100;

/// Refuses to begin without a secret key, which signs the rewritten data.
pub(crate) fn check(ctx: &Ctx<'_>, keep_data: bool) -> Result<(), Error> {
    if !keep_data {
        return Ok(());
    }
    if ctx.codec.keyring.is_empty() {
        return Err(Error::usage(
            "--keep-data signs sessions anew, and no SECRET_KEY was given",
            "set SESSCTL_SECRET_KEY or use --secret-key-file",
        ));
    }
    ctx.talk.note(
        "--keep-data: a request in flight can write the old login back, so the table is looked at until no login \
         is found; only a deleted session cannot come back. Django's own logout keeps nothing",
    );
    Ok(())
}

/// Makes batches small, unless the operator chose their size.
pub(crate) fn pace(pace: Pace, keep_data: bool) -> Pace {
    match pace.batch_size {
        BatchSize::Adaptive if keep_data => Pace { batch_size: BatchSize::Fixed(BATCH), ..pace },
        _ => pace,
    }
}

impl Kept {
    /// Removes the login from the sessions with these keys, if the query still matches them.
    pub(crate) fn act(
        &mut self,
        ctx: &Ctx<'_>,
        query: &SessionQuery<'_>,
        driver: &mut Driver<'_>,
        keys: &Keys,
        record: Record<'_>,
    ) -> Result<(), StopReason> {
        let mut decoder = Decoder::new(ctx.codec);
        driver.is_doing(Doing::Rewriting);
        driver.each(keys, |writer, batch| {
            record.cache.go_on()?;
            read_few(writer, batch, &mut |writer, page, keys| {
                let (new, others) = rewrite(page, &mut decoder, query);
                self.write(writer, keys, &new, &others, record)
            })
        })
    }

    /// A retry finds rewritten sessions without a login, so each session is counted once. Each write records
    /// its keys right after its commit, since the next write may fail.
    fn write(
        &mut self,
        writer: &mut dyn Writer,
        keys: &[&str],
        new: &[(&str, Was, String)],
        others: &[&str],
        record: Record<'_>,
    ) -> Result<u64, StoreError> {
        let rewritten_keys: Vec<&str> = new.iter().map(|(key, ..)| *key).collect();
        let now: HashSet<&str> = rewritten_keys.iter().chain(others).copied().collect();
        let done: Vec<&str> = keys.iter().filter(|key| !now.contains(*key)).copied().collect();
        let new: Vec<_> =
            new.iter().map(|(key, old, data)| Replacement { key, old, new: data }).collect();
        // An earlier attempt, or the site, may have ended these sessions. Their cache entries must go all the
        // same.
        record.cache.gone(&done);
        let rewritten = record.written(&rewritten_keys, writer.replace(&new))?;
        self.rewritten += rewritten;
        if others.is_empty() {
            return Ok(rewritten);
        }
        let gone = writer.delete(others);
        let kept = gone.as_ref().map(|gone| gone.kept.clone()).unwrap_or_default();
        let went: Vec<&str> =
            others.iter().filter(|key| !kept.rows.contains(**key)).copied().collect();
        let deleted = record.written(&went, gone.map(|gone| gone.sessions))?;
        self.stay.add(kept);
        self.deleted += deleted;
        Ok(rewritten + deleted)
    }
}

/// The new data of sessions without their logins, and the keys of sessions that must be deleted.
fn rewrite<'p>(
    page: &'p Page,
    decoder: &mut Decoder<'_>,
    query: &SessionQuery<'_>,
) -> (Vec<(&'p str, Was, String)>, Vec<&'p str>) {
    let (mut new, mut others) = (Vec::new(), Vec::new());
    for row in page.rows() {
        let Data::Text(old) = row.data else { continue };
        let session = decoder.decode(old);
        let answer = query.answer(&row, &session, &query.verdict(&row, &session));
        if !query.takes(answer) {
            continue;
        }
        match session.without_login(Timestamp::now().as_seconds()) {
            Ok(data) if answer == Answer::Match => new.push((row.key, old.into(), data)),
            _ => others.push(row.key),
        }
    }
    (new, others)
}
