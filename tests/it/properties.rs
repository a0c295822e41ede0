//! Random small tables and random commands on them: what is left, what the report counts and the exit code are what a
//! few lines here say of the same rows.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::backfill::{Truth, told};
use crate::random_rows::{FIRST_SAVED, Owner, Random, Row, USERS, logins, rows};
use crate::support::{rounds, seed};
use crate::world::{Ran, World};

/// A table, and what is to be known of it.
struct Case<'w> {
    w: &'w World,
    random: Random,
    rows: Vec<Row>,
    /// How it comes about again.
    again: String,
}

/// Options, and what they mean.
#[derive(Default)]
struct Options {
    arguments: Vec<String>,
    users: Vec<&'static str>,
    saved: Option<(i64, i64)>,
    spared: Option<String>,
    dry_run: bool,
    /// There is no second look.
    unproved: bool,
}

impl Options {
    fn add<const N: usize>(&mut self, arguments: [&str; N]) {
        self.arguments.extend(arguments.map(Into::into));
    }

    /// Whether the session was saved in time, if it says when.
    fn in_time(&self, row: &Row) -> Option<bool> {
        self.saved.map_or(Some(true), |(from, until)| Some((from..until).contains(&row.saved?)))
    }
}

impl Case<'_> {
    fn maybe_dry(&mut self, options: &mut Options) {
        options.dry_run = self.random.one_in(4);
        if options.dry_run {
            options.add(["--dry-run"]);
        }
    }

    fn maybe_in_batches(&mut self, options: &mut Options) {
        if self.random.one_in(2) {
            options.add(["--batch-size", self.random.pick(&["1", "2", "5"])]);
        }
    }

    fn maybe_saved_between(&mut self, options: &mut Options) {
        if !self.random.one_in(3) {
            return;
        }
        let from = FIRST_SAVED + 43_200 * self.random.number(30);
        let until = from + 3_600 * (1 + self.random.number(300));
        let text = |at| jiff::Timestamp::from_second(at).unwrap().to_string();
        options.saved = Some((from, until));
        options.add(["--saved-between", &text(from), &text(until)]);
    }

    fn count(&self, is_counted: impl Fn(&Row) -> bool) -> usize {
        self.rows.iter().filter(|row| is_counted(row)).count()
    }

    /// Runs a command, and looks at its exit code and at some of what it reports.
    fn run<const N: usize>(&self, options: &Options, code: i32, wanted: [(&str, Value); N]) -> Ran {
        let arguments: Vec<&str> = options.arguments.iter().map(String::as_str).collect();
        let ran = self.w.run(&arguments);
        let of = || format!("{}\n{arguments:?}\n{ran:#?}\n{:#?}", self.again, self.rows);
        assert_eq!(ran.code, code, "the exit code of {}", of());
        if N > 0 {
            let report = ran.json();
            for (field, wanted) in wanted {
                assert_eq!(report[field], wanted, "{field} of {}", of());
            }
        }
        ran
    }

    /// Looks that just these rows went.
    fn gone(&mut self, options: &Options, is_gone: impl Fn(&Row) -> bool) {
        if !options.dry_run {
            self.rows.retain(|row| !is_gone(row));
        }
        let mut keys: Vec<&String> = self.rows.iter().map(|row| &row.key).collect();
        keys.sort();
        let (left, arguments) = (self.w.session_keys(), &options.arguments);
        assert_eq!(left.iter().collect::<Vec<_>>(), keys, "{}\n{arguments:?}", self.again);
    }

    fn logout_options(&mut self) -> Options {
        let mut options = Options { users: self.random.some(&USERS), ..Options::default() };
        let (typed, in_file) = options.users.split_at(self.random.below(options.users.len() + 1));
        let (typed, in_file) = (typed.to_vec(), in_file.join("\n"));
        options.add(["logout-user", "--format", "json"]);
        options.arguments.extend(typed.into_iter().map(Into::into));
        if !in_file.is_empty() {
            options.add(["--from-file", &self.w.file("ids", in_file)]);
        }
        self.maybe_dry(&mut options);
        self.maybe_in_batches(&mut options);
        self.maybe_saved_between(&mut options);
        let theirs: Vec<&Row> = self.rows.iter().filter(|row| row.is_of(&options.users)).collect();
        if !theirs.is_empty() && self.random.one_in(4) {
            let spared = &theirs[self.random.below(theirs.len())].key;
            options.spared = Some(spared.clone());
            options.add(["--except", &spared[..8]]);
        }
        options.unproved = self.random.one_in(4);
        if options.unproved {
            options.add(["--no-verify"]);
        }
        options
    }

    /// `logout-user`; where there is a user column, it may be trusted.
    fn logout(&mut self, column: Option<bool>) {
        let mut options = self.logout_options();
        let trusted = column == Some(true);
        if trusted {
            options.add(["--trust-column"]);
        }

        let looked = !options.unproved && !options.dry_run;
        let is_shown = |row: &Row| row.stamp.is_some_and(|stamp| options.users.contains(&stamp));
        // A column finds rows fast where a proof follows, and alone where it is trusted.
        let by_column = trusted || column.is_some() && looked;
        let is_first = |row: &Row| row.is_live() && (!by_column || is_shown(row));
        let is_read = |row: &Row| row.is_live() && (!trusted || is_shown(row));
        let is_theirs = |row: &Row| is_read(row) && row.is_of(&options.users);
        let is_wanted = |row: &Row| {
            is_theirs(row)
                && options.in_time(row) == Some(true)
                && options.spared.as_ref() != Some(&row.key)
        };
        let matched = self.count(is_wanted);
        let is_spared = |row: &Row| options.spared.as_ref() == Some(&row.key);
        let undated =
            self.count(|row| is_theirs(row) && !is_spared(row) && options.in_time(row).is_none());
        // Where nothing is to be proved, a row that begins with somebody else's login is read no further.
        let is_doubted = |row: &Row| {
            row.is_doubtful()
                && options.in_time(row) != Some(false)
                && !(options.unproved
                    && row.begins.is_some_and(|user| !options.users.contains(&user)))
        };
        let unreadable = self.count(|row| is_read(row) && is_doubted(row));
        let unverified = self.count(|row| is_wanted(row) && !row.valid);
        let later = self.count(|row| is_wanted(row) && !is_first(row));
        self.run(
            &options,
            if unreadable + undated > 0 { 3 } else { 0 },
            [
                ("scanned", json!(self.count(is_first))),
                ("matched", json!(matched)),
                ("deleted", json!(if options.dry_run { 0 } else { matched })),
                ("remaining", if looked { json!(0) } else { Value::Null }),
                ("unreadable", json!(unreadable)),
                ("unverified", json!(unverified)),
                ("undated", json!(undated)),
                ("different", json!(0)),
                ("rounds", json!(if later > 0 { 2 } else { 1 })),
            ],
        );
        let gone: Vec<String> =
            self.rows.iter().filter(|row| is_wanted(row)).map(|row| row.key.clone()).collect();
        self.gone(&options, |row| gone.contains(&row.key));
    }

    fn purge(&mut self) {
        let mut options = Options::default();
        options.add(["purge-expired", "--format", "json"]);
        self.maybe_dry(&mut options);
        self.maybe_in_batches(&mut options);
        let days = self.random.pick(&[0, 1, 10, 40]);
        options.add(["--older-than", &format!("{days}d")]);
        let mut expired: Vec<&Row> =
            self.rows.iter().filter(|row| row.age > days * 86_400).collect();
        expired.sort_by_key(|row| -row.age);
        let all = expired.len();
        if self.random.one_in(3) {
            let limit = 1 + self.random.below(6);
            options.add(["--limit", &limit.to_string()]);
            expired.truncate(limit);
        }
        let gone: Vec<String> = expired.iter().map(|row| row.key.clone()).collect();
        let deleted = if options.dry_run { 0 } else { gone.len() };
        let counts =
            [("deleted", json!(deleted)), ("left", json!(all - deleted)), ("locked", json!(0))];
        self.run(&options, 0, counts);
        self.gone(&options, |row| gone.contains(&row.key));
    }

    fn flush(&mut self) {
        let mut options = Options::default();
        options.add(["flush-all", "--yes", "--format", "json"]);
        self.maybe_dry(&mut options);
        self.maybe_in_batches(&mut options);
        if self.random.one_in(2) {
            // Users without a session are refused.
            options.users = self.random.some(&USERS);
            let rows = &self.rows;
            let is_there =
                |user: &&str| rows.iter().any(|row| row.is_live() && row.is_of(&[*user]));
            options.users.retain(is_there);
        }
        for user in options.users.clone() {
            options.add(["--except-user", user]);
        }
        let only_logins = self.random.one_in(2);
        if only_logins {
            options.add(["--authenticated-only"]);
        }

        let is_login =
            |row: &Row| row.is_live() && row.user().is_some() && !row.is_of(&options.users);
        let is_wanted = |row: &Row| {
            if only_logins { is_login(row) } else { !row.is_of(&options.users) }
        };
        // All that nobody can read went too, if not only logins were to go.
        let unreadable = self.count(|row| only_logins && row.is_live() && row.is_doubtful());
        let spares_some = !only_logins && !options.users.is_empty();
        let maybe_spared = self.count(|row| spares_some && row.is_live() && row.is_doubtful());
        let unverified = self.count(|row| is_login(row) && !row.valid);
        let matched = self.count(is_wanted);
        let live = |whose: fn(&Row) -> bool| json!(self.count(|row| row.is_live() && whose(row)));
        self.run(
            &options,
            if unreadable + maybe_spared > 0 { 3 } else { 0 },
            [
                ("maybe_spared", json!(maybe_spared)),
                ("rows", json!(self.rows.len())),
                ("live_users", live(|row| row.valid && row.user().is_some())),
                ("live_anonymous", live(|row| row.owner == Owner::Nobody)),
                ("live_unverified", live(|row| !row.valid && row.user().is_some())),
                ("live_unreadable", live(Row::is_doubtful)),
                ("live_damaged", live(|row| row.owner == Owner::Unknown && !row.is_doubtful())),
                ("expired", json!(self.count(|row| !row.is_live()))),
                ("matched", json!(matched)),
                ("deleted", json!(if options.dry_run { 0 } else { matched })),
                ("remaining", if options.dry_run { Value::Null } else { json!(0) }),
                ("unreadable", json!(unreadable)),
                ("unverified", json!(unverified)),
            ],
        );
        let gone: Vec<String> =
            self.rows.iter().filter(|row| is_wanted(row)).map(|row| row.key.clone()).collect();
        self.gone(&options, |row| gone.contains(&row.key));
    }

    /// A backfill, logins that the site does not stamp, and a look-up by the column.
    fn backfill(&mut self) {
        let mut options = Options::default();
        options.add(["backfill", "--format", "json"]);
        self.maybe_in_batches(&mut options);
        let all = self.random.one_in(3);
        if all {
            options.add(["--include-expired"]);
        }
        let is_login = |row: &Row| (all || row.is_live()) && row.user().is_some() && row.valid;
        let is_read = |row: &&Row| all || row.is_live();
        let logins_found = self.count(is_login);
        let of = |whose: fn(&Row) -> bool| {
            json!(self.rows.iter().filter(is_read).filter(|row| whose(row)).count())
        };
        self.run(
            &options,
            0,
            [
                ("scanned", of(|_| true)),
                ("filled", json!(logins_found)),
                ("logins", json!(logins_found)),
                ("missing", json!(0)),
                ("different", json!(0)),
                ("misfits", json!(0)),
                ("anonymous", of(|row| row.owner == Owner::Nobody)),
                ("unverified", of(|row| row.user().is_some() && !row.valid)),
                ("unreadable", of(|row| row.owner == Owner::Unknown)),
            ],
        );
        for row in &mut self.rows {
            row.stamp = row.user().filter(|_| is_login(row));
        }
        let stamps = self.rows.iter().map(|row| (row.key.clone(), row.stamp.map(Into::into)));
        assert_eq!(told(self.w, "user_id"), stamps.collect::<Truth>(), "{}", self.again);
        self.rows.extend(logins(self.w, &mut self.random));
        let trusted = self.random.one_in(2);
        self.logout(Some(trusted));
    }

    fn list(&mut self) {
        let mut options = Options { users: self.random.some(&USERS), ..Options::default() };
        options.add(["list", "--format", "jsonl", "--show-keys"]);
        for user in options.users.clone() {
            options.add(["--user", user]);
        }
        self.maybe_saved_between(&mut options);
        let all = self.random.one_in(2);
        if all {
            options.add(["--all"]);
        }
        let is_read = |row: &Row| all || row.is_live();
        let in_time = |row: &Row| is_read(row) && options.in_time(row) == Some(true);
        let undated = self.count(|row| {
            is_read(row) && row.is_of(&options.users) && options.in_time(row).is_none()
        });
        let unreadable = self
            .count(|row| is_read(row) && options.in_time(row) != Some(false) && row.is_doubtful());
        let ran = self.run(&options, if undated + unreadable > 0 { 3 } else { 0 }, []);
        let theirs = self.rows.iter().filter(|row| in_time(row) && row.is_of(&options.users));
        let wanted: BTreeSet<_> =
            theirs.map(|row| (row.key.clone(), row.user().unwrap().to_owned())).collect();
        let text = |session: &Value, field: &str| session[field].as_str().unwrap().to_owned();
        let listed: BTreeSet<_> = ran
            .json_lines()
            .iter()
            .map(|session| (text(session, "session_key"), text(session, "user_id")))
            .collect();
        assert_eq!(listed, wanted, "{}\n{:?}", self.again, options.arguments);
    }

    fn stats(&mut self) {
        let mut options = Options::default();
        options.add(["stats", "--format", "json"]);
        let live = |whose: fn(&Row) -> bool| json!(self.count(|row| row.is_live() && whose(row)));
        let is_login = |row: &&Row| row.is_live() && row.valid && row.user().is_some();
        let mut users: Vec<_> = self.rows.iter().filter(is_login).map(Row::user).collect();
        users.sort_unstable();
        users.dedup();
        self.run(
            &options,
            0,
            [
                ("rows", json!(self.rows.len())),
                ("live", live(|_| true)),
                ("expired", json!(self.count(|row| !row.is_live()))),
                ("logged_in", live(|row| row.valid && row.user().is_some())),
                ("anonymous", live(|row| row.owner == Owner::Nobody)),
                ("unreadable", live(Row::is_doubtful)),
                ("unverified", live(|row| !row.valid && row.user().is_some())),
                ("damaged", live(|row| row.owner == Owner::Unknown && !row.is_doubtful())),
                ("users", json!(users.len())),
            ],
        );
    }
}

fn hold(w: &World) {
    let first = seed();
    for seed in first..first + u64::from(rounds(40)) {
        w.renew();
        let mut random = Random(seed);
        let rows = rows(w, &mut random);
        let again = format!("SESSCTL_TEST_SEED={seed} SESSCTL_TEST_ROUNDS=1");
        let mut case = Case { w, random, rows, again };
        match case.random.below(8) {
            0 | 1 => case.logout(None),
            2 | 3 => case.backfill(),
            4 => case.purge(),
            5 => case.flush(),
            6 => case.list(),
            _ => case.stats(),
        }
    }
}

#[test]
fn hold_on_postgres() {
    hold(&World::postgres("properties"));
}

#[test]
fn hold_on_mariadb() {
    hold(&World::mysql("properties"));
}

#[test]
fn hold_on_sqlite_rollback_journal() {
    hold(&World::sqlite("properties"));
}

#[test]
fn hold_on_sqlite_wal() {
    let w = World::sqlite("properties_wal");
    w.execute("PRAGMA journal_mode = wal");
    hold(&w);
}
