//! Whose code a superuser runs: what the owner of a table put there must not run with a superuser's rights.

use crate::role::Role;
use crate::running::{Running, eventually};
use crate::support::postgres_version;
use crate::world::{Ran, World};

/// The table belongs to a role, as a site's does. Its function writes a file on the server if a superuser runs it, which
/// no read-only transaction keeps it from.
pub(crate) struct Site<'w> {
    w: &'w World,
    pub(crate) owner: Role<'w>,
}

impl<'w> Site<'w> {
    pub(crate) fn new(w: &'w World, name: &str) -> Self {
        let owner = Role::new(w, name);
        let role = &owner.name;
        w.execute(&format!(
            "ALTER TABLE django_session OWNER TO {role}; GRANT ALL ON SCHEMA public TO {role};
             CREATE FUNCTION caught() RETURNS text LANGUAGE sql AS
                 $$ SELECT current_setting('data_directory') || '/caught_' || current_database() $$"
        ));
        w.user("42", 2).user("7", 1).expired(2);
        let site = Self { w, owner };
        site.makes(
            "CREATE FUNCTION spring() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
                 IF current_setting('is_superuser') = 'on' THEN
                     EXECUTE format('COPY (SELECT 1) TO %L', public.caught());
                 END IF; END $$;
             CREATE FUNCTION trap(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM public.spring(); RETURN $1; END $$;
             CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM public.trap('trigger'); RETURN coalesce(NEW, OLD); END $$",
        );
        site
    }

    /// As the owner.
    pub(crate) fn makes(&self, sql: &str) {
        self.w.execute(&format!("SET ROLE {}; {sql}", self.owner.name));
    }

    pub(crate) fn is_clean(&self) -> bool {
        let sql = "SELECT coalesce((pg_stat_file(caught(), true)).size, 0)";
        self.w.client().query_one(sql, &[]).unwrap().get::<_, i64>(0) == 0
    }

    /// What its owner put there is told and not run, until the operator allows it.
    fn is_refused(&self, what: &str, by_reading: bool) {
        for command in COMMANDS {
            let ran = self.w.run(command);
            assert!(ran.code != 0, "{command:?}: {ran:#?}");
            let hinted = says(&ran, "--superuser-ok") || command[0] == "check";
            assert!(says(&ran, what) && hinted, "{command:?}: {ran:#?}");
            assert!(self.is_clean(), "{command:?} ran {what}");
        }
        let doctor = self.w.run(&["doctor"]).exits(5);
        assert!(says(&doctor, what) && self.is_clean(), "{doctor:#?}");
        let allowed = self.w.run(&["list", "--superuser-ok", "--table", "django_session"]).ok();
        let warned: Vec<_> = allowed.stderr.lines().filter(|line| line.contains(what)).collect();
        assert!(matches!(*warned, [line] if line.starts_with("warning: ")), "{allowed:#?}");
        assert!(!by_reading || !self.is_clean(), "{what}");
        self.w.execute(
            "DO $$ BEGIN EXECUTE format('COPY (SELECT WHERE false) TO %L', caught()); END $$",
        );
        // A role that is no superuser has nothing to lose.
        self.owner.run(&["list", "--table", "django_session"]).ok();
    }
}

fn says(ran: &Ran, what: &str) -> bool {
    ran.stderr.contains(what) || ran.stdout.contains(what)
}

const COMMANDS: [&[&str]; 12] = [
    &["list"],
    &["show", "00000000"],
    &["stats"],
    &["check", "--max-expired", "10"],
    &["logout-user", "42", "--dry-run"],
    &["logout-user", "42"],
    &["logout-user", "42", "--keep-data"],
    &["purge-expired"],
    &["purge-expired", "--dry-run"],
    &["flush-all", "--yes"],
    &["flush-all", "--yes", "--truncate"],
    &["backfill"],
];

/// Each runs as a superuser on an ordinary read or write, and was seen to do so.
const TRAPS: [(&str, &str, &str); 20] = [
    (
        "CREATE TABLE whole (LIKE django_session) PARTITION BY LIST ((trap(session_data)));
         ALTER TABLE whole ATTACH PARTITION django_session DEFAULT",
        "partitions of public.whole",
        "ALTER TABLE whole DETACH PARTITION django_session; DROP TABLE whole",
    ),
    (
        "CREATE TRIGGER t BEFORE DELETE OR UPDATE ON django_session FOR EACH ROW EXECUTE FUNCTION trap()",
        "trigger t on",
        "DROP TRIGGER t ON django_session",
    ),
    (
        "CREATE RULE r AS ON UPDATE TO django_session DO ALSO SELECT trap('rule')",
        "rule r on",
        "DROP RULE r ON django_session",
    ),
    (
        "CREATE INDEX i ON django_session (expire_date) WHERE trap('index') IS NOT NULL",
        "index i of",
        "DROP INDEX i",
    ),
    (
        "CREATE STATISTICS s ON (trap('statistics') || session_data) FROM django_session",
        "statistics s of",
        "DROP STATISTICS s",
    ),
    (
        "ALTER TABLE django_session ADD CONSTRAINT c CHECK (trap(session_data) <> '')",
        "constraint c of",
        "ALTER TABLE django_session DROP CONSTRAINT c",
    ),
    (
        "ALTER TABLE django_session ADD CONSTRAINT c CHECK (query_to_xml('SELECT 1', true, true, '') IS NOT NULL)",
        "constraint c of",
        "ALTER TABLE django_session DROP CONSTRAINT c",
    ),
    (
        "ALTER TABLE django_session ADD g text GENERATED ALWAYS AS (trap(session_data)) STORED",
        "column g of",
        "ALTER TABLE django_session DROP g",
    ),
    (
        "CREATE TABLE child () INHERITS (django_session);
         CREATE TRIGGER t BEFORE DELETE ON child FOR EACH ROW EXECUTE FUNCTION trap()",
        "trigger t on public.child",
        "DROP TABLE child",
    ),
    (
        "CREATE TABLE child (session varchar(40) REFERENCES django_session ON DELETE CASCADE);
         CREATE TRIGGER t AFTER DELETE ON child FOR EACH ROW EXECUTE FUNCTION trap()",
        "trigger t on public.child",
        "DROP TABLE child",
    ),
    (
        "CREATE TABLE child (session varchar(40) DEFAULT CASE WHEN
             query_to_xml('SELECT public.trap(''default'')', true, true, '') IS NULL THEN NULL END
             REFERENCES django_session ON DELETE SET DEFAULT);
         INSERT INTO child SELECT session_key FROM django_session",
        "foreign key child_session_fkey of public.child",
        "DROP TABLE child",
    ),
    (
        "CREATE DOMAIN sprung AS varchar(40) DEFAULT trap('domain');
         CREATE TABLE child (session sprung REFERENCES django_session ON DELETE SET DEFAULT);
         INSERT INTO child SELECT session_key FROM django_session",
        "foreign key child_session_fkey of public.child",
        "DROP TABLE child; DROP DOMAIN sprung",
    ),
    (
        "CREATE TABLE child (session varchar(40) UNIQUE REFERENCES django_session ON DELETE SET NULL);
         CREATE TABLE grandchild (session varchar(40) REFERENCES child (session) ON UPDATE CASCADE);
         INSERT INTO child SELECT session_key FROM django_session;
         INSERT INTO grandchild SELECT session_key FROM django_session;
         CREATE TRIGGER t AFTER UPDATE ON grandchild FOR EACH ROW EXECUTE FUNCTION trap()",
        "foreign key child_session_fkey of public.child",
        "DROP TABLE child, grandchild",
    ),
    (
        "CREATE TABLE child (session varchar(40) PRIMARY KEY REFERENCES django_session ON DELETE CASCADE);
         CREATE TYPE pair AS (a text);
         CREATE FUNCTION shown(pair) RETURNS text LANGUAGE sql AS $$ SELECT public.trap('cast') $$;
         CREATE CAST (pair AS text) WITH FUNCTION shown(pair) AS IMPLICIT;
         CREATE TABLE grandchild (session pair REFERENCES child)",
        "foreign key child_session_fkey of public.child",
        "DROP TABLE child, grandchild; DROP TYPE pair CASCADE",
    ),
    (
        "CREATE DOMAIN sprung AS text CHECK (trap(value) <> '');
         CREATE TABLE child (session varchar(40) REFERENCES django_session ON DELETE SET NULL,
             CHECK (('{' || coalesce(session, 'x') || '}')::sprung[] IS NOT NULL))",
        "foreign key child_session_fkey of public.child",
        "DROP TABLE child; DROP DOMAIN sprung",
    ),
    (
        "CREATE DOMAIN sprung AS text CHECK (trap(value) <> '');
         ALTER TABLE django_session ADD CONSTRAINT c CHECK (('{' || session_key || '}')::sprung[] IS NOT NULL)",
        "constraint c of",
        "ALTER TABLE django_session DROP CONSTRAINT c; DROP DOMAIN sprung",
    ),
    (
        "CREATE DOMAIN sprung AS text CHECK (value <> ''); ALTER TABLE django_session ADD e sprung[]",
        "column e of",
        "ALTER TABLE django_session DROP e; DROP DOMAIN sprung",
    ),
    (
        "ALTER TABLE django_session ADD g text GENERATED ALWAYS AS (upper(session_data)) STORED",
        "column g of",
        "ALTER TABLE django_session DROP g",
    ),
    (
        "CREATE INDEX k ON django_session (expire_date) WHERE session_key > 'k'",
        "index k of",
        "DROP INDEX k",
    ),
    (
        "CREATE TRIGGER t AFTER DELETE ON django_session FOR EACH ROW EXECUTE FUNCTION trap();
         RESET ROLE; UPDATE pg_trigger SET tgisinternal = true WHERE tgname = 't'",
        "trigger t on",
        "DROP TRIGGER t ON django_session",
    ),
];

