//! The user column: a column of the session table that holds the user id of each row. sessctl can add it
//! (`backfill`), and some packages and sites have one.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::error::{Fault, StoreError};
use super::table::{Table, quote};
use crate::model::{MOST_ID_BYTES, uuid_digits};

/// Names that no user column can have: Django's columns, and system columns of PostgreSQL and SQLite.
const TAKEN: [&str; 12] = [
    "session_key",
    "session_data",
    "expire_date",
    "ctid",
    "xmin",
    "xmax",
    "cmin",
    "cmax",
    "tableoid",
    "oid",
    "rowid",
    "_rowid_",
];

/// A column of the session table that holds the user id of each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserColumn {
    /// Its name, unquoted.
    pub name: String,
    /// What it holds.
    pub kind: UserType,
    /// The most bytes of a number, or characters of a text, that it holds, if that is less than what
    /// [`kind`](Self::kind) allows.
    pub width: Option<u32>,
    /// Whether an index finds the rows of a user, and the rows with NULL.
    pub indexed: bool,
    /// The table of users that a foreign key of this column refers to.
    pub users: Option<UserTable>,
}

/// A table of users that a user column refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserTable {
    /// Its name.
    pub name: String,
    /// The column that the foreign key points at, unquoted.
    pub key: String,
    /// Whether row security hides some of its rows from this role.
    pub hidden: bool,
}

/// The result of a batch of assignments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assigned {
    /// Rows that were changed.
    pub rows: u64,
    /// Users who are missing from the table that the column refers to.
    pub unknown: BTreeSet<String>,
}

/// What a user column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserType {
    /// Any id.
    Text,
    /// 64-bit numbers.
    Bigint,
    /// UUIDs.
    Uuid,
}

/// What it takes to add, fill and index a user column, for the operator.
#[derive(Clone, Debug, Default)]
pub struct UserColumnPlan {
    /// The SQL that adds it.
    pub add: String,
    /// The SQL that indexes it.
    pub index: Vec<String>,
    /// Whether filling a row writes a new version beside the old one, which stays until vacuum.
    pub copies_rows: bool,
    /// Rows filled per second on a small machine (docs/performance.md).
    pub rows_per_second: u64,
}

/// What it takes to drop a user column, and what forbids it.
#[derive(Clone, Debug, Default)]
pub struct UserColumnDrop {
    /// The SQL that drops its index and then the column.
    pub sql: Vec<String>,
    /// What shows that it is not as `backfill` makes it, or that something else needs it.
    pub others: Vec<String>,
    /// Whether the database writes the whole table anew, in a transaction that keeps every other writer out.
    pub rewrites: bool,
}

impl UserColumnDrop {
    /// An error if the column is not as `backfill` makes it, or if something else needs it.
    pub fn demand_own(&self, what: impl FnOnce() -> String) -> Result<(), StoreError> {
        let Some(first) = self.others.first() else { return Ok(()) };
        let more = match self.others.len() {
            1 => String::new(),
            others => format!(" (and {} more)", others - 1),
        };
        Err(StoreError::new(Fault::Fatal, what())
            .because(format!("column is not as backfill makes it: {first}{more}"))
            .hint("only a column that `sessctl backfill` added can be dropped: remove this one as it was added"))
    }
}

/// A condition on the user column.
#[derive(Clone, Debug)]
pub struct ByUser {
    /// The column.
    pub column: UserColumn,
    /// What it must hold.
    pub condition: ColumnCondition,
}

/// What the user column of a row must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnCondition {
    /// Anything.
    Any,
    /// Nothing: NULL.
    Missing,
    /// One of these user ids, spelled as [`UserType::fit`] returns them.
    OneOf(BTreeSet<String>),
}

impl ColumnCondition {
    /// Whether a row with this value in the column meets the condition.
    pub fn include(&self, user: Option<&str>) -> bool {
        match (self, user) {
            (Self::Any, _) | (Self::Missing, None) => true,
            (Self::Missing, Some(_)) | (Self::OneOf(_), None) => false,
            (Self::OneOf(ids), Some(user)) => ids.contains(user),
        }
    }
}

