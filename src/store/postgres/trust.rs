//! Detects code of other roles that a statement would run. Views, triggers and index expressions call
//! functions that others wrote, with the rights of the role that reads or writes the table. A superuser's
//! rights cover the whole server, so sessctl refuses.

use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};

use super::Postgres;
use super::client::{Client, OUR_PATH};
use super::fault::fail;
use crate::store::{Fault, StoreError};

/// The role, if code of other roles could take over the server with its rights: a superuser, a member of a
/// superuser, or a member of the roles that run programs and access files there. Before PostgreSQL 16 a role
/// with `CREATEROLE` can make itself a member. Code that runs under a role set by SET ROLE can set it back to the
/// role that logged in, so both roles count.
const POWERS: &str = "
    SELECT session_user::text, pg_catalog.current_setting('restrict_nonsystem_relation_kind', true) IS NOT NULL
    FROM pg_catalog.pg_roles me
    WHERE me.rolname IN (current_user, session_user) AND EXISTS (
        SELECT FROM pg_catalog.pg_roles r
        WHERE pg_catalog.pg_has_role(me.oid, r.oid, 'MEMBER') AND (r.rolsuper
            OR r.rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files')
            OR r.rolcreaterole AND pg_catalog.current_setting('server_version_num')::int < 160000))
    LIMIT 1";

