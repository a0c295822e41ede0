//! Checks names that go into generated code and SQL: only plain identifiers are accepted.

use crate::error::Error;
use crate::store::UserColumn;

/// PostgreSQL cuts names after 63 bytes, and that of the index holds the column's.
const LONGEST: usize = 63 - "django_session_".len() - "_sessctl".len();

/// Python's keywords.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// Django's own.
const APPS: [&str; 8] =
    ["admin", "auth", "contenttypes", "django", "messages", "sessions", "sites", "staticfiles"];

/// The column, if it can be added to a session table.
pub(super) fn column(name: &str) -> Result<&str, Error> {
    if !is_identifier(name) || UserColumn::is_taken(name) {
        return Err(Error::usage(
            format!("\"{name}\" cannot be the name of a user column"),
            format!(
                "letters without accents, digits and _, not first a digit, at most {LONGEST}, and no \
                 column that every table has: --column user_id"
            ),
        ));
    }
    Ok(name)
}

/// The last part of the dotted name of an app, by which Django knows it.
pub(super) fn label(app: &str) -> Result<&str, Error> {
    let label = app.rsplit('.').next().unwrap_or(app);
    let importable = app.split('.').all(|part| is_identifier(part) && !KEYWORDS.contains(&part));
    if !importable || APPS.contains(&label) {
        return Err(Error::usage(
            format!("\"{app}\" cannot be the name of a Django app"),
            format!(
                "Python names with dots between them, each at most {LONGEST} letters without accents, \
                 digits and _, and the last not one of Django's own: --app mysite.session_user"
            ),
        ));
    }
    Ok(label)
}

fn is_identifier(text: &str) -> bool {
    text.len() <= LONGEST
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
