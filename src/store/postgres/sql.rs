//! SQL that several files of this folder share.

use crate::store::UserType;

/// How a scan begins. A scan is one statement over the whole table, so a `statement_timeout` meant
/// for requests must not end it (`pg_dump` does the same). A serializable one could have transactions
/// of a serializable site fail, though it only reads.
pub(super) const BEGIN_SCAN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; \
    SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10s'";
/// By its key a row is found in the index, however many are asked for at once: reckoned together
/// they can look dearer than the whole table. A statement that joins the table with what is to
/// become of its rows names the keys once more, or all of the index may be read for the join.
pub(super) const BY_KEY: &str = "SET LOCAL enable_seqscan = off";
/// By its address a row is found without any index.
pub(super) const BY_ADDRESS: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off; \
    SET LOCAL enable_bitmapscan = off";
/// Operators are named in full, since a `search_path` may put others before PostgreSQL's own.
pub(super) const EXPIRED: &str = "expire_date OPERATOR(pg_catalog.<) $2";
/// Whether a row has the data that it had when it was read, of which `n` knows all or the hash.
pub(super) const IS_UNCHANGED: &str = "CASE WHEN n.hash IS NULL \
    THEN t.session_data OPERATOR(pg_catalog.=) n.was \
    ELSE pg_catalog.sha256(pg_catalog.convert_to(t.session_data::pg_catalog.text, 'UTF8')) OPERATOR(pg_catalog.=) n.hash END";
/// The rows with one of the keys in `$1`. The first condition finds them in the index. The second one is for columns whose
/// collation takes different keys for equal: Django and sessctl tell sessions apart byte by byte.
pub(super) const NAMED: &str = "session_key OPERATOR(pg_catalog.=) ANY($1) \
    AND session_key::pg_catalog.text COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) ANY($1)";
/// Of the table `t`, the rows with the keys of the rows `n`, which stand in `$1`, too.
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
