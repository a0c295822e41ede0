//! Foreign keys of other tables that point at a session table, and the rows that they keep from being
//! deleted.

use std::collections::BTreeSet;

/// A foreign key of another table that points at a session table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The other table.
    pub table: String,
    /// Its columns, unquoted.
    pub columns: Vec<String>,
    /// What happens to its rows when the session is deleted, in SQL's words: `CASCADE`, `NO ACTION`.
    pub on_delete: String,
    /// Whether it keeps sessions: see [`hinders`](Self::hinders).
    pub(super) hinders: bool,
    /// Whether the rows that refer by it are deleted with their sessions.
    pub(super) is_deleted: bool,
    /// The SQL condition that a row of the other table refers to a row of the session table; `None` if this
    /// role may not see all rows of the other table.
    pub(super) refers: Option<String>,
}

impl Reference {
    /// Whether it keeps the session that a row refers to. Either the database refuses the delete, or sessctl
    /// does: ON DELETE CASCADE of the session table itself would delete further sessions that no scan
    /// checked.
    pub fn hinders(&self) -> bool {
        self.hinders && !self.is_deleted
    }

    /// Whether the rows that refer by it are deleted with their sessions.
    pub fn is_deleted(&self) -> bool {
        self.is_deleted
    }

    /// Whether deleting a session would delete other sessions with it.
    pub fn takes_sessions(&self) -> bool {
        self.hinders() && self.on_delete == "CASCADE"
    }

    /// Whether SQL can tell which sessions it refers to.
    pub fn is_visible(&self) -> bool {
        self.refers.is_some()
    }
}

/// The SQL conditions for rows that cannot be deleted, each with the other table.
pub(super) fn hindrances(references: &[Reference]) -> Vec<(&str, &str)> {
    references
        .iter()
        .filter(|reference| reference.hinders())
        .filter_map(|reference| Some((&*reference.table, reference.refers.as_deref()?)))
        .collect()
}

/// SQL to append to a condition: no other table keeps the row. Empty if none can.
pub(super) fn unless_kept(hindrances: &[(&str, &str)]) -> String {
    after_each(" AND NOT ", hindrances)
}

/// SQL to append to a list of columns: the conditions as columns.
pub(super) fn columns(hindrances: &[(&str, &str)]) -> String {
    after_each(", ", hindrances)
}

fn after_each(word: &str, hindrances: &[(&str, &str)]) -> String {
    hindrances.iter().flat_map(|(_, refers)| [word, refers]).collect()
}

/// The SQL condition that some other table keeps the row; `None` if none can.
pub(super) fn kept(hindrances: &[(&str, &str)]) -> Option<String> {
    let conditions: Vec<&str> = hindrances.iter().map(|(_, refers)| *refers).collect();
    (!conditions.is_empty()).then(|| format!("({})", conditions.join(" OR ")))
}

/// What one batch deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Deleted sessions.
    pub sessions: u64,
    /// Deleted rows that referred to them, of each column that [`Opening::referring`](super::Opening) names.
    pub referring: Vec<u64>,
    /// Rows of the batch that stay because another table refers to them.
    pub kept: Kept,
}

/// Rows that stay because other tables refer to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Their keys or row addresses, whichever the batch used.
    pub rows: BTreeSet<String>,
    /// The other tables.
    pub by: BTreeSet<String>,
}

impl Gone {
    /// The result of a batch that deleted sessions and nothing else.
    pub fn of(sessions: u64) -> Self {
        Self { sessions, ..Self::default() }
    }

    /// The result for one row that stays.
    pub fn kept(row: &str, by: String) -> Self {
        let kept = Kept { rows: [row.to_owned()].into(), by: [by].into() };
        Self { kept, ..Self::default() }
    }

    /// Adds the result of another batch.
    pub fn add(&mut self, other: Self) {
        self.sessions += other.sessions;
        add_each(&mut self.referring, &other.referring);
        self.kept.add(other.kept);
    }
}

/// Adds counts, each to the one at its place.
pub fn add_each(counts: &mut Vec<u64>, more: &[u64]) {
    counts.resize(counts.len().max(more.len()), 0);
    for (count, more) in counts.iter_mut().zip(more) {
        *count += more;
    }
}

impl Kept {
    /// Adds the rows of another batch.
    pub fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.by.extend(other.by);
    }

    /// The number of rows.
    pub fn count(&self) -> u64 {
        u64::try_from(self.rows.len()).unwrap_or(u64::MAX)
    }
}

/// Runs a delete of some rows. If it fails with [`Broken::Reference`], another table refers to one of them
/// although no check saw it. Then it deletes each half by itself, down to the single rows that are referred
/// to. Likewise for a row that stays. A single row is tried twice: what refers to it may have come during the first delete,
/// which did not see it, and the second one deletes it.
pub(super) fn delete_in_halves<E>(
    rows: &[&str],
    mut delete: impl FnMut(&[&str]) -> Result<Gone, Broken<E>>,
) -> Result<Gone, E> {
    let mut gone = Gone::default();
    let mut parts = vec![rows];
    let mut again = None;
    while let Some(part) = parts.pop() {
        match (delete(part), part) {
            (Ok(done), _) => gone.add(done),
            (Err(Broken::Reference(..)), [row]) if again != Some(*row) => {
                again = Some(*row);
                parts.push(part);
            }
            (Err(Broken::Reference(_, by)), [row]) => gone.add(Gone::kept(row, by)),
            (Err(Broken::Stays(_)), [_]) => {}
            (Err(Broken::Reference(..) | Broken::Stays(_)), [_, _, ..]) => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            (
                Err(Broken::Reference(error, _) | Broken::Stays(error) | Broken::Otherwise(error)),
                _,
            ) => {
                return Err(error);
            }
        }
    }
    Ok(gone)
}

/// Why a delete failed.
pub(super) enum Broken<E> {
    /// A row of the table with this name refers to one of the rows.
    Reference(E, String),
    /// A row did not go, although nothing forbade it: a trigger keeps it, or somebody has locked it. What refers to it has to
    /// stay, too.
    Stays(E),
    /// Any other failure.
    Otherwise(E),
}