#[test]
fn code_of_the_owner_of_a_table_is_not_run_by_a_superuser() {
    let w = World::postgres("trust_code");
    let site = Site::new(&w, "trust_code");
    let version = postgres_version(&mut w.client());
    for (trap, what, undo) in TRAPS {
        // The first versions that have generated columns, and statistics of expressions.
        let first = [("GENERATED", 12), ("STATISTICS", 14)];
        if first.iter().any(|(words, first)| trap.contains(words) && version < *first) {
            continue;
        }
        site.makes(trap);
        site.is_refused(what, what.starts_with("index i"));
        site.makes(undo);
    }
    // What its owner may change to a trap any moment.
    for (made, what, undo) in [
        (
            "CREATE TRIGGER t BEFORE UPDATE ON django_session FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "trigger t on",
            "DROP TRIGGER t ON django_session",
        ),
        (
            "CREATE TABLE log (x text); CREATE RULE r AS ON DELETE TO django_session DO ALSO INSERT INTO log VALUES ('x')",
            "rule r on",
            "DROP RULE r ON django_session; DROP TABLE log",
        ),
    ] {
        site.makes(made);
        w.run(&["list"]).refuses(1, &[what]);
        site.makes(undo);
    }
    w.run(&["logout-user", "42"]).ok().says("2 sessions deleted, none is left");
    assert!(site.is_clean());
}

