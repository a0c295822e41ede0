//! Sentences that the reports of several commands share: how the work ended, what stays, and why a result is in doubt.

use std::io::{self, Write};

use crate::model::{counted, may_be_login, shell_word};
use crate::report::{Doubt, Ending, Paused};

/// Hint for sessions whose ids the key of the table of users cannot hold.
pub const UNFIT: &str = "the site's key field writes ids in another form, or they are of before its type was changed, so one may be \
     of a user who is named. Name users by the ids that `sessctl list` shows, with --unfit-ids; `logout-user \
     --deleted-users --unfit-ids` ends sessions of before a change, and where the field writes such ids those of everybody.";

/// Why the run ended early, as the end of a clause.
pub fn stopped(ended: Ending) -> &'static str {
    match ended {
        Ending::Done => "",
        Ending::Limit => ", stopped at --limit",
        Ending::RunTime => ", --run-time is over",
        Ending::Interrupted => ", interrupted",
        Ending::Failed => ", failed",
    }
}

/// Writes how long the run waited, and for what.
pub fn write_paused(out: &mut dyn Write, paused: Paused) -> io::Result<()> {
    for (seconds, why) in [
        (paused.lag, "for replicas that were behind"),
        (paused.file, "while the pause file was there"),
    ] {
        if seconds > 0.0 {
            write!(out, "; paused {seconds:.1} s {why}")?;
        }
    }
    Ok(())
}

/// The sentence about sessions that lost only their login.
pub fn without_login(sessions: u64) -> &'static str {
    if sessions == 1 { "kept without its login" } else { "kept without their login" }
}

/// Writes why deleted sessions are there: they never went, or came back.
pub fn write_left(out: &mut dyn Write, not_deleted: u64, rounds: u32) -> io::Result<()> {
    if not_deleted > 0 {
        let (what, are) =
            (counted(not_deleted, "session"), if not_deleted == 1 { "is" } else { "are" });
        writeln!(
            out,
            "{what} of those that were deleted {are} in the table: a trigger or a rule keeps them, the site \
             writes them back, or their keys are no text. `sessctl doctor` names triggers."
        )
    } else if rounds > 1 {
        writeln!(out, "The look that proves found more sessions; it took {rounds} rounds.")
    } else {
        Ok(())
    }
}

/// Writes what happened to sessions that no key verifies.
pub fn write_unverified(
    out: &mut dyn Write,
    rows: u64,
    users: Option<u64>,
    went: &str,
) -> io::Result<()> {
    if rows == 0 {
        return Ok(());
    }
    let of = users.map_or_else(String::new, |users| format!(" of {}", counted(users, "user")));
    let (went, them) = match (rows, went) {
        (1, "stay") => ("stays", "it"),
        (1, _) => (went, "it"),
        _ => (went, "them"),
    };
    writeln!(
        out,
        "{}{of} failed verification and {went}: Django reads {them} as empty, unless it has a key that was not given here.",
        counted(rows, "session")
    )
}

/// Writes how many sessions were another user's whom a named user impersonates.
pub fn write_impersonated(out: &mut dyn Write, rows: u64) -> io::Result<()> {
    if rows == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "{} of these belonged to an impersonation: one click leads from it back to the named user.",
        counted(rows, "session")
    )
}

/// Writes how many sessions have an id that Django never writes, and may read as a named or spared user's.
pub fn write_alike(out: &mut dyn Write, rows: u64, whose: &str) -> io::Result<()> {
    if rows == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "{} stayed whose id is spelled otherwise, as in \" 42\", \"042\" or another letter case, and which Django may read as {whose}: see \
         `sessctl list`. `logout-user --unfit-ids` takes such an id as it is.",
        counted(rows, "session")
    )
}

/// Writes how many sessions are too many, where it is unknown which of a user's are the newest.
pub fn write_unranked(out: &mut dyn Write, rows: u64) -> io::Result<()> {
    if rows == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "{} too many stayed: of some sessions of the same users it is unknown when they were saved. Only sessions as Django 3.1 and \
         later sign them say so, and a time in the future counts for none. `sessctl delete --layout legacy` deletes the others.",
        counted(rows, "session")
    )
}

