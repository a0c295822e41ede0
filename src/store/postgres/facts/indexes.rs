//! Checks the indexes: those that commands rely on, and those that are useless.

use std::collections::BTreeSet;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::{RowSecurity, Subject};
use crate::model::Finding;
use crate::store::Table;
use crate::store::indexes::{
    Doubles, KeyIndex, Maker, Missing, SHOWN, STANDARD, delete_doubles, find_doubles, index_finding,
};
use crate::store::postgres::client::Client;
use crate::store::postgres::grants::printable;

/// The indexes of a table. Only the first column of an index finds rows, and only if the index is not
/// partial. An expression has no name.
const INDEXES: &str = "
    SELECT nspname::text, relname::text, indisvalid AND indisready AND indislive, indisunique,
           (SELECT pg_catalog.array_agg(coalesce(attname::text, '') ORDER BY place)
            FROM pg_catalog.unnest(indkey::int2[]) WITH ORDINALITY AS parts (number, place)
            LEFT JOIN pg_catalog.pg_attribute ON attrelid = indrelid AND attnum = number WHERE place <= indnkeyatts),
           indpred IS NULL AND (SELECT amname = 'btree' FROM pg_catalog.pg_am a WHERE a.oid = relam)
    FROM pg_catalog.pg_index JOIN pg_catalog.pg_class c ON c.oid = indexrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    WHERE indrelid = $1 ORDER BY 2";

/// The columns by which a table is partitioned, on every level, and whether a partition is on another server.
const PARTITIONING: &str = "
    WITH RECURSIVE tree (part) AS (
        SELECT $1::oid UNION SELECT inhrelid FROM pg_catalog.pg_inherits JOIN tree ON inhparent = part)
    SELECT (SELECT coalesce(pg_catalog.array_agg(DISTINCT coalesce(attname::text, '')), '{}')
            FROM tree JOIN pg_catalog.pg_partitioned_table ON partrelid = part
            CROSS JOIN LATERAL pg_catalog.unnest(partattrs::int2[]) AS parts (number)
            LEFT JOIN pg_catalog.pg_attribute ON attrelid = part AND attnum = number),
           EXISTS (SELECT FROM tree JOIN pg_catalog.pg_class c ON c.oid = part WHERE relkind = 'f')";

/// The relations whose names an index must avoid.
const NAMES: &str = "
    SELECT c.relname::text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_class t ON t.relnamespace = c.relnamespace
    WHERE t.oid = $1 AND c.relname ~ '_sessctl[0-9]*$'";

/// Limits the search for duplicate keys.
const BEGIN_DOUBLES: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = '3s'; \
    SET LOCAL lock_timeout = '1s'; SET LOCAL search_path = pg_catalog, pg_temp";

const CAUTION: &str = "; to make one keeps every writer out meanwhile";

/// The valid indexes of a table, and the names of the invalid ones.
pub(super) struct Indexes {
    usable: Vec<Index>,
    invalid: Vec<Table>,
}

struct Index {
    columns: Vec<String>,
    is_unique: bool,
}

/// The partitioning of a table, which decides which columns a unique index must have.
#[derive(Default)]
struct Partitioning {
    /// The columns besides `session_key`; empty for an expression.
    columns: Vec<String>,
    has_foreign: bool,
}

impl Indexes {
    pub(super) fn of(client: &mut Client, oid: u32) -> Result<Self, Error> {
        let (mut usable, mut invalid) = (Vec::new(), Vec::new());
        for row in client.query_typed(INDEXES, &[(&oid, Type::OID)])? {
            if !row.try_get(2)? {
                invalid.push(Table::new(Some(row.try_get(0)?), row.try_get(1)?));
            } else if row.try_get(5)? {
                usable.push(Index { columns: row.try_get(4)?, is_unique: row.try_get(3)? });
            }
        }
        Ok(Self { usable, invalid })
    }

    pub(super) fn finds_expiry(&self) -> bool {
        self.finds("expire_date")
    }

    fn finds(&self, column: &str) -> bool {
        self.usable.iter().any(|index| index.columns.first().is_some_and(|first| first == column))
    }

    /// Whether a unique index begins with the key and has no further columns than these.
    fn is_unique_with(&self, with: &[String]) -> bool {
        self.usable.iter().any(|index| match index.columns.split_first() {
            Some((first, others)) => {
                let fits = others.iter().all(|other| with.contains(other));
                index.is_unique && first == "session_key" && fits
            }
            None => false,
        })
    }

