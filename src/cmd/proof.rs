//! What a logout may claim: how far its looks prove that nobody who was named is logged in.

use std::ops::ControlFlow;

use super::Ctx;
use super::cache_keys::CacheKeys;
use super::rounds::Outcome;
use crate::error::Error;
use crate::report::{Doubt, Proof};
use crate::store::{BlindSpot, Filter, Store, StoreError, Table};
use crate::ui;

/// What is proved.
pub(super) fn of(outcome: &Outcome, cache: &CacheKeys, dry_run: bool) -> Proof {
    if dry_run || !outcome.is_proved() || cache.may_hold() {
        Proof::Unknown
    } else if outcome.matches.matched == 0 {
        Proof::NotFound
    } else if cache.is_unknown() {
        Proof::TableOnly
    } else {
        Proof::LoggedOut
    }
}

/// Whether logins may stand under a key that nobody named.
pub(super) fn may_be_elsewhere(ctx: &Ctx<'_>) -> bool {
    ctx.global.user_keys.is_empty()
}

/// Says why nothing is proved, where that is so. A session table that nobody named may be a view. Where the table that nobody named has no live row, another one of the
/// database may be the site's.
pub(super) fn doubt(ctx: &Ctx<'_>, store: &dyn Store, outcome: &mut Outcome) -> Result<(), Error> {
    if outcome.ended.is_ok() {
        outcome.doubts.extend(hidden_sessions(ctx, store)?);
    }
    if outcome.ended.is_ok() && outcome.live == Some(0) {
        outcome.doubts.extend(other_tables(ctx, store)?);
    }
    for doubt in &outcome.doubts {
        ctx.talk.warning(&ui::doubt(doubt));
    }
    Ok(())
}

/// Whether the session table may hide rows. An operator or a project that names it knows what it is: then it is a note.
pub(super) fn hidden_sessions(ctx: &Ctx<'_>, store: &dyn Store) -> Result<Option<Doubt>, Error> {
    let table = ctx.table()?;
    let Some(spot) = store.reader()?.blind_spot(&table)? else { return Ok(None) };
    let (table, view) = (table.to_string(), spot == BlindSpot::View);
    if is_named(ctx) {
        ctx.talk.note(&ui::hidden_sessions(&table, view));
        return Ok(None);
    }
    Ok(Some(Doubt::HiddenSessions { table, view }))
}

/// Whether the operator or the project named the session table.
fn is_named(ctx: &Ctx<'_>) -> bool {
    ctx.global.table.is_some() || ctx.project.is_some()
}

/// Other session tables that have live rows, unless the operator or the project named this one.
pub(super) fn other_tables(ctx: &Ctx<'_>, store: &dyn Store) -> Result<Option<Doubt>, Error> {
    if is_named(ctx) {
        return Ok(None);
    }
    let own = ctx.table()?;
    let mut tables = Vec::new();
    for name in store.facts()?.alike {
        let Ok(table) = name.parse::<Table>() else { continue };
        let is_own = table.name() == own.name()
            && (table.schema().is_none() || table.schema() == own.schema());
        let in_schema = own.schema().is_none() || table.schema() == own.schema();
        if !is_own && in_schema && is_used(ctx, table)? {
            tables.push(name);
        }
    }
    Ok((!tables.is_empty()).then_some(Doubt::OtherTables { tables }))
}

/// Whether a table has a row that may be live. One that cannot be read may have.
fn is_used(ctx: &Ctx<'_>, table: Table) -> Result<bool, Error> {
    let store = ctx.open_table(table)?;
    let look = || -> Result<bool, StoreError> {
        let mut reader = store.reader()?;
        let filter = Filter { live_at: Some(reader.now()?), ..Filter::default() };
        let mut found = false;
        reader.scan(&filter, &mut |page| {
            found |= !page.is_empty();
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(page) }
        })?;
        Ok(found)
    };
    Ok(look().unwrap_or(true))
}
