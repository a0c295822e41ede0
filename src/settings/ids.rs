//! Reads user ids and other values to which rows are compared, and rejects blank ones.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use django_session::UserIds;

use super::{cannot_read, name, open, without_carriage_return};
use crate::cli;
use crate::error::Error;
use crate::files;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The user ids of the command line and of `--from-file`.
pub struct Ids {
    /// The ids, each user once.
    pub ids: Vec<String>,
    /// The line of the file, from 1 on, of each id that came from it.
    pub lines: HashMap<String, u64>,
}

/// Reads the ids of the command line and of the file, each user once, in their order.
pub fn user_ids(args: &cli::LogoutUser) -> Result<Ids, Error> {
    let ids = read_ids("USER_ID", &args.users, args.from_file.as_deref(), &args.selectors)?;
    demand_some(&ids, &args.selectors)?;
    Ok(ids)
}

/// The same for a command that selects users by options only. Without one, it is about all users.
pub fn ids_of_users(whom: &cli::Whom) -> Result<Ids, Error> {
    let ids = read_ids("--user", &whom.users, whom.from_file.as_deref(), &whom.selectors)?;
    if whom.from_file.is_some() {
        demand_some(&ids, &whom.selectors)?;
    }
    Ok(ids)
}

fn demand_some(ids: &Ids, selectors: &cli::UserSelectors) -> Result<(), Error> {
    if ids.ids.is_empty() && !selectors.is_given() {
        return Err(Error::usage("no user id given", "the file with the ids holds none"));
    }
    Ok(())
}

/// Ids are not trimmed: where keys are text, ` admin` and `admin` are two users.
fn read_ids(
    option: &str,
    typed: &[String],
    from_file: Option<&Path>,
    selectors: &cli::UserSelectors,
) -> Result<Ids, Error> {
    let (mut ids, mut lines) = (typed.to_vec(), HashMap::new());
    refuse_blank(option, &ids)?;
    check_selectors(selectors, !ids.is_empty() || from_file.is_some())?;
    if let Some(file) = from_file {
        let bytes = files::read_all(open(file)?).map_err(|source| cannot_read(file, source))?;
        for (line, id) in ids_of_file(file, &bytes)? {
            lines.entry(id.clone()).or_insert(line);
            ids.push(id);
        }
    }
    // All spellings of a UUID are one user.
    let mut seen = HashSet::with_capacity(ids.len());
    let mut are_new =
        ids.iter().map(|id| seen.insert(UserIds::compared(id))).collect::<Vec<_>>().into_iter();
    ids.retain(|_| are_new.next().unwrap_or_default());
    Ok(Ids { ids, lines })
}

/// Refuses blank names and mixtures. Ids, names, addresses and files name users, and add up; conditions select all users
/// who meet them. Both together may be meant either way: these users and those, or those of these users.
pub fn check_selectors(selectors: &cli::UserSelectors, ids_are_given: bool) -> Result<(), Error> {
    refuse_blank("--username", &selectors.usernames)?;
    refuse_blank("--email", &selectors.emails)?;
    refuse_blank("--user-table", &selectors.user_table)?;
    let mut kinds = selectors.conditions();
    if !kinds.is_empty() && selectors.deleted_users {
        return Err(Error::usage(
            format!(
                "--deleted-users and {}: of a deleted user nothing else is known",
                kinds.join(", ")
            ),
            "run one after the other",
        ));
    }
    kinds.extend(selectors.deleted_users.then_some("--deleted-users"));
    let names_users =
        ids_are_given || !selectors.usernames.is_empty() || !selectors.emails.is_empty();
    if names_users && !kinds.is_empty() {
        return Err(Error::usage(
            format!(
                "users are named, and {} selects all of a kind: it is not clear whether one is to narrow the other",
                kinds.join(", ")
            ),
            "run it for the named users and for those of that kind one after the other",
        ));
    }
    Ok(())
}

/// The ids in a file, one a line. Only a byte order mark, as editors on Windows write it, and line ends are removed. Empty
/// lines hold no id.
fn ids_of_file(file: &Path, bytes: &[u8]) -> Result<Vec<(u64, String)>, Error> {
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let lines = text.split(|byte| *byte == b'\n').map(without_carriage_return);
    let mut ids = Vec::new();
    for (number, line) in (1_u64..).zip(lines).filter(|(_, line)| !line.is_empty()) {
        let id = std::str::from_utf8(line).map_err(|_| {
            Error::usage(
                format!("line {number} of {} is not UTF-8", name(file)),
                "save the file as UTF-8, with one id a line",
            )
        })?;
        ids.push((number, id.to_owned()));
    }
    Ok(ids)
}

/// Refuses blank values: a script whose variable is not set must not select every user without an e-mail address.
pub fn refuse_blank<S: AsRef<str>>(
    option: &str,
    values: impl IntoIterator<Item = S>,
) -> Result<(), Error> {
    if values.into_iter().any(|value| value.as_ref().trim().is_empty()) {
        return Err(Error::usage(
            format!("{option} was given an empty text"),
            "is the variable behind it set?",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(bytes: &[u8]) -> Vec<String> {
        let ids = ids_of_file(Path::new("ids"), bytes).unwrap_or_default();
        ids.into_iter().map(|(_, id)| id).collect()
    }

    #[test]
    fn lines_lose_their_line_ends_and_nothing_else() {
        assert_eq!(
            ids(b"\xef\xbb\xbf42\r\n 7 \n\n\r\n\xc2\xa08\r\r\n9"),
            ["42", " 7 ", "\u{a0}8\r", "9"]
        );
        assert_eq!(ids(b"42\n\xef\xbb\xbf7\n"), ["42", "\u{feff}7"]);
        assert_eq!(ids(b"\xef\xbb\xbf\n\n"), [""; 0]);
        assert!(ids_of_file(Path::new("ids"), b"42\n\xff\xfe7\n").is_err());
    }

    #[test]
    fn blank_is_what_a_person_cannot_see() {
        for blank in ["", " ", "\t\n", "\u{a0}", "\u{3000} "] {
            assert!(refuse_blank("--email", [blank]).is_err(), "{blank:?}");
        }
        assert!(refuse_blank("--email", ["a", " b"]).is_ok());
    }
}