/// On a table of one's own others can do this much. What only reads it is no code.
#[test]
fn foreign_keys_of_others_onto_a_table_of_a_superuser_are_code_if_they_act() {
    let w = World::postgres("trust_refers");
    let site = Site::new(&w, "trust_refers");
    let role = &site.owner.name;
    w.execute(&format!(
        "ALTER TABLE django_session OWNER TO CURRENT_USER; GRANT SELECT, REFERENCES ON django_session TO {role}"
    ));
    for action in
        ["ON DELETE SET NULL", "ON DELETE SET DEFAULT", "ON DELETE CASCADE", "ON UPDATE CASCADE"]
    {
        site.makes(&format!(
            "CREATE TABLE child (session varchar(40) REFERENCES django_session {action})"
        ));
        for command in [&["list"][..], &["logout-user", "42"]] {
            w.run(command).refuses(1, &["foreign key child_session_fkey of public.child"]);
        }
        site.makes("DROP TABLE child");
    }
    site.makes("CREATE TABLE child (session varchar(40) REFERENCES django_session)");
    w.run(&["logout-user", "42"]).ok().says("2 sessions deleted, none is left");
    w.execute(&format!("REVOKE ALL ON django_session FROM {role} CASCADE"));
}

/// Code that comes while the command runs: a batch locks the tables and looks again, also if they are the superuser's.
#[test]
fn code_that_others_put_there_meanwhile_is_not_run() {
    const TRIGGER: &str =
        "CREATE TRIGGER t BEFORE DELETE ON django_session FOR EACH ROW EXECUTE FUNCTION trap()";
    const KEY: &str =
        "CREATE TABLE child (session varchar(40) REFERENCES django_session ON DELETE SET NULL)";
    const POLICY: &str = "ALTER TABLE django_session ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON django_session USING (trap(session_key) <> '')";
    const WHEN: &str = "CREATE TRIGGER t BEFORE DELETE ON django_session FOR EACH ROW
        WHEN (query_to_xml('SELECT trap(''when'')', true, true, '') IS NULL)
        EXECUTE FUNCTION suppress_redundant_updates_trigger()";
    const SWAP: &str = "ALTER TABLE django_session RENAME TO old_one;
        CREATE TABLE django_session (LIKE old_one INCLUDING ALL);
        INSERT INTO django_session SELECT * FROM old_one;
        CREATE TRIGGER t AFTER DELETE ON django_session FOR EACH ROW EXECUTE FUNCTION trap()";
    const CHILD: &str = "CREATE TABLE child (session varchar(40) REFERENCES django_session);
        INSERT INTO child SELECT session_key FROM django_session; GRANT SELECT ON child TO PUBLIC";
    const POLICY_OF_CHILD: &str = "ALTER TABLE child ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON child USING (trap(session) <> '')";
    const TO_US: &str = "RESET ROLE; ALTER TABLE django_session OWNER TO CURRENT_USER;
        GRANT SELECT, TRIGGER, REFERENCES ON django_session TO PUBLIC";
    for (name, before, code, what) in [
        ("owner", "", TRIGGER, "trigger t on"),
        ("trigger", TO_US, TRIGGER, "trigger t on"),
        ("key", TO_US, KEY, "foreign key child_session_fkey of"),
        ("policy", "", POLICY, "row security of public.django_session"),
        ("when", TO_US, WHEN, "trigger t on"),
        ("swap", "", SWAP, "another table came in the place"),
        ("policy_of_key", CHILD, POLICY_OF_CHILD, "row security of public.child"),
    ] {
        let w = World::postgres(&format!("trust_while_{name}"));
        let site = Site::new(&w, &format!("trust_while_{name}"));
        let strong = Role::new(&w, &format!("trust_while_{name}_strong"));
        w.execute(&format!(
            "GRANT pg_execute_server_program TO {0}; GRANT SELECT, DELETE ON django_session TO {0}",
            strong.name
        ));
        site.makes(before);
        let pause = w.file("pause", "");
        let url = if name.starts_with("policy") { strong.url() } else { w.url() };
        let arguments =
            ["purge-expired", "--pause-file", &pause, "--log-format", "json", "-d", &url];
        let running = Running::start(&mut w.command(&arguments));
        let paused = "SELECT FROM pg_stat_activity WHERE application_name = 'sessctl' AND query = 'COMMIT'
                          AND datname = current_database() AND state = 'idle' AND now() - state_change > '300 ms'";
        eventually("a pause", || !w.client().query(paused, &[]).unwrap().is_empty());
        site.makes(code);
        std::fs::remove_file(&pause).unwrap();
        let ran = running.end();
        assert!(ran.code == 1 && says(&ran, what), "{name}: {ran:#?}");
        assert!(site.is_clean(), "{name}");
        assert_eq!(w.count(), 5, "{name}");
        w.execute("DROP TABLE django_session CASCADE");
    }
}

