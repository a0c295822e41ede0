//! `--keep-data`: takes the login out of sessions and leaves the rest in place.

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

/// Sessions by what became of them.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    /// Written anew, without their login.
    pub(crate) rewritten: u64,
    /// Deleted, since only JSON can be written anew.
    pub(crate) deleted: u64,
    /// Of those that were to be deleted, what other tables keep.
    pub(crate) stay: store::Kept,
}

/// Sessions in one transaction: those of a batch are in memory all at once.
const BATCH: usize = 100;

/// Refuses to begin without a key to sign with.
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

/// A batch is small unless the operator says otherwise.
pub(crate) fn pace(pace: Pace, keep_data: bool) -> Pace {
    match pace.batch_size {
        BatchSize::Adaptive if keep_data => Pace { batch_size: BatchSize::Fixed(BATCH), ..pace },
        _ => pace,
    }
}

impl Kept {
    /// Takes the login out of the sessions with these keys, as far as they are wanted still.
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

    /// What another try finds done already is not wanted any more, so each is counted once. Each write tells its keys
    /// as soon as it is committed: the next one may fail.
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
        // An earlier try may have done these, or the site: their copies in a cache go all the same.
        record.cache.gone(&done);
        let rewritten = record.told(&rewritten_keys, writer.replace(&new))?;
        self.rewritten += rewritten;
        if others.is_empty() {
            return Ok(rewritten);
        }
        let gone = writer.delete(others);
        let kept = gone.as_ref().map(|gone| gone.kept.clone()).unwrap_or_default();
        let went: Vec<&str> =
            others.iter().filter(|key| !kept.rows.contains(**key)).copied().collect();
        let deleted = record.told(&went, gone.map(|gone| gone.sessions))?;
        self.stay.add(kept);
        self.deleted += deleted;
        Ok(rewritten + deleted)
    }
}

/// Sessions without their logins, and those that have to be deleted.
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
