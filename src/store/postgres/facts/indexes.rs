//! Indexes: those that commands live by, and those that are of no use.

use tokio_postgres::Error;
use tokio_postgres::types::Type;

use super::Subject;
use crate::model::Finding;
use crate::store::Table;
use crate::store::facts::index_finding;
use crate::store::postgres::client::Client;

/// Only the first column of an index finds rows, and only where it holds all of them.
const INDEXES: &str = "
    SELECT nspname::text, relname::text, indisvalid AND indisready AND indislive, indisunique AND indnkeyatts = 1,
           (SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = indrelid AND attnum = indkey[0]),
           indpred IS NULL AND (SELECT amname = 'btree' FROM pg_catalog.pg_am a WHERE a.oid = relam)
    FROM pg_catalog.pg_index JOIN pg_catalog.pg_class c ON c.oid = indexrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    WHERE indrelid = $1 ORDER BY 2";

/// The indexes of a table that are valid, and the names of those that are not.
pub(super) struct Indexes {
    usable: Vec<Index>,
    invalid: Vec<Table>,
}

struct Index {
    column: Option<String>,
    is_unique: bool,
}

impl Indexes {
    pub(super) fn of(client: &mut Client, oid: u32) -> Result<Self, Error> {
        let (mut usable, mut invalid) = (Vec::new(), Vec::new());
        for row in client.query_typed(INDEXES, &[(&oid, Type::OID)])? {
            if !row.try_get(2)? {
                invalid.push(Table::new(Some(row.try_get(0)?), row.try_get(1)?));
            } else if row.try_get(5)? {
                usable.push(Index { column: row.try_get(4)?, is_unique: row.try_get(3)? });
            }
        }
        Ok(Self { usable, invalid })
    }

    pub(super) fn finds_expiry(&self) -> bool {
        self.usable.iter().any(|index| index.column.as_deref() == Some("expire_date"))
    }

    fn finds_key(&self) -> bool {
        let is_key = |index: &Index| index.column.as_deref() == Some("session_key");
        self.usable.iter().any(|index| is_key(index) && index.is_unique)
    }

    pub(super) fn describe(&self, subject: &Subject) -> Finding {
        if subject.kind == "f" {
            return Finding::unknown("indexes", "those of a foreign table are on its own server");
        }
        // Of a partitioned table no index can be made so that nobody waits.
        let concurrently = if subject.kind == "p" { "" } else { " CONCURRENTLY" };
        if !self.invalid.is_empty() && self.finds_key() && self.finds_expiry() {
            let names: Vec<String> = self.invalid.iter().map(Table::to_string).collect();
            let mend: Vec<String> = self
                .invalid
                .iter()
                .map(|index| format!("DROP INDEX{concurrently} {}", index.quoted()))
                .collect();
            return Finding::warning(
                "indexes",
                format!("INVALID, written to and used by nothing: {}", names.join(", ")),
                format!("{}, and make them again if they are needed", mend.join("; ")),
            );
        }
        let mut finding =
            index_finding(self.finds_key(), self.finds_expiry(), &subject.table, concurrently);
        if !self.invalid.is_empty() {
            let names: Vec<String> = self.invalid.iter().map(Table::to_string).collect();
            finding.text = format!("{}; INVALID: {}", finding.text, names.join(", "));
        }
        finding
    }
}
