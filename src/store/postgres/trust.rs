//! Detects code of other roles that a statement would run. Views, triggers and index expressions call
//! functions that others wrote, with the rights of the role that reads or writes the table. A superuser's
//! rights cover the whole server, so sessctl refuses.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::Postgres;
use super::client::{Client, OUR_PATH};
use super::fault::fail;
use crate::store::{Fault, StoreError};

/// The role, if code of other roles could take over the server with its rights: a superuser, or a member of
/// the roles that run programs and access files there. Code that runs under a role set by SET ROLE can reset
/// it, so both roles count.
const POWERS: &str = "
    SELECT session_user::text, pg_catalog.current_setting('restrict_nonsystem_relation_kind', true) IS NOT NULL
    FROM pg_catalog.pg_roles me
    WHERE me.rolname IN (current_user, session_user) AND (me.rolsuper OR EXISTS (
        SELECT FROM pg_catalog.pg_roles r
        WHERE r.rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files')
            AND pg_catalog.pg_has_role(me.oid, r.oid, 'MEMBER')))
    LIMIT 1";

/// The code that runs when a table, its parts and the tables that follow its deletes (`$2`) are read or
/// written, if another role made it that is not a superuser. Row security is left out: it does not apply to
/// superusers. Expressions count by the functions that they call. Those of indexes, statistics and partitions
/// count too, because the planner calls immutable functions of constants. Built-in functions are harmless
/// where they must be immutable, which constraints need not be. The last columns are the tables of other
/// roles, which are locked before they are written to.
const FOREIGN_CODE: &str = r"
    WITH RECURSIVE trusted (role) AS (
        SELECT oid FROM pg_catalog.pg_roles WHERE rolsuper OR rolname IN (current_user, session_user)),
    parts (part) AS (
        SELECT pg_catalog.unnest($1) UNION
        SELECT next FROM parts JOIN (
            SELECT inhparent, inhrelid FROM pg_catalog.pg_inherits UNION ALL
            SELECT confrelid, conrelid FROM pg_catalog.pg_constraint
            WHERE contype = 'f' AND confdeltype IN ('c', 'n', 'd') AND $2) AS n (this, next) ON this = part),
    tables AS (
        SELECT c.oid AS id, relkind AS kind, relowner NOT IN (SELECT role FROM trusted) AS foreign_owned,
               pg_catalog.quote_ident(nspname) || '.' || pg_catalog.quote_ident(relname) AS name
        FROM parts JOIN pg_catalog.pg_class c ON c.oid = part JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace),
    types (type) AS (
        SELECT atttypid FROM tables JOIN pg_catalog.pg_attribute ON attrelid = id AND attnum > 0 AND NOT attisdropped
        UNION SELECT typbasetype FROM types JOIN pg_catalog.pg_type t ON t.oid = type WHERE typbasetype <> 0),
    checks AS (
        SELECT k.oid, conname, conbin, name, foreign_owned
        FROM tables JOIN pg_catalog.pg_constraint k ON conrelid = id WHERE contype = 'c'
        UNION ALL
        SELECT k.oid, conname, conbin, 'domain ' || pg_catalog.quote_ident(typname), typowner NOT IN (SELECT role FROM trusted)
        FROM types JOIN pg_catalog.pg_type t ON t.oid = type JOIN pg_catalog.pg_constraint k ON contypid = type),
    things (what, class, id, is_foreign) AS (
        SELECT CASE WHEN kind IN ('v', 'm') THEN 'view ' ELSE 'foreign table ' END || name, 'pg_class', id,
               kind IN ('v', 'm') OR foreign_owned OR srvowner NOT IN (SELECT role FROM trusted)
        FROM tables LEFT JOIN pg_catalog.pg_foreign_table ON ftrelid = id
        LEFT JOIN pg_catalog.pg_foreign_server s ON s.oid = ftserver WHERE kind IN ('v', 'm', 'f')
        UNION ALL SELECT 'partitions of ' || name, 'pg_class', id, false FROM tables WHERE kind = 'p'
        UNION ALL
        SELECT 'trigger ' || pg_catalog.quote_ident(tgname) || ' on ' || name, 'pg_trigger', g.oid, foreign_owned
        FROM tables JOIN pg_catalog.pg_trigger g ON tgrelid = id WHERE NOT tgisinternal AND tgenabled <> 'D'
        UNION ALL
        SELECT 'rule ' || pg_catalog.quote_ident(rulename) || ' on ' || name, 'pg_rewrite', r.oid, foreign_owned
        FROM tables JOIN pg_catalog.pg_rewrite r ON ev_class = id WHERE kind NOT IN ('v', 'm') AND ev_enabled <> 'D'
        UNION ALL SELECT 'index ' || pg_catalog.quote_ident(relname) || ' of ' || name, 'pg_class', c.oid, false
        FROM tables JOIN pg_catalog.pg_index ON indrelid = id JOIN pg_catalog.pg_class c ON c.oid = indexrelid
        UNION ALL SELECT 'statistics ' || pg_catalog.quote_ident(stxname) || ' of ' || name, 'pg_statistic_ext', s.oid, false
        FROM tables JOIN pg_catalog.pg_statistic_ext s ON stxrelid = id
        UNION ALL SELECT 'column ' || pg_catalog.quote_ident(attname) || ' of ' || name, 'pg_attrdef', d.oid, false
        FROM tables JOIN pg_catalog.pg_attrdef d ON adrelid = id
        JOIN pg_catalog.pg_attribute ON attrelid = adrelid AND attnum = adnum
        UNION ALL
        SELECT 'constraint ' || pg_catalog.quote_ident(conname) || ' of ' || name, 'pg_constraint', oid,
               foreign_owned AND EXISTS (
                   SELECT FROM pg_catalog.regexp_matches(conbin::text, ':(?:funcid|opfuncid) (\d+)', 'g') AS m (called)
                   JOIN pg_catalog.pg_proc p ON p.oid = called[1]::oid WHERE provolatile <> 'i')
        FROM checks
        UNION ALL SELECT 'cast of type ' || pg_catalog.quote_ident(typname), 'pg_cast', k.oid, false
        FROM types JOIN pg_catalog.pg_cast k ON castsource = type JOIN pg_catalog.pg_type t ON t.oid = type)
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
                       AND coalesce(proowner, typowner) NOT IN (SELECT role FROM trusted) LIMIT 1) ORDER BY what LIMIT 5),
           ARRAY(SELECT name FROM tables WHERE foreign_owned AND kind IN ('r', 'p') ORDER BY name)";