    pub(super) fn describe(
        &self,
        client: &mut Client,
        subject: &Subject,
    ) -> Result<Finding, Error> {
        match &*subject.kind {
            "f" => {
                let text = "those of a foreign table are on its own server";
                return Ok(Finding::unknown("indexes", text));
            }
            "v" | "m" => return Ok(Finding::unknown("indexes", "a view has those of its tables")),
            _ => {}
        }
        // On a partitioned table, an index cannot be created without blocking writes.
        let (concurrently, caution) =
            if subject.kind == "p" { ("", CAUTION) } else { (" CONCURRENTLY", "") };
        let key = self.key(client, subject)?;
        let is_well = matches!(key, KeyIndex::Unique(_)) && self.finds_expiry();
        let names: Vec<String> = self.invalid.iter().map(Table::to_string).collect();
        if !names.is_empty() && is_well {
            let drop = |index: &Table| format!("DROP INDEX{concurrently} {}", index.quoted());
            let mend: Vec<String> = self.invalid.iter().map(drop).collect();
            return Ok(Finding::warning(
                "indexes",
                format!("INVALID, written to and used by nothing: {}", names.join(", ")),
                format!("{}, and make them again if they are needed", printable(&mend.join("; "))),
            ));
        }
        let mut taken = BTreeSet::new();
        for row in client.query_typed(NAMES, &[(&subject.oid, Type::OID)])? {
            taken.insert(row.try_get::<_, String>(0)?);
        }
        let is_taken = |name: &str| taken.contains(name);
        let maker = Maker {
            dialect: STANDARD,
            table: &subject.table,
            is_taken: &is_taken,
            concurrently,
            caution,
        };
        let mut finding = index_finding(&key, self.finds_expiry(), &maker);
        finding.next_step = finding.next_step.map(|sql| printable(&sql));
        if !names.is_empty() {
            finding.text = format!("{}; INVALID: {}", finding.text, names.join(", "));
        }
        Ok(finding)
    }

    fn key(&self, client: &mut Client, subject: &Subject) -> Result<KeyIndex, Error> {
        if self.is_unique_with(&[]) {
            return Ok(KeyIndex::Unique(Vec::new()));
        }
        let Partitioning { columns: with, has_foreign } = match &*subject.kind {
            "p" => Partitioning::of(client, subject.oid)?,
            _ => Partitioning::default(),
        };
        let finds_key = self.finds("session_key");
        let impossible = |why: &str| KeyIndex::Impossible { why: why.into(), finds_key };
        if with.iter().any(String::is_empty) {
            return Ok(impossible("the table is partitioned by an expression"));
        }
        if self.is_unique_with(&with) {
            return Ok(KeyIndex::Unique(with));
        }
        if has_foreign {
            return Ok(impossible("a partition is on another server"));
        }
        let doubles = doubles(client, subject, &with)?;
        Ok(KeyIndex::Missing(Missing { finds_key, with, doubles }))
    }
}

impl Partitioning {
    fn of(client: &mut Client, oid: u32) -> Result<Self, Error> {
        let row = client.query_typed_one(PARTITIONING, &[(&oid, Type::OID)])?;
        let mut columns: Vec<String> = row.try_get(0)?;
        columns.retain(|column| column != "session_key");
        Ok(Self { columns, has_foreign: row.try_get(1)? })
    }
}

/// Searches for duplicate keys, for a few seconds.
fn doubles(client: &mut Client, subject: &Subject, with: &[String]) -> Result<Doubles, Error> {
    if subject.row_security == RowSecurity::Active {
        return Ok(Doubles::Unknown("row security hides rows from this role".into()));
    }
    if subject.is_trap {
        return Ok(Doubles::Unknown("to read the table would run code of others".into()));
    }
    let find = find_doubles(&STANDARD, &subject.table, with);
    let shown = format!("SELECT session_key::text FROM ({find}) AS doubles LIMIT {}", SHOWN + 1);
    client.batch_execute(BEGIN_DOUBLES)?;
    let read = |client: &mut Client| -> Result<Vec<String>, Error> {
        client.query_typed(&shown, &[])?.iter().map(|row| row.try_get(0)).collect()
    };
    let found = read(client);
    client.batch_execute("ROLLBACK")?;
    match found {
        Ok(keys) => {
            Ok(Doubles::of(&keys, || Some(delete_doubles(&subject.table, with, "tableoid, ctid"))))
        }
        Err(error) => match error.code() {
            Some(&SqlState::QUERY_CANCELED) => {
                Ok(Doubles::Unknown("the search took longer than 3 s".into()))
            }
            Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                Ok(Doubles::Unknown("somebody has locked the table".into()))
            }
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                Ok(Doubles::Unknown("this role may not read the table".into()))
            }
            _ => Err(error),
        },
    }
}
