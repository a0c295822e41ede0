//! What is typed or read beside the database: ids, table names, lengths of time and moments.

use std::cell::RefCell;
use std::collections::HashSet;

use clap::Parser as _;
use django_session::UserIds;
use sessctl::cli::{Cli, Command, Saved};
use sessctl::settings;
use sessctl::store::Table;

thread_local! {
    static FROM_FILE: RefCell<Cli> =
        Cli::parse_from(["sessctl", "logout-user", "--from-file", "-"]).into();
    static LIST: RefCell<Cli> = Cli::parse_from(["sessctl", "list"]).into();
}

/// The first byte says what the rest is.
pub(crate) fn ids(data: &[u8]) {
    let Some((what, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    match what {
        b't' => table(&text),
        b'd' => drop(settings::duration("--sleep", &text)),
        b's' => saved_between(&text),
        b'u' => user_ids(&text),
        _ => file(rest),
    }
}

/// Every line of a file is an id as it is, but for empty lines and a byte order mark at the beginning; each counts once, in
/// whichever spelling of a UUID it comes first.
fn file(content: &[u8]) {
    let path = std::env::temp_dir().join(format!("sessctl-fuzz-ids-{}", std::process::id()));
    std::fs::write(&path, content).unwrap();
    let got = FROM_FILE.with_borrow_mut(|cli| {
        let Command::LogoutUser(args) = &mut cli.command else { unreachable!() };
        args.from_file = Some(path);
        settings::user_ids(args).ok().map(|given| given.ids)
    });
    let mut seen = HashSet::new();
    let expected = str::from_utf8(content).ok().map(|text| {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let ids = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        ids.filter(|id| !id.is_empty() && seen.insert(UserIds::compared(id)))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    assert_eq!(got, expected.filter(|ids| !ids.is_empty()));
}

/// Two ids with NUL between them are one user if they are the same text, or the same UUID in two spellings.
fn user_ids(text: &str) {
    let (one, other) = text.split_once('\0').unwrap_or((text, ""));
    let ids: UserIds = [one].into_iter().collect();
    assert!(ids.contains(one) && ids.len() == 1);
    let digits = |id: &str| {
        let digits = id.replace('-', "").to_ascii_lowercase();
        (digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digits)
    };
    let same = one == other || digits(one).is_some_and(|one| digits(other) == Some(one));
    // Not every spelling with hyphens is one of a UUID's.
    assert!(!ids.contains(other) || same, "{one:?} is taken for {other:?}");
    let back: UserIds = [other].into_iter().collect();
    assert_eq!(ids.contains(other), back.contains(one));
}

/// A name of a table is quoted so that it ends where it should, and reads back as the same.
fn table(text: &str) {
    let Ok(table) = text.parse::<Table>() else { return };
    let quoted = table.quoted();
    assert_eq!(quoted.parse::<Table>().as_ref(), Ok(&table), "{quoted}");
    assert!(!quoted.contains('\0'));
    let names = [table.schema(), Some(table.name())];
    let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    assert_eq!(quoted, names.into_iter().flatten().map(quote).collect::<Vec<_>>().join("."));
}

fn saved_between(text: &str) {
    let (from, until) = text.split_once('\0').unwrap_or((text, "2026-11-21"));
    let (between, idle) = (vec![from.to_owned(), until.to_owned()], Some(text.to_owned()));
    LIST.with_borrow_mut(|cli| {
        let Command::List(args) = &mut cli.command else { unreachable!() };
        for (saved_between, idle) in [(between, None), (Vec::new(), idle)] {
            args.saved = Saved { saved_between, idle, timezone: None };
            if let Ok(Some((window, _))) = settings::saved_window(&args.saved, None) {
                assert!(window.from < window.until);
            }
        }
    });
}