/// A view that comes between a look and the next statement: the server refuses it, where it can.
#[test]
fn a_view_that_the_owner_puts_there_meanwhile_is_not_run() {
    let w = World::postgres("trust_swapped");
    let can_refuse = "SELECT current_setting('restrict_nonsystem_relation_kind', true) IS NOT NULL";
    if !w.client().query_one(can_refuse, &[]).unwrap().get::<_, bool>(0) {
        return;
    }
    let site = Site::new(&w, "trust_swapped");
    let slowly = ["logout-user", "42", "--batch-size", "1", "--sleep", "4s"];
    let running = Running::start(&mut w.command(&slowly));
    eventually("a batch", || w.count() == 4);
    site.makes(
        "ALTER TABLE django_session RENAME TO hers;
         CREATE VIEW django_session AS SELECT * FROM hers WHERE trap(session_key) IS NOT NULL",
    );
    let ran = running.end().exits(1);
    assert!(site.is_clean(), "{ran:#?}");
    assert_eq!(w.keys_in("hers").len(), 4, "{ran:#?}");
}

#[test]
fn a_cast_of_the_owner_is_code_too() {
    let w = World::postgres("trust_cast");
    let site = Site::new(&w, "trust_cast");
    site.makes(
        "CREATE TYPE pair AS (a text);
         CREATE FUNCTION shown(pair) RETURNS text LANGUAGE sql AS $$ SELECT public.trap('cast') $$;
         CREATE CAST (pair AS text) WITH FUNCTION shown(pair) AS IMPLICIT;
         DROP TABLE django_session;
         CREATE TABLE django_session (session_key text, session_data pair, expire_date timestamptz);
         INSERT INTO django_session VALUES ('00000000', ROW('x')::pair, '2099-01-01')",
    );
    site.is_refused("cast of type pair", true);
    w.execute("DROP CAST (pair AS text)");
    // Its owner could make one while a batch runs.
    w.execute("ALTER TABLE django_session OWNER TO CURRENT_USER");
    w.run(&["list"]).refuses(1, &["type pair"]);
    w.execute("CREATE DOMAIN own AS pair; ALTER TABLE django_session ALTER session_data TYPE own");
    w.run(&["list"]).refuses(1, &["type pair"]);
    w.execute("ALTER TYPE pair OWNER TO CURRENT_USER");
    w.run(&["list"]).ok().says("broken base64");
    w.execute("DROP TABLE django_session; DROP DOMAIN own; DROP TYPE pair CASCADE");
}