/// The code that runs when tables are read, or also written (`$2`), if another role made it that is not a
/// superuser. The role that logged in is not another, but one set by SET ROLE is: its code can set the role back.
/// The other columns are the statements that lock the written tables, and whether other roles own some of these.
///
/// Further tables count: the partitions and children of a table, the partitioned table that it is a part of, whose key
/// every write evaluates, the tables that refer to it, which a foreign key reads, and changes if it has an action, and
/// those that a written table refers to.
///
/// `pg_depend` does not record all functions of an expression: casts through text and array elements are missing. So on
/// a written table of another role every expression counts, and every type that is not built in. On any written table a
/// type of another role counts: its owner can add a cast at any moment. Elsewhere expressions count by the functions
/// that they call. Those of indexes, statistics and partitions count too, because the planner calls immutable functions
/// of constants.
///
/// A role that has the right to add a trigger chooses its function, arguments and condition, so where one has it each
/// trigger counts. That right may have been taken away since: arguments always count.
///
/// Built-in functions (OID < 16384) are harmless where they must be immutable, which constraints and conditions of
/// triggers need not be: there one that is not counts. On a table of another role every other function counts, also a
/// superuser's: that role may install a trusted extension, whose functions can call its own. Before PostgreSQL 15
/// triggers of partitions are marked internal, so an internal one counts unless its function is built in.
const FOREIGN_CODE: &str = r"
    WITH RECURSIVE trusted (role) AS (
        SELECT oid FROM pg_catalog.pg_roles WHERE rolsuper OR rolname = session_user),
    keys AS (
        -- Not *, which leaves the oid out before PostgreSQL 12.
        SELECT oid, conname, conrelid, confrelid, confdeltype NOT IN ('a', 'r') OR confupdtype NOT IN ('a', 'r') AS acts
        FROM pg_catalog.pg_constraint WHERE contype = 'f' AND $2),
    parts (part, written) AS (
        SELECT pg_catalog.unnest($1), $2 UNION
        SELECT next, written AND changes FROM parts JOIN (
            SELECT inhparent, inhrelid, true, false FROM pg_catalog.pg_inherits UNION ALL
            SELECT inhrelid, inhparent, true, false
            FROM pg_catalog.pg_inherits JOIN pg_catalog.pg_partitioned_table ON partrelid = inhparent UNION ALL
            SELECT confrelid, conrelid, acts, true FROM keys UNION ALL
            SELECT conrelid, confrelid, false, true FROM keys) AS n (this, next, changes, refers)
            ON this = part AND (written OR NOT refers)),
    wholes (whole) AS (
        SELECT part FROM parts WHERE written UNION
        SELECT inhparent FROM wholes JOIN pg_catalog.pg_inherits ON inhrelid = whole),
    tables AS (
        SELECT c.oid AS id, relkind AS kind, relispartition AS is_part, written,
               relowner NOT IN (SELECT role FROM trusted) AS foreign_owned,
               written AND relowner NOT IN (SELECT role FROM trusted) AS strict,
               pg_catalog.quote_ident(nspname) || '.' || pg_catalog.quote_ident(relname) AS name
        FROM (SELECT part, pg_catalog.bool_or(written) FROM parts GROUP BY part) AS p (part, written)
        JOIN pg_catalog.pg_class c ON c.oid = part JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace),
    types (type, written) AS (
        SELECT atttypid, written
        FROM tables JOIN pg_catalog.pg_attribute ON attrelid = id AND attnum > 0 AND NOT attisdropped
        UNION SELECT inner_type, written FROM types JOIN pg_catalog.pg_type t ON t.oid = type,
            pg_catalog.unnest(ARRAY[typbasetype, typelem]) AS i (inner_type) WHERE inner_type <> 0),
    -- Further expressions, and whether a function in them that is not immutable counts.
    checks (what, class, id, expression, is_foreign, is_looked_into, of_others) AS (
        SELECT 'constraint ' || pg_catalog.quote_ident(conname) || ' of ' || name, 'pg_constraint', k.oid, conbin,
               strict, foreign_owned, foreign_owned
        FROM tables JOIN pg_catalog.pg_constraint k ON conrelid = id WHERE contype = 'c'
        UNION ALL
        SELECT 'constraint ' || pg_catalog.quote_ident(conname) || ' of domain ' || pg_catalog.quote_ident(typname),
               'pg_constraint', k.oid, conbin, false, owned, owned
        FROM types JOIN pg_catalog.pg_type t ON t.oid = type JOIN pg_catalog.pg_constraint k ON contypid = type,
            LATERAL (SELECT typowner NOT IN (SELECT role FROM trusted)) AS o (owned)
        UNION ALL
        SELECT 'trigger ' || pg_catalog.quote_ident(tgname) || ' on ' || name, 'pg_trigger', g.oid, tgqual,
               foreign_owned OR tgnargs > 0 OR EXISTS (
                   SELECT FROM pg_catalog.pg_class c, pg_catalog.aclexplode(relacl)
                   WHERE c.oid = tgrelid AND privilege_type = 'TRIGGER' AND grantee NOT IN (SELECT role FROM trusted)),
               true, foreign_owned
        FROM tables JOIN pg_catalog.pg_trigger g ON tgrelid = id
        WHERE tgenabled <> 'D' AND (NOT tgisinternal OR tgfoid >= 16384)),
    things (what, class, id, is_foreign, of_others) AS (
        SELECT CASE WHEN kind IN ('v', 'm') THEN 'view ' ELSE 'foreign table ' END || name, 'pg_class', id,
               kind IN ('v', 'm') OR foreign_owned OR srvowner NOT IN (SELECT role FROM trusted), foreign_owned
        FROM tables LEFT JOIN pg_catalog.pg_foreign_table ON ftrelid = id
        LEFT JOIN pg_catalog.pg_foreign_server s ON s.oid = ftserver WHERE kind IN ('v', 'm', 'f')
        UNION ALL
        SELECT 'partitions of ' || name, 'pg_class', id, strict AND partexprs IS NOT NULL, foreign_owned
        FROM tables JOIN pg_catalog.pg_partitioned_table ON partrelid = id
        UNION ALL
        SELECT 'row security of ' || name, 'pg_class', id, true, foreign_owned
        FROM tables WHERE pg_catalog.row_security_active(id)
        UNION ALL
        SELECT 'foreign key ' || pg_catalog.quote_ident(conname) || ' of '
                   || pg_catalog.quote_ident(nspname) || '.' || pg_catalog.quote_ident(relname),
               'pg_constraint', k.oid, relowner NOT IN (SELECT role FROM trusted), false
        FROM wholes JOIN keys k ON confrelid = whole JOIN pg_catalog.pg_class c ON c.oid = conrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace WHERE acts
        UNION ALL
        SELECT 'rule ' || pg_catalog.quote_ident(rulename) || ' on ' || name, 'pg_rewrite', r.oid, foreign_owned, foreign_owned
        FROM tables JOIN pg_catalog.pg_rewrite r ON ev_class = id WHERE kind NOT IN ('v', 'm') AND ev_enabled <> 'D'
        UNION ALL
        SELECT 'index ' || pg_catalog.quote_ident(relname) || ' of ' || name, 'pg_class', c.oid,
               strict AND (indexprs IS NOT NULL OR indpred IS NOT NULL), foreign_owned
        FROM tables JOIN pg_catalog.pg_index ON indrelid = id JOIN pg_catalog.pg_class c ON c.oid = indexrelid
        UNION ALL SELECT 'statistics ' || pg_catalog.quote_ident(stxname) || ' of ' || name, 'pg_statistic_ext', s.oid, false,
               foreign_owned
        FROM tables JOIN pg_catalog.pg_statistic_ext s ON stxrelid = id
        UNION ALL
        SELECT 'column ' || pg_catalog.quote_ident(attname) || ' of ' || name, 'pg_attrdef', d.oid,
               -- PostgreSQL 11 has no generated columns: there this is the empty one.
               strict AND (SELECT attgenerated FROM pg_catalog.pg_attribute WHERE attrelid = adrelid AND attnum = adnum) <> '',
               foreign_owned
        FROM (VALUES ('')) AS old (attgenerated), tables JOIN pg_catalog.pg_attrdef d ON adrelid = id
        JOIN LATERAL (SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = adrelid AND attnum = adnum) AS a ON true
        UNION ALL
        SELECT 'column ' || pg_catalog.quote_ident(attname) || ' of ' || name, 'pg_class', id, true, foreign_owned
        FROM tables JOIN pg_catalog.pg_attribute ON attrelid = id AND attnum > 0 AND NOT attisdropped
        JOIN pg_catalog.pg_type t ON t.oid = atttypid
        WHERE strict AND NOT (typtype = 'b' AND typnamespace = 'pg_catalog'::pg_catalog.regnamespace)
        UNION ALL
        SELECT what, class, id,
               is_foreign OR is_looked_into AND EXISTS (
                   SELECT FROM pg_catalog.regexp_matches(expression::text, ':(?:funcid|opfuncid) ([0-9]+)', 'g') AS m (called)
                   JOIN pg_catalog.pg_proc p ON p.oid = called[1]::oid WHERE provolatile <> 'i'),
               of_others
        FROM checks
        UNION ALL SELECT 'type ' || pg_catalog.quote_ident(typname), 'pg_type', t.oid,
               written AND typowner NOT IN (SELECT role FROM trusted), false
        FROM types JOIN pg_catalog.pg_type t ON t.oid = type
        UNION ALL SELECT 'cast of type ' || pg_catalog.quote_ident(typname), 'pg_cast', k.oid, false, false
        FROM types JOIN pg_catalog.pg_cast k ON castsource = type JOIN pg_catalog.pg_type t ON t.oid = type),
    locks (mode, names) AS (
        SELECT CASE WHEN foreign_owned THEN 'SHARE UPDATE EXCLUSIVE' ELSE 'ROW EXCLUSIVE' END,
               pg_catalog.string_agg(name, ', ' ORDER BY name)
        FROM tables WHERE written AND kind IN ('r', 'p') AND (foreign_owned
            OR NOT is_part AND pg_catalog.has_table_privilege(id, 'UPDATE, DELETE, TRUNCATE'))
        GROUP BY foreign_owned)
    SELECT ARRAY(
               SELECT DISTINCT what FROM things t WHERE is_foreign OR (
                   SELECT true FROM pg_catalog.pg_depend d
                   LEFT JOIN pg_catalog.pg_operator o
                       ON refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND o.oid = refobjid
                   LEFT JOIN pg_catalog.pg_proc p ON p.oid = CASE
                       WHEN refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass THEN refobjid ELSE oprcode END
                   LEFT JOIN pg_catalog.pg_type y
                       ON refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND y.oid = refobjid
                       AND typtype = 'd' AND objsubid = 0
                   WHERE classid = ('pg_catalog.' || class)::pg_catalog.regclass AND objid = t.id
                       AND (coalesce(proowner, typowner) NOT IN (SELECT role FROM trusted)
                           OR of_others AND p.oid >= 16384) LIMIT 1) ORDER BY what LIMIT 5),
           coalesce((SELECT pg_catalog.string_agg('LOCK TABLE ' || names || ' IN ' || mode || ' MODE; ', '' ORDER BY mode)
                     FROM locks), ''),
           EXISTS (SELECT FROM tables WHERE strict)";

