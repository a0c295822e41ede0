//! SQL that names rows by their keys. The server takes the keys of a list first and finds each row by its key. A list
//! after IN it may answer by reading, and locking, the whole table, and no hint keeps both MySQL and MariaDB from that.

use mysql_async::Value;

use super::MySql;
use super::catalog::Found;
use super::session::Lists;
use super::sql::{quote, quoted};
use crate::store::Table;

/// Most keys of a statement. With many more the server may read and lock the whole table.
pub(super) const MOST_KEYS: usize = 1_000;

/// Bytes of the longest key in a JSON array.
const LONGEST_IN_JSON: usize = 255;

/// The condition that a row has the key, and the data whose SHA-256 is `x.h`. To compare the data itself, all of it would
/// have to go to the server, and the collation of its column takes different base64 for the same.
pub(super) const UNCHANGED: &str = "CAST(s.session_key AS BINARY) = CAST(x.k AS BINARY) \
    AND CAST(SHA2(CONVERT(s.session_data USING utf8mb4), 256) AS BINARY) = x.h";

/// Joins a list `x` of so many keys with rows `s` of the session table; with a hash `x.h` and one more value `x.v` for each key.
pub(super) fn joined_with(store: &MySql, found: &Found, value: &str, keys: usize) -> String {
    let columns = format!("{} AS k, CAST(? AS BINARY) AS h, {value} AS v", found.key());
    joined(&selects(&columns, keys), &quoted(&store.table), ("session_key", "x.k"))
}

fn selects(columns: &str, rows: usize) -> String {
    let select = format!("SELECT {columns}");
    format!("({})", vec![&*select; rows].join(" UNION ALL "))
}

fn joined(list: &str, table: &str, (column, key): (&str, &str)) -> String {
    format!("{list} x STRAIGHT_JOIN {table} s ON s.{} = {key}", quote(column))
}

/// The rows with these keys, and if that is given only those that expired before a bound.
pub(super) struct Named {
    pub(super) joined: String,
    pub(super) condition: String,
    pub(super) values: Vec<Value>,
}

impl Named {
    pub(super) fn new(table: &Table, found: &Found, keys: &[&str], before: Option<&str>) -> Self {
        let list = as_json(&quoted(table), found, keys);
        Self::of(found, list.unwrap_or_else(|| as_selects(&quoted(table), found, keys)), before)
    }

    /// The same for a SELECT that locks: MySQL locks no rows that are joined with a JSON array.
    pub(super) fn to_lock(
        table: &Table,
        found: &Found,
        keys: &[&str],
        before: Option<&str>,
    ) -> Self {
        Self::of(found, as_selects(&quoted(table), found, keys), before)
    }

    /// The same where no index finds a key: the server reads each row of the table once, and looks its key up in the list.
    pub(super) fn in_one_scan(table: &Table, found: &Found, keys: &[&str]) -> Self {
        let (column, key) = (quote(&found.key_column), format!("CAST({} AS BINARY)", found.key()));
        let list = vec![&*key; keys.len()].join(", ");
        Self {
            joined: format!("{} s", quoted(table)),
            condition: format!("CAST(s.{column} AS BINARY) IN ({list})"),
            values: keys.iter().map(|key| found.key_value(key)).collect(),
        }
    }

    /// The collation of the column finds other keys, too: Django and sessctl tell keys apart byte by byte.
    fn of(found: &Found, (joined, mut values): (String, Vec<Value>), before: Option<&str>) -> Self {
        let column = quote(&found.key_column);
        let mut condition = format!("CAST(s.{column} AS BINARY) = CAST(x.k AS BINARY)");
        if before.is_some() {
            condition.push_str(" AND s.expire_date < CAST(? AS DATETIME(6))");
        }
        values.extend(before.map(Value::from));
        Self { joined, condition, values }
    }

    pub(super) fn delete(&self) -> String {
        format!("DELETE s FROM {} WHERE {}", self.joined, self.condition)
    }

    pub(super) fn select(&self, columns: &str) -> String {
        format!("SELECT {columns} FROM {} WHERE {}", self.joined, self.condition)
    }
}

/// One statement for any number of keys; `None` where the server or a key is not fit for it.
fn as_json(table: &str, found: &Found, keys: &[&str]) -> Option<(String, Vec<Value>)> {
    let (charset, collation) = found.column(&found.key_column)?.text()?;
    if found.lists != Lists::Json || keys.iter().any(|key| key.len() > LONGEST_IN_JSON) {
        return None;
    }
    let list = format!(
        "JSON_TABLE(?, '$[*]' COLUMNS (k VARCHAR({LONGEST_IN_JSON}) CHARACTER SET {charset} PATH '$'))"
    );
    let mut keys: Vec<Option<&str>> =
        keys.iter().map(|key| Some(*key).filter(|key| found.can_hold(key))).collect();
    // The one that was repeated for SELECTs.
    keys.dedup();
    let keys = serde_json::to_string(&keys).ok()?;
    let key = format!("x.k COLLATE {collation}");
    let joined = joined(&list, table, (&found.key_column, &key));
    Some((joined, vec![keys.into()]))
}

fn as_selects(table: &str, found: &Found, keys: &[&str]) -> (String, Vec<Value>) {
    let list = selects(&format!("{} AS k", found.key()), keys.len());
    let joined = joined(&list, table, (&found.key_column, "x.k"));
    (joined, keys.iter().map(|key| found.key_value(key)).collect())
}

/// As many keys as one of few statements takes, so that the server keeps them prepared: the last key is repeated.
pub(super) fn padded<'k>(keys: &[&'k str]) -> Vec<&'k str> {
    let places = keys.len().next_power_of_two().min(MOST_KEYS.max(keys.len()));
    let last = keys.last().copied().unwrap_or_default();
    let more = std::iter::repeat_n(last, places - keys.len());
    keys.iter().copied().chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::padded;

    #[test]
    fn few_statements_serve_batches_of_all_sizes() {
        assert_eq!(padded(&["a"]), ["a"]);
        assert_eq!(padded(&["a", "b", "c"]), ["a", "b", "c", "c"]);
        assert_eq!(padded(&["a"; 600]).len(), 1_000);
        assert_eq!(padded(&["a"; 1_000]).len(), 1_000);
    }
}
