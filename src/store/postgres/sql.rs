//! SQL that several files of this folder share.

use crate::store::UserType;

/// Begins a scan. It is one statement over the whole table, so a `statement_timeout` meant for requests must
/// not end it (`pg_dump` does the same). At level SERIALIZABLE it could make transactions of a serializable
/// site fail, although it only reads.
pub(super) const BEGIN_SCAN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; \
    SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10s'";
/// Makes the server find rows by key in the index, even if it estimates that reading the whole table is
/// cheaper. A statement that joins the table with a list of rows must name the keys once more, or the join
/// may read the whole index.
pub(super) const BY_KEY: &str = "SET LOCAL enable_seqscan = off";
/// Makes the server find rows by their address, without an index.
pub(super) const BY_ADDRESS: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off; \
    SET LOCAL enable_bitmapscan = off";
/// The condition for expired rows. Operators are named in full, since a `search_path` may put others before
/// PostgreSQL's own.
pub(super) const EXPIRED: &str = "expire_date OPERATOR(pg_catalog.<) $2";
/// The condition that a row still has the same data as when it was read; `n` holds the data or its hash.
pub(super) const IS_UNCHANGED: &str = "CASE WHEN n.hash IS NULL \
    THEN t.session_data OPERATOR(pg_catalog.=) n.was \
    ELSE pg_catalog.sha256(pg_catalog.convert_to(t.session_data::pg_catalog.text, 'UTF8')) OPERATOR(pg_catalog.=) n.hash END";
/// The condition for rows with one of the keys in `$1`. The first part finds them in the index. The second
/// part is for columns whose collation takes different keys for equal: Django and sessctl compare session
/// keys byte by byte.
pub(super) const NAMED: &str = "session_key OPERATOR(pg_catalog.=) ANY($1) \
    AND session_key::pg_catalog.text COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) ANY($1)";
/// The condition that pairs rows of the table `t` with the rows `n`, whose keys are in `$1` too.
pub(super) const PAIRED: &str = "t.session_key OPERATOR(pg_catalog.=) ANY($1) \
    AND t.session_key OPERATOR(pg_catalog.=) n.key \
    AND t.session_key::pg_catalog.text COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) n.key";

/// The type as SQL names it.
pub(super) fn type_name(kind: UserType) -> &'static str {
    match kind {
        UserType::Text => "pg_catalog.text",
        UserType::Bigint => "bigint",
        UserType::Uuid => "pg_catalog.uuid",
    }
}