/// The owner's code runs as the owner then, and takes the role off.
#[test]
fn a_superuser_who_put_on_the_owners_role_is_one_all_the_same() {
    let w = World::postgres("trust_owner");
    let site = Site::new(&w, "trust_owner");
    let strong = Role::new(&w, "trust_owner_strong");
    site.makes(
        "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS $$
             DECLARE me text := current_user; BEGIN
                 PERFORM set_config('role', 'none', false), public.spring();
                 PERFORM set_config('role', me, false);
                 RETURN OLD; END $$;
         CREATE TRIGGER t BEFORE DELETE ON django_session FOR EACH ROW EXECUTE FUNCTION back()",
    );
    let by_options = format!("{}?options=-c%20role%3D{}", strong.url(), site.owner.name);
    w.execute(&format!("ALTER ROLE {} SUPERUSER", strong.name));
    for by_role in [false, true] {
        let url = if by_role { strong.url() } else { by_options.clone() };
        if by_role {
            w.execute(&format!("ALTER ROLE {} SET role = {}", strong.name, site.owner.name));
        }
        for command in [&["list"][..], &["logout-user", "42"], &["purge-expired"]] {
            let ran = w.run(&[command, &["-d", &url]].concat());
            ran.refuses(1, &["trigger t on public.django_session", "--superuser-ok"]);
            assert!(site.is_clean(), "{command:?}");
        }
        let doctor = w.run(&["doctor", "-d", &url]).exits(5);
        assert!(says(&doctor, "a superuser, who may do far more"), "{doctor:#?}");
    }
    w.run(&["purge-expired", "--superuser-ok", "-d", &by_options]).ok();
    assert!(!site.is_clean(), "the trap does not work");
    site.makes("DROP TRIGGER t ON django_session");
    w.run(&["logout-user", "42", "-d", &by_options]).ok().says("2 sessions deleted");
}