impl UserColumn {
    /// The id as this column stores it; `None` if it cannot. See [`UserType::fit`]. No column takes an id that is longer
    /// than any key: PostgreSQL could not index it, and a batch of such ids would not fit into memory.
    pub fn fit<'i>(&self, id: &'i str) -> Option<Cow<'i, str>> {
        let width = self.width.unwrap_or(u32::MAX);
        self.kind.fit(id).filter(|id| match self.kind {
            UserType::Text => {
                id.len() <= MOST_ID_BYTES
                    && u32::try_from(id.chars().count()).is_ok_and(|chars| chars <= width)
            }
            UserType::Bigint => {
                let unused_bits = 64_u32.saturating_sub(width.saturating_mul(8));
                id.parse::<i64>().is_ok_and(|number| number << unused_bits >> unused_bits == number)
            }
            UserType::Uuid => true,
        })
    }

    /// Whether every session table has a column with this name already.
    pub fn is_taken(name: &str) -> bool {
        TAKEN.iter().any(|taken| name.eq_ignore_ascii_case(taken))
    }

    /// The name, quoted for SQL.
    pub fn quoted(&self) -> String {
        quote(&self.name)
    }

    /// The name of its index on `table`.
    pub fn index_name(&self, table: &Table) -> String {
        table.index_name(&self.name, 1)
    }
}

impl UserType {
    /// The id as a column of this type stores it; `None` if it cannot. Django stores ids as texts in
    /// sessions. Only an id that reads the same afterwards is the same id, so `042` does not fit a number.
    pub fn fit(self, id: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Text => (!id.contains('\0')).then_some(Cow::Borrowed(id)),
            Self::Bigint => {
                let digits = id.strip_prefix('-').unwrap_or(id);
                let reads_the_same = digits.bytes().next()?.is_ascii_digit()
                    && (!digits.starts_with('0') || id == "0");
                (reads_the_same && id.parse::<i64>().is_ok()).then_some(Cow::Borrowed(id))
            }
            Self::Uuid => uuid(id).map(Cow::Owned),
        }
    }
}

/// A UUID in the form with hyphens, from one with or without them.
pub(super) fn uuid(text: &str) -> Option<String> {
    let mut digits = uuid_digits(text)?;
    for hyphen in [20, 16, 12, 8] {
        digits.insert(hyphen, '-');
    }
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_reads_the_same_afterwards_fits() {
        let fits = |kind: UserType, id: &str| kind.fit(id).map(Cow::into_owned);
        for id in ["0", "42", "-7", "9223372036854775807"] {
            assert_eq!(fits(UserType::Bigint, id).as_deref(), Some(id));
        }
        for id in ["", "042", "+42", " 42", "4e1", "9223372036854775808", "-0", "٤٢", "x"] {
            assert_eq!(fits(UserType::Bigint, id), None, "{id:?}");
        }
        let canonical = "0fce2a16-9b84-4c29-9d9f-2f2f9d0b0a11";
        for id in [canonical.into(), canonical.replace('-', ""), canonical.to_uppercase()] {
            assert_eq!(fits(UserType::Uuid, &id).as_deref(), Some(canonical));
        }
        for id in
            [String::new(), "42".into(), canonical.replace('-', "_"), canonical.replace('f', "é")]
        {
            assert_eq!(fits(UserType::Uuid, &id), None, "{id:?}");
        }
        assert_eq!(fits(UserType::Text, "a\0b"), None);
    }

    fn column(kind: UserType, width: Option<u32>) -> UserColumn {
        UserColumn { name: "é".repeat(40), kind, width, indexed: false, users: None }
    }

    #[test]
    fn narrow_columns_hold_less() {
        let fits = |kind, width, id| column(kind, Some(width)).fit(id).is_some();
        for (width, largest) in [(2, "32767"), (4, "2147483647"), (8, "9223372036854775807")] {
            assert!(fits(UserType::Bigint, width, largest), "{largest}");
        }
        assert!(
            fits(UserType::Bigint, 4, "-2147483648") && !fits(UserType::Bigint, 4, "2147483648")
        );
        assert!(!fits(UserType::Bigint, 2, "-32769"));
        for (bytes, is_id) in [(MOST_ID_BYTES, true), (MOST_ID_BYTES + 1, false)] {
            assert_eq!(column(UserType::Text, None).fit(&"g".repeat(bytes)).is_some(), is_id);
        }
        assert!(fits(UserType::Text, 3, "äöü") && !fits(UserType::Text, 3, "anna"));
    }

    #[test]
    fn the_name_of_an_index_is_never_too_long() {
        let column = column(UserType::Text, None);
        let name = column.index_name(&Table::default());
        assert!(name.len() <= 63 && name.ends_with("_sessctl"), "{name}");
    }
}