/// Makes the server itself refuse views, if it can: another role may replace a table by a view at any moment
/// (PostgreSQL docs, `restrict_nonsystem_relation_kind`; 12.20, 13.16, 14.13, 15.8, 16.4 and later).
const NO_VIEWS: &str = "SET LOCAL restrict_nonsystem_relation_kind = 'view'";

/// Most rounds of locking tables that were added meanwhile.
const MOST_LOCKS: usize = 3;

/// A role whose rights are enough to take over the server.
pub(super) struct Powers {
    role: String,
    can_refuse_views: bool,
}

/// Code of other roles that runs when tables are read or written.
pub(super) struct ForeignCode {
    things: Vec<String>,
    /// Tables of other roles, quoted.
    tables: Vec<String>,
}

impl ForeignCode {
    fn of(client: &mut Client, tables: &[u32], deletes: bool) -> Result<Self, Error> {
        let row = client
            .query_typed_one(FOREIGN_CODE, &[(&tables, Type::OID_ARRAY), (&deletes, Type::BOOL)])?;
        Ok(Self { things: row.try_get(0)?, tables: row.try_get(1)? })
    }

    fn is_empty(&self) -> bool {
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
    fn powers(&self, client: &mut Client) -> Result<Option<&Powers>, Error> {
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
    /// whether other roles own some of the tables, and so may add code at any moment.
    pub(super) fn demand_trust(
        &self,
        client: &mut Client,
        tables: &[u32],
        deletes: bool,
        what: impl Fn() -> String,
    ) -> Result<bool, StoreError> {
        let cannot = |error| fail(error, what());
        if tables.is_empty() {
            return Ok(false);
        }
        let Some(code) = self.foreign_code(client, tables, deletes).map_err(cannot)? else {
            return Ok(false);
        };
        let Some(powers) = self.powers(client).map_err(cannot)? else { return Ok(false) };
        match (code.is_empty(), self.terms.superuser_ok) {
            (true, trusted) => Ok(!trusted && !code.tables.is_empty()),
            (false, false) => Err(refusal(what(), &code, powers)),
            (false, true) => {
                self.terms.warn(&code.describe(powers));
                Ok(false)
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

    /// Called within the writing transaction: locks the tables of other roles, so that they cannot change
    /// until its end, and checks them again. `locked` are the tables that the last call locked.
    pub(super) fn lock_and_look(
        &self,
        client: &mut Client,
        tables: &[u32],
        locked: &mut Vec<String>,
        what: &str,
    ) -> Result<Result<(), StoreError>, Error> {
        for _ in 0..MOST_LOCKS {
            if !locked.is_empty() {
                client.batch_execute(&format!(
                    "LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE",
                    locked.join(", ")
                ))?;
            }
            client.batch_execute(&format!("SAVEPOINT look; {OUR_PATH}"))?;
            let code = ForeignCode::of(client, tables, true)?;
            client.batch_execute("ROLLBACK TO SAVEPOINT look; RELEASE SAVEPOINT look")?;
            if !code.is_empty()
                && let Some(powers) = self.powers(client)?
            {
                return Ok(Err(refusal(what.to_owned(), &code, powers)));
            }
            if code.tables.iter().all(|table| locked.contains(table)) {
                return Ok(Ok(()));
            }
            *locked = code.tables;
        }
        Ok(Err(StoreError::new(Fault::Busy, what).because("its parts change all the time")))
    }
}

fn refusal(what: String, code: &ForeignCode, powers: &Powers) -> StoreError {
    StoreError::new(Fault::Fatal, what).because(code.describe(powers)).hint(
        "connect as a role that is no superuser (`sessctl doctor --grants` prints what it needs); \
         --superuser-ok runs it all the same",
    )
}