#[test]
fn a_view_in_place_of_a_table_is_refused_to_a_superuser_and_noted_to_others() {
    let w = World::postgres("trust_view");
    let site = Site::new(&w, "trust_view");
    site.makes(
        "ALTER TABLE django_session RENAME TO hers;
         CREATE VIEW django_session AS SELECT trap(session_key)::varchar(40) AS session_key, session_data, expire_date FROM hers;
         CREATE TABLE people (id integer PRIMARY KEY, username text UNIQUE, is_active boolean);
         INSERT INTO people VALUES (42, 'anna', true)",
    );
    site.is_refused("view public.django_session", true);
    let noted = site.owner.run(&["stats"]).ok();
    assert!(noted.stderr.contains("note: django_session is a view"), "{noted:#?}");
    site.makes(
        "DROP VIEW django_session; ALTER TABLE hers RENAME TO django_session;
         CREATE VIEW auth_user AS SELECT id, trap(username) AS username, is_active FROM people",
    );
    w.run(&["logout-user", "--username", "anna"]).refuses(1, &["view public.auth_user"]);
    assert!(site.is_clean());
    // Whoever made it: what it reads may change.
    w.execute(
        "CREATE VIEW own AS SELECT session_key, session_data, expire_date FROM django_session",
    );
    w.run(&["list", "--table", "own"]).refuses(1, &["view public.own"]);
    w.execute("DROP VIEW own");
}

/// The users, the rows of allauth, and what refers to sessions are tables of others as well.
#[test]
fn other_tables_that_are_read_or_written_are_no_traps_either() {
    let w = World::postgres("trust_others");
    let site = Site::new(&w, "trust_others");
    site.makes(
        "CREATE TABLE auth_user (id bigint PRIMARY KEY, username text UNIQUE);
         CREATE INDEX i ON auth_user (username) WHERE trap('users') IS NOT NULL",
    );
    w.run(&["logout-user", "--username", "anna"]).refuses(1, &["index i of public.auth_user"]);
    site.makes("ALTER TABLE django_session ADD user_id bigint REFERENCES auth_user");
    w.run(&["backfill"]).refuses(1, &["index i of public.auth_user"]);
    site.makes(
        "DROP TABLE auth_user CASCADE;
         CREATE TABLE usersessions_usersession (session_key varchar(40));
         CREATE TRIGGER t BEFORE DELETE ON usersessions_usersession FOR EACH ROW EXECUTE FUNCTION trap()",
    );
    w.run(&["logout-user", "42", "--cleanup-allauth"])
        .refuses(1, &["trigger t on public.usersessions_usersession"]);
    site.makes(
        "CREATE TABLE carts (session varchar(40) REFERENCES django_session);
         CREATE INDEX j ON carts (session) WHERE trap('carts') IS NOT NULL",
    );
    w.run(&["logout-user", "42"]).refuses(1, &["index j of public.carts"]);
    assert!(site.is_clean());
}

/// Code of others can take off again a role that a superuser has put on, and some roles can do as much as a superuser.
#[test]
fn a_role_that_was_put_on_or_that_runs_programs_is_a_superuser_here() {
    let w = World::postgres("trust_role");
    let site = Site::new(&w, "trust_role");
    let other = Role::new(&w, "trust_role_put_on");
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {}", other.name));
    site.makes(
        "CREATE TRIGGER t BEFORE DELETE ON django_session FOR EACH ROW EXECUTE FUNCTION trap()",
    );
    let url = format!("{}?options=-c%20role%3D{}", w.url(), other.name);
    for command in [&["list"][..], &["logout-user", "7"], &["purge-expired"]] {
        let ran = w.run(&[command, &["-d", &url]].concat());
        ran.refuses(1, &["trigger t on public.django_session", "--superuser-ok"]);
        other.run(command).ok();
        w.user("7", 1);
    }
    assert!(site.is_clean());
    for power in ["pg_execute_server_program", "pg_write_server_files", "pg_read_server_files"] {
        w.execute(&format!("GRANT {power} TO {}", other.name));
        other.run(&["list"]).refuses(1, &["trigger t on public.django_session"]);
        w.execute(&format!("REVOKE {power} FROM {}", other.name));
    }
    // A role that can become one of these is as strong.
    let user = w.client().query_one("SELECT quote_ident(current_user)", &[]).unwrap();
    let (user, name): (String, &str) = (user.get(0), &other.name);
    w.execute(&format!("ALTER ROLE {name} NOINHERIT; GRANT {user} TO {name}"));
    other.run(&["list"]).refuses(1, &["trigger t on public.django_session"]);
    w.execute(&format!("REVOKE {user} FROM {name}; ALTER ROLE {name} CREATEROLE"));
    let version = "SELECT current_setting('server_version_num')::int < 160000";
    if w.client().query_one(version, &[]).unwrap().get(0) {
        other.run(&["list"]).refuses(1, &["trigger t on public.django_session"]);
    }
    w.execute(&format!("ALTER ROLE {name} NOCREATEROLE"));
    other.run(&["list"]).ok();
}

