//! Finds the sessions of a user by the user column, which holds the user id of each row.
//!
//! The column is fast but no proof: it does not find a row that the site left NULL or filled with another
//! user. So every row that it finds is decoded before it is changed, and the proving scan reads the data of
//! all live rows, unless the operator trusts the column (`--trust-column`).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use django_session::{Decoder, Verdict};

use super::unfit_ids::some;
use crate::cli::UserLookup;
use crate::context::Ctx;
use crate::error::Error;
use crate::settings;
use crate::store::{
    ByUser, Capability, ColumnCondition, Filter, Reader, Store, StoreError, UserColumn, UserType,
};

/// The usual names of such a column: that of sessctl, django-user-sessions and django-qsessions, and that of
/// the example in Django's documentation ("Extending database-backed session engines").
pub(crate) const NAMES: [&str; 2] = ["user_id", "account_id"];

/// The condition on the user column that finds these users' sessions; `None` if the table has no such column.
pub(crate) fn by_user(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    args: &UserLookup,
    ids: &[String],
) -> Result<Option<ByUser>, Error> {
    if args.no_user_column {
        return Ok(None);
    }
    let Some(column) = column(ctx, store, args)? else { return Ok(None) };
    if args.trust_column {
        refuse_unfit(&column, ids)?;
    }
    let name = &column.name;
    ctx.talk.note(&if args.trust_column {
        format!("--trust-column: only rows that {name} gives to these users are read")
    } else {
        format!("column {name} finds sessions fast, and proves nothing: all live rows are read besides, unless \
                 --trust-column")
    });
    let condition =
        ColumnCondition::OneOf(ids.iter().flat_map(|id| spellings(&column, id)).collect());
    Ok(Some(ByUser { column, condition }))
}

/// Refuses ids that a trusted column cannot hold: it would find none of their sessions, even if they are
/// logged in.
fn refuse_unfit(column: &UserColumn, ids: &[String]) -> Result<(), Error> {
    let unfit: Vec<&str> =
        ids.iter().filter(|id| column.fit(id).is_none()).map(String::as_str).collect();
    if unfit.is_empty() {
        return Ok(());
    }
    Err(Error::usage(
        format!("--trust-column: column {} cannot hold the user id {}", column.name, some(&unfit)),
        "leave --trust-column out, or name the column that says whose sessions are with --user-column",
    ))
}

fn column(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    args: &UserLookup,
) -> Result<Option<UserColumn>, Error> {
    if args.user_column.is_some() || args.trust_column {
        store.demand(Capability::UserColumn)?;
    }
    let mut reader = store.reader()?;
    if let Some(name) = &args.user_column {
        settings::check_user_column("--user-column", name, store.traits())?;
        return match reader.user_column(name)? {
            Some(column) => Ok(Some(column)),
            None => Err(Error::usage(
                format!("the table has no column \"{name}\""),
                "`sessctl backfill` adds and fills one",
            )),
        };
    }
    let mut unused = None;
    for name in NAMES {
        match reader.user_column(name) {
            Ok(Some(column)) if means_another(ctx, &mut *reader, &column)? => {
                let why = "it says something else than whose the sessions are";
                ctx.talk.note(&format!("column {name} is not used: {why}"));
                unused = Some(format!("column {name} cannot be used: {why}"));
            }
            Ok(Some(column)) => return Ok(Some(column)),
            Ok(None) => {}
            Err(error) => {
                ctx.talk.detail(&format!("column {name} is not used: {error}"));
                unused = Some(error.to_string());
            }
        }
    }
    if args.trust_column {
        let (why, hint) = match &unused {
            Some(why) => {
                (why.as_str(), "leave --trust-column out; --user-column names another column")
            }
            None => (
                "the table has no user column",
                "`sessctl backfill` adds and fills one; --user-column names one of another name",
            ),
        };
        return Err(Error::usage(format!("--trust-column: {why}"), hint));
    }
    Ok(None)
}

/// Most pages that are read in search of a login whose row has the column filled.
const MOST_PAGES: u32 = 100;

/// Whether a column that the operator did not name disagrees with most of the first logins in the table: an
/// `account_id` may hold customers instead of users.
fn means_another(
    ctx: &Ctx<'_>,
    reader: &mut dyn Reader,
    column: &UserColumn,
) -> Result<bool, StoreError> {
    let by = ByUser { column: column.clone(), condition: ColumnCondition::Any };
    let filter = Filter { user: Some(by), in_pages: true, ..Filter::default() };
    let mut decoder = Decoder::new(ctx.codec);
    let (mut same, mut different, mut pages) = (0, 0, 0);
    reader.scan(&filter, &mut |mut page| {
        for row in page.rows() {
            let session = row.decode(&mut decoder);
            let (Some(said), Verdict::Login(login)) = (row.user, session.verdict(|_| false)) else {
                continue;
            };
            if spellings(column, &login.user_id).contains(said) {
                same += 1;
            } else {
                different += 1;
            }
        }
        pages += 1;
        if same + different > 0 || pages == MOST_PAGES {
            return ControlFlow::Break(());
        }
        page.clear();
        ControlFlow::Continue(page)
    })?;
    Ok(different > same)
}

/// The values that the column may hold for a user: a text column may hold a UUID with or without hyphens.
pub(crate) fn spellings(column: &UserColumn, id: &str) -> BTreeSet<String> {
    let uuid = UserType::Uuid.fit(id).filter(|_| column.kind == UserType::Text);
    let digits = uuid.as_ref().map(|uuid| uuid.replace('-', "").into());
    [column.fit(id), digits, uuid].into_iter().flatten().map(Cow::into_owned).collect()
}
