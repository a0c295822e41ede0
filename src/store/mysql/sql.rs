//! Names in SQL. Backticks quote them whatever `sql_mode` says (`ANSI_QUOTES`, `NO_BACKSLASH_ESCAPES`); values are
//! bound.

use crate::store::Table;

/// A name in backticks.
pub(super) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A table in backticks, with its database if that was named.
pub(super) fn quoted(table: &Table) -> String {
    match table.schema() {
        Some(schema) => format!("{}.{}", quote(schema), quote(table.name())),
        None => quote(table.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_whatever_they_hold() {
        let quoted = |text: &str| quoted(&text.parse().unwrap());
        assert_eq!(quoted("django_session"), "`django_session`");
        assert_eq!(quoted("shop.django_session"), "`shop`.`django_session`");
        assert_eq!(quoted("a`; DROP TABLE x; --"), "`a``; DROP TABLE x; --`");
    }
}