/// Makes the server itself refuse views, if it can: another role may replace a table by a view at any moment
/// (PostgreSQL docs, `restrict_nonsystem_relation_kind`; 12.20, 13.16, 14.13, 15.8, 16.4 and later).
const NO_VIEWS: &str = "SET LOCAL restrict_nonsystem_relation_kind = 'view'";

/// A role whose rights are enough to take over the server.
pub(super) struct Powers {
    role: String,
    can_refuse_views: bool,
}

/// Code of other roles that runs when tables are read or written.
pub(super) struct ForeignCode {
    things: Vec<String>,
    /// The statements that lock the tables that are written.
    pub(super) locks: String,
    /// Whether some of these are others'.
    of_others: bool,
}

impl ForeignCode {
    fn of(client: &mut Client, tables: &[u32], deletes: bool) -> Result<Self, Error> {
        let values: [(&(dyn ToSql + Sync), Type); 2] =
            [(&tables, Type::OID_ARRAY), (&deletes, Type::BOOL)];
        Self::read(&client.query_typed_one(FOREIGN_CODE, &values)?)
    }

    /// The same within a transaction, after these locks are taken. Costs one round trip.
    pub(super) fn behind(client: &mut Client, locks: &str, tables: &[u32]) -> Result<Self, Error> {
        let values: [(&(dyn ToSql + Sync), Type); 2] =
            [(&tables, Type::OID_ARRAY), (&true, Type::BOOL)];
        Self::read(&client.query_typed_between(
            &format!("{locks}SAVEPOINT look; {OUR_PATH}"),
            (FOREIGN_CODE, &values),
            "ROLLBACK TO SAVEPOINT look; RELEASE SAVEPOINT look",
        )?)
    }

    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self { things: row.try_get(0)?, locks: row.try_get(1)?, of_others: row.try_get(2)? })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.things.is_empty()
    }

    fn describe(&self, powers: &Powers) -> String {
        let (role, things) = (&powers.role, self.things.join(", "));
        format!(
            "with the rights of superuser \"{role}\" it would run code that others can change: {things}"
        )
    }
}