/// Writes how many rows could not be read.
pub fn write_unreadable(out: &mut dyn Write, rows: u64) -> io::Result<()> {
    if rows == 0 {
        return Ok(());
    }
    let rows = counted(rows, "row");
    writeln!(out, "{rows} could not be read and may be anybody's: see `sessctl list`.")
}

/// How many keys a sentence names.
const MOST_KEYS: usize = 10;

/// The warning for a doubt: why nothing is proved, and what to do about it.
pub fn doubt(doubt: &Doubt) -> String {
    match doubt {
        Doubt::NoLogin { looked_for, keys } => no_login(looked_for, keys),
        Doubt::OwnForm { engine, serializer } => own_form(engine, serializer),
        Doubt::OwnLoad { engine, method } => format!(
            "SESSION_ENGINE is {engine}, which has its own {method}(): whether it lets users in whose rows are gone is not known, \
             so nothing is proved; --engine db says that it does not",
        ),
        Doubt::IdElsewhere { keys } => id_elsewhere("the id of a named user", keys),
        Doubt::LoginElsewhere { keys } => id_elsewhere("an id", keys),
        Doubt::HiddenUsers { table, view } => {
            let what = if *view { "a view" } else { "on another server" };
            format!(
                "the table of users {table} is {what}, which may hide users, so nothing is proved; name the table itself \
                 with --user-table, or the users by their ids"
            )
        }
        Doubt::HiddenSessions { table, view } => {
            let table = super::sanitize(table);
            format!(
                "{}, so nothing is proved; name the session table itself with --table, or this one if it is meant",
                hidden_sessions(&table, *view)
            )
        }
        Doubt::UnknownKey { table, key, declared } => format!(
            "the key \"{key}\" of the table of users {table} is of type {declared}, of which one id may have several spellings, so \
             nothing is proved; `sessctl list` shows the ids as sessions spell them, and `logout-user --unfit-ids` takes \
             those that are given as all of them"
        ),
        Doubt::UnknownSpelling { ids } => format!(
            "no live session names {}, and no table of users tells how the ids of this site are spelled: the live sessions do not \
             show it either, so nothing is proved. --django or --user-table names the table; `sessctl list` shows the ids as \
             sessions spell them, and `logout-user --unfit-ids` takes ids as they are given",
            quoted(ids)
        ),
        Doubt::TablesUnknown => "whether another session table of this database is the site's could not be found out, so nothing is proved; \
             --table with this table's own name says that it is the right one"
            .into(),
        Doubt::OtherTables { tables } => elsewhere(
            "the table has no live login, and other session tables of this database have live sessions",
            tables,
        ),
        Doubt::RenamedTables { tables } => format!(
            "the table has no live login, and these look like session tables with columns of other names, which sessctl cannot \
             read, so nothing is proved: {}; --table with this table's own name says that it is the right one",
            shell_words(tables)
        ),
        Doubt::CacheUnseen { cache, prefix, others } => cache_unseen(cache, prefix, others),
        Doubt::CacheShared { cache, prefix, others } => cache_shared(cache, prefix, others),
        Doubt::CacheRefilled { entries } => cache_refilled(*entries),
        Doubt::SessionsElsewhere { tables } => elsewhere(
            "other session tables of this database have live sessions of the same users",
            tables,
        ),
        Doubt::UnreadableElsewhere { tables } => elsewhere(
            "other session tables of this database, or live rows in them, cannot be read and may hold sessions of the same users",
            tables,
        ),
    }
}

fn cache_refilled(entries: u64) -> String {
    let entries = if entries == 1 { "1 entry".into() } else { format!("{entries} entries") };
    format!(
        "{entries} of theirs came back into the cache each time that they were deleted, or stayed on a replica, so nothing is \
         proved: requests in flight write them, so run it again with a longer --settle; does each replica follow?"
    )
}

fn cache_unseen(cache: &str, prefix: &str, others: &[String]) -> String {
    let cache = super::sanitize(cache);
    let seen = if others.is_empty() {
        "the number of the database, or KEY_PREFIX and VERSION, may be another".to_owned()
    } else {
        format!(
            "it has entries whose keys begin with {} and go on alike: ?key_prefix=...&version=... in its URL names KEY_PREFIX and VERSION",
            shown(others)
        )
    };
    format!(
        "the cache {cache} has no entry whose key begins with \"{}\" of a session in the table, not even of other users, so it may \
         not be the site's, and nothing is proved; {seen}. --django asks the project; --cache-cleared says that it is the right one and was cleared",
        super::sanitize(prefix)
    )
}