/// The wrapper can do nothing, so a read that is not refused is another error.
#[test]
fn foreign_tables_and_servers_of_others_are_code() {
    const TABLE: &str = "CREATE FOREIGN TABLE django_session
        (session_key varchar(40), session_data text, expire_date timestamptz) SERVER s";
    let w = World::postgres("trust_foreign");
    let site = Site::new(&w, "trust_foreign");
    w.execute(&format!(
        "CREATE FOREIGN DATA WRAPPER nothing; GRANT USAGE ON FOREIGN DATA WRAPPER nothing TO {};
         DROP TABLE django_session; CREATE SERVER s FOREIGN DATA WRAPPER nothing; GRANT USAGE ON FOREIGN SERVER s TO {}",
        site.owner.name, site.owner.name
    ));
    let is_refused = || {
        let ran = w.run(&["list"]).exits(1);
        says(&ran, "code that others can change: foreign table public.django_session")
    };
    site.makes(TABLE);
    assert!(is_refused(), "a table of another on a server of one's own");
    w.execute(&format!("DROP FOREIGN TABLE django_session; {TABLE}"));
    assert!(!is_refused());
    w.execute(&format!("ALTER SERVER s OWNER TO {}", site.owner.name));
    assert!(is_refused(), "a table of one's own on a server of another");
    w.execute("DROP FOREIGN DATA WRAPPER nothing CASCADE");
}

/// An operator that fits the types better than PostgreSQL's own comes before it, whoever made it (CVE-2018-1058).
#[test]
fn operators_and_types_in_the_search_path_are_not_used() {
    let w = World::postgres("trust_path");
    let site = Site::new(&w, "trust_path");
    let role = &site.owner.name;
    site.makes(
        "CREATE FUNCTION f(oid, regclass) RETURNS boolean LANGUAGE sql AS $$ SELECT trap('=') = '' $$;
         CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = f);
         CREATE FUNCTION f(regtype, oid) RETURNS boolean LANGUAGE sql AS $$ SELECT trap('=') = '' $$;
         CREATE OPERATOR public.= (LEFTARG = regtype, RIGHTARG = oid, FUNCTION = f);
         CREATE FUNCTION f(float8, integer) RETURNS float8 LANGUAGE sql AS $$ SELECT length(trap('/'))::float8 $$;
         CREATE OPERATOR public./ (LEFTARG = float8, RIGHTARG = integer, FUNCTION = f);
         CREATE FUNCTION f(varchar, text) RETURNS boolean LANGUAGE sql AS $$ SELECT trap('=') = '' $$;
         CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = text, FUNCTION = f);
         CREATE FUNCTION f(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT trap('=') = '' $$;
         CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = f);
         CREATE DOMAIN public.text AS pg_catalog.text CHECK (trap(value::pg_catalog.text) OPERATOR(pg_catalog.<>) '-');
         CREATE DOMAIN public.bool AS boolean CHECK (trap('bool') OPERATOR(pg_catalog.<>) '-');
         ALTER TABLE django_session ADD user_id varchar(40);
         CREATE TABLE auth_user (id varchar(40) PRIMARY KEY, username varchar(150) UNIQUE)",
    );
    for path in ["public", "public, pg_catalog"] {
        w.execute(&format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = {path}', current_database()); END $$"
        ));
        for command in [
            &["list"][..],
            &["list", "--user", "42"],
            &["stats"],
            &["check"],
            &["doctor"],
            &["doctor", "--grants", "--role", role],
            &["logout-user", "--username", "anna", "--dry-run"],
            &["backfill", "--type", "text", "--restart"],
            &["logout-user", "7", "--keep-data"],
            &["logout-user", "42", "--user-column", "user_id"],
            &["purge-expired"],
            &["flush-all", "--yes"],
        ] {
            let ran = w.run(command);
            assert!(site.is_clean(), "{path}: {command:?}: {ran:#?}");
        }
        assert_eq!(w.count(), 0);
        w.user("42", 2).user("7", 1).expired(2);
    }
}