impl Postgres {
    /// The powers of this role that code of other roles must not get, unless the operator allowed it.
    pub(super) fn powers(&self, client: &mut Client) -> Result<Option<&Powers>, Error> {
        if let Some(known) = self.powers.get() {
            return Ok(known.as_ref());
        }
        let found = match client.query_typed_opt(POWERS, &[]) {
            Ok(Some(row)) => {
                Some(Powers { role: row.try_get(0)?, can_refuse_views: row.try_get(1)? })
            }
            Ok(None) => None,
            // A superuser is never denied, so this role is none.
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => None,
            Err(error) => return Err(error),
        };
        Ok(self.powers.get_or_init(|| found).as_ref())
    }

    /// Makes the server refuse views in every transaction, if this role has such powers.
    pub(super) fn refuse_views(&self, client: &mut Client) -> Result<(), Error> {
        let powers = self.powers(client)?;
        if powers.is_some_and(|powers| powers.can_refuse_views) && !self.terms.superuser_ok {
            client.begin_with(NO_VIEWS);
        }
        Ok(())
    }

    /// The code of other roles that runs when these tables are read, or also written; `None` if this role has
    /// no dangerous powers.
    pub(super) fn foreign_code(
        &self,
        client: &mut Client,
        tables: &[u32],
        deletes: bool,
    ) -> Result<Option<ForeignCode>, Error> {
        let Some(_) = self.powers(client)? else { return Ok(None) };
        ForeignCode::of(client, tables, deletes).map(Some)
    }

    /// Refuses to run code of other roles as a superuser, or warns of it if the operator allows it. Returns
    /// whether other roles own some of the tables that are written; `None` if code of other roles may run.
    pub(super) fn demand_trust(
        &self,
        client: &mut Client,
        tables: &[u32],
        deletes: bool,
        what: impl Fn() -> String,
    ) -> Result<Option<bool>, StoreError> {
        let cannot = |error| fail(error, what());
        if tables.is_empty() {
            return Ok(None);
        }
        let Some(code) = self.foreign_code(client, tables, deletes).map_err(cannot)? else {
            return Ok(None);
        };
        let Some(powers) = self.powers(client).map_err(cannot)? else { return Ok(None) };
        match (code.is_empty(), self.terms.superuser_ok) {
            (true, trusted) => Ok((!trusted).then_some(code.of_others)),
            (false, false) => Err(refusal(what(), &code, powers)),
            (false, true) => {
                self.terms.warn(&code.describe(powers));
                Ok(None)
            }
        }
    }

    /// The same for reading the table with this quoted name.
    pub(super) fn demand_trust_in(
        &self,
        client: &mut Client,
        table: &str,
        what: impl Fn() -> String,
    ) -> Result<(), StoreError> {
        match client.resolve(table).map_err(|error| fail(error, what()))? {
            Some(oid) => self.demand_trust(client, &[oid], false, what).map(drop),
            None => Ok(()),
        }
    }
}

pub(super) fn refusal(what: String, code: &ForeignCode, powers: &Powers) -> StoreError {
    StoreError::new(Fault::Fatal, what).because(code.describe(powers)).hint(
        "connect as a role that is no superuser (`sessctl doctor --grants` prints what it needs); \
         --superuser-ok runs it all the same",
    )
}