/// Beginnings of keys.
fn shown(prefixes: &[String]) -> String {
    let prefixes = prefixes.iter().map(|prefix| format!("\"{}\"", super::sanitize_name(prefix)));
    prefixes.collect::<Vec<_>>().join(", ")
}

fn cache_shared(cache: &str, prefix: &str, others: &[String]) -> String {
    format!(
        "the cache {} has entries of sessions whose keys begin with \"{}\", which were looked through, and with {}, which may be this \
         site's, so nothing is proved; ?key_prefix=...&version=... in its URL says which are (?version=1 says the former), or --django asks \
         the project",
        super::sanitize(cache),
        super::sanitize(prefix),
        shown(others)
    )
}

fn own_form(engine: &str, serializer: &str) -> String {
    format!(
        "sessctl does not read the login of a trial user that the project wrote (SESSION_ENGINE {engine}, SESSION_SERIALIZER \
         {serializer}), so nothing is proved; if the login only has another key, name that with --user-key (--user-key \
         _auth_user_id says that logins are as Django writes them); otherwise end the sessions in `manage.py shell`"
    )
}

fn no_login(looked_for: &[String], keys: &[String]) -> String {
    let shown: Vec<&str> = keys.iter().take(MOST_KEYS).map(String::as_str).collect();
    let more = if keys.len() > MOST_KEYS { " and more" } else { "" };
    let example = ["_auth_user_id"].into_iter().find(|key| keys.iter().any(|one| one == key));
    let own = || keys.iter().find(|key| may_be_login(key)).map(String::as_str);
    let example = shell_word(example.or_else(own).unwrap_or("KEY"));
    format!(
        "no live session holds a login under the key {}, so nothing is proved; at the top level of sessions stand: \
         {}{more}. If the site keeps its login under one of these, name it, as in --user-key {example}; \
         --user-key _auth_user_id says that it does not",
        looked_for.join(", "),
        shown.join(", ")
    )
}

fn id_elsewhere(what: &str, keys: &[String]) -> String {
    let shown: Vec<&str> = keys.iter().take(MOST_KEYS).map(String::as_str).collect();
    let example = shell_word(shown.first().copied().unwrap_or("KEY"));
    format!(
        "live sessions without a login of Django's have {what} under {}, so nothing is proved; if the site keeps \
         logins of its own there, end those with --user-key {example}; --user-key _auth_user_id says that it does not",
        shown.join(", ")
    )
}

/// What other session tables hold, and how to find out which table is the site's. None of them is proposed: it may be
/// another tenant's.
fn elsewhere(what: &str, tables: &[String]) -> String {
    format!("{what}: {}. {}", shell_words(tables), WHICH_TABLE)
}

fn shell_words(tables: &[String]) -> String {
    let tables: Vec<_> = tables.iter().map(|table| shell_word(table)).collect();
    tables.join(", ")
}

/// How to find out which of several session tables is the site's.
pub const WHICH_TABLE: &str = "Another site or tenant may own such a table, or this site may have several: --django asks the \
                               project which ones are its own, and `sessctl doctor --table NAME` shows what one holds. Then name \
                               each of the site's with --table, in a run of its own, also if it is this one";

fn quoted(ids: &[String]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("\"{}\"", super::sanitize(id))).collect();
    ids.join(", ")
}

/// The sentence about a session table that may not show all rows.
pub fn hidden_sessions(table: &str, view: bool) -> String {
    let what = if view { "is a view" } else { "has rows on another server" };
    format!("the session table {table} {what}, which may hide sessions")
}

/// Writes how many entries were deleted from the cache, if it was named.
pub fn write_entries(out: &mut dyn Write, deleted: Option<u64>) -> io::Result<()> {
    match deleted {
        Some(1) => writeln!(out, "1 entry deleted from the cache."),
        Some(entries) => writeln!(out, "{entries} entries deleted from the cache."),
        None => Ok(()),
    }
}

/// The sentence about a cache that the table does not show.
pub fn write_cached(out: &mut dyn Write, cached: bool) -> io::Result<()> {
    if cached {
        writeln!(
            out,
            "The cache may still hold their sessions, and is asked before the table: run it again with --cache, or clear it."
        )?;
    }
    Ok(())
}
