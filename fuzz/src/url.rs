//! Connection strings: whatever is wrong with one, nothing that is said of it shows its password.

use std::cell::RefCell;

use clap::Parser as _;
use sessctl::cli::Cli;
use sessctl::settings;
use sessctl::store::BACKENDS;

/// Stands in every password, and nowhere else.
const SENTINEL: &str = "S3NT1NEL";

/// Four texts with NUL between them: what stands before the password, its beginning and end, what follows it. The
/// first byte says what form they are put in.
pub(crate) fn url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if text.contains(SENTINEL) {
        return;
    }
    let mut parts = text.splitn(4, '\0');
    let mut part = || parts.next().unwrap_or_default();
    let (before, begin, end, after) = (part(), part(), part(), part());
    let password = format!("{begin}{SENTINEL}{end}");
    let (form, before) = before.split_at(before.chars().next().map_or(0, char::len_utf8));
    // What libpq itself takes for ports and what follows them; tests of the parser say which of it is told apart.
    let form = if matches!(form, "u" | "s") && begins_with_ports(&password) { "" } else { form };
    let whole = match form {
        "u" => format!(
            "postgres://{}:{password}@{after}",
            before.replace([':', '@', '/', '?', '#'], "")
        ),
        "q" => format!(
            "postgresql://{}?password={}&{after}",
            before.replace(['?', '#'], ""),
            encoded(&password)
        ),
        // A quote or a backslash may make the rest a part of another value, as it is meant to.
        "p" if !before.contains("://") => {
            format!("{} password={} {after}", before.replace(['\'', '\\'], ""), quoted(&password))
        }
        // Files have no passwords, and of pairs the password is a pair of its own.
        "s" if !is_file_or_pair(before) => format!("{before}:{password}@{after}"),
        _ => text.replace('\0', " "),
    };
    // Not where it came about by what was taken out between its letters.
    if whole.matches(SENTINEL).count() <= 1 {
        look(whole, &password);
    }
}

/// Whether a password is for its beginning `5432/`, `5432?`, `5432,host:5432?`.
fn begins_with_ports(password: &str) -> bool {
    let Some((hosts, _)) = password.split_once(['/', '?']) else { return false };
    let port = |host: &str| host.rsplit_once(':').map_or("", |(_, port)| port).to_owned();
    let mut hosts = hosts.split(',');
    let first = hosts.next().unwrap_or_default().to_owned();
    std::iter::once(first)
        .chain(hosts.map(port))
        .all(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

fn is_file_or_pair(before: &str) -> bool {
    let before = before.to_ascii_lowercase();
    ["sqlite", "spatialite", "="].iter().any(|word| before.contains(word))
}

thread_local! {
    static CLI: RefCell<Cli> = Cli::parse_from(["sessctl", "list"]).into();
}

fn look(url: String, password: &str) {
    let shown = format!("{url:?} with the password {password:?}");
    let database = CLI.with_borrow_mut(|cli| {
        cli.global.database = Some(url);
        settings::database(&cli.global, None, BACKENDS, &[])
    });
    let said = match database {
        Ok(database) => {
            let source = database.source;
            format!("{source:?} {} {:?} {:?}", source.place(), database.notes, database.warnings)
        }
        Err(error) => format!("{error} {error:?} {}", error.hint().unwrap_or_default()),
    };
    assert!(!said.contains(SENTINEL), "{shown} shows it: {said}");
}

/// For a value of a URL's query, as a person would who knows that one has to.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// For a value of pairs.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
