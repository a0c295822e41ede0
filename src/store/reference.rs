//! Foreign keys of other tables that point at a session table, and what became of rows that they keep.

use std::collections::BTreeSet;

/// A foreign key of another table that points at a session table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The other table.
    pub table: String,
    /// Its columns, unquoted.
    pub columns: Vec<String>,
    /// What happens to its rows when theirs here goes, in SQL's words: `CASCADE`, `NO ACTION`.
    pub on_delete: String,
    /// Whether a session that it refers to stays: see [`hinders`](Self::hinders).
    pub(super) hinders: bool,
    /// The SQL condition that one of its rows refers to a row of the session table; `None` where this
    /// role may not see all of its rows.
    pub(super) refers: Option<String>,
}

impl Reference {
    /// Whether a session that it refers to stays. The database does not let it go, or sessctl does not: ON DELETE CASCADE
    /// of the session table itself would take sessions with it that nobody looked at.
    pub fn hinders(&self) -> bool {
        self.hinders
    }

    /// Whether the database would delete the session, and others with it.
    pub fn takes_sessions(&self) -> bool {
        self.hinders && self.on_delete == "CASCADE"
    }

    /// Whether the rows that refer to sessions can be told by SQL.
    pub fn is_visible(&self) -> bool {
        self.refers.is_some()
    }
}

/// The conditions by which rows that cannot be deleted are told, each with its table.
pub(super) fn hindrances(references: &[Reference]) -> Vec<(&str, &str)> {
    references
        .iter()
        .filter(|reference| reference.hinders())
        .filter_map(|reference| Some((&*reference.table, reference.refers.as_deref()?)))
        .collect()
}

/// The condition that no other table keeps a row, to follow others; empty where none can.
pub(super) fn unless_kept(hindrances: &[(&str, &str)]) -> String {
    after_each(" AND NOT ", hindrances)
}

/// The conditions as columns, to follow others.
pub(super) fn columns(hindrances: &[(&str, &str)]) -> String {
    after_each(", ", hindrances)
}

fn after_each(word: &str, hindrances: &[(&str, &str)]) -> String {
    hindrances.iter().flat_map(|(_, refers)| [word, refers]).collect()
}

/// The condition that some other table keeps a row; `None` where none can.
pub(super) fn kept(hindrances: &[(&str, &str)]) -> Option<String> {
    let conditions: Vec<&str> = hindrances.iter().map(|(_, refers)| *refers).collect();
    (!conditions.is_empty()).then(|| format!("({})", conditions.join(" OR ")))
}

/// What one batch deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Sessions.
    pub sessions: u64,
    /// Rows that django-allauth had for them.
    pub allauth: u64,
    /// Of the rows that were named, those that stay because another table refers to them.
    pub kept: Kept,
}

/// Rows that stay because other tables refer to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// What they were named by: keys, or addresses.
    pub rows: BTreeSet<String>,
    /// The other tables.
    pub by: BTreeSet<String>,
}

impl Gone {
    /// So many sessions, and nothing else.
    pub fn of(sessions: u64) -> Self {
        Self { sessions, ..Self::default() }
    }

    /// One row that stays.
    pub fn kept(row: &str, by: String) -> Self {
        let kept = Kept { rows: [row.to_owned()].into(), by: [by].into() };
        Self { kept, ..Self::default() }
    }

    /// Adds what another batch deleted.
    pub fn add(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.allauth += other.allauth;
        self.kept.add(other.kept);
    }
}

impl Kept {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.by.extend(other.by);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        u64::try_from(self.rows.len()).unwrap_or(u64::MAX)
    }
}

/// Runs a delete of some rows, which fails with [`Broken::Reference`] where another table refers to one
/// of them although nobody saw that: with halves of them then, down to the rows that it is about.
pub(super) fn delete_in_halves<E>(
    rows: &[&str],
    mut delete: impl FnMut(&[&str]) -> Result<Gone, Broken<E>>,
) -> Result<Gone, E> {
    let mut gone = Gone::default();
    let mut parts = vec![rows];
    while let Some(part) = parts.pop() {
        match (delete(part), part) {
            (Ok(done), _) => gone.add(done),
            (Err(Broken::Reference(_, by)), [row]) => gone.add(Gone::kept(row, by)),
            (Err(Broken::Reference(..)), [_, _, ..]) => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            (Err(Broken::Reference(error, _) | Broken::Otherwise(error)), _) => return Err(error),
        }
    }
    Ok(gone)
}

/// Why a delete failed.
pub(super) enum Broken<E> {
    /// The other table of this name refers to a row.
    Reference(E, String),
    /// For another reason.
    Otherwise(E),
}
