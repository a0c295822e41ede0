//! SQL that names rows by their keys. The server takes the keys of a list first and finds each row by its key. A list
//! after IN it may answer by reading, and locking, the whole table, and no hint keeps both MySQL and MariaDB from that.

use mysql_async::Value;

use super::MySql;
use super::catalog::Found;
use super::sql::quoted;
use crate::store::Table;

/// Most keys of a statement. With many more the server may read and lock the whole table.
pub(super) const MOST_KEYS: usize = 1_000;

/// The collation of the column finds other keys, too: Django and sessctl tell keys apart byte by byte.
pub(super) const SAME: &str = "CAST(s.session_key AS BINARY) = CAST(x.k AS BINARY)";

/// The condition that a row has the key, and the data whose SHA-256 is `x.h`. To compare the data itself, all of it would
/// have to go to the server, and the collation of its column takes different base64 for the same.
pub(super) const UNCHANGED: &str = "CAST(s.session_key AS BINARY) = CAST(x.k AS BINARY) \
    AND CAST(SHA2(CONVERT(s.session_data USING utf8mb4), 256) AS BINARY) = x.h";

/// Joins a list `x` of so many keys with rows `s` of the session table; with a hash `x.h` and one more value `x.v` for each key.
pub(super) fn joined_with(store: &MySql, found: &Found, value: &str, keys: usize) -> String {
    let columns = format!("{} AS k, CAST(? AS BINARY) AS h, {value} AS v", found.key());
    listed(&columns, keys, &quoted(&store.table))
}

/// UNION ALL, since every version takes it, and MySQL and MariaDB spell VALUES differently.
fn listed(columns: &str, rows: usize, table: &str) -> String {
    let mut list = format!("SELECT {columns}");
    for _ in 1..rows {
        list.push_str(" UNION ALL SELECT ");
        list.push_str(columns);
    }
    format!("({list}) x STRAIGHT_JOIN {table} s ON s.session_key = x.k")
}

/// The rows with these keys, and if that is given only those that expired before a bound.
pub(super) struct Named {
    pub(super) joined: String,
    pub(super) condition: String,
    pub(super) values: Vec<Value>,
}

impl Named {
    pub(super) fn new(table: &Table, found: &Found, keys: &[&str], before: Option<&str>) -> Self {
        let mut condition = SAME.to_owned();
        if before.is_some() {
            condition.push_str(" AND s.expire_date < CAST(? AS DATETIME(6))");
        }
        let values =
            keys.iter().map(|key| found.key_value(key)).chain(before.map(Value::from)).collect();
        let joined = listed(&format!("{} AS k", found.key()), keys.len(), &quoted(table));
        Self { joined, condition, values }
    }

    pub(super) fn delete(&self) -> String {
        format!("DELETE s FROM {} WHERE {}", self.joined, self.condition)
    }

    pub(super) fn select(&self, columns: &str) -> String {
        format!("SELECT {columns} FROM {} WHERE {}", self.joined, self.condition)
    }
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
