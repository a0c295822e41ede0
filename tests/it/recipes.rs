//! What readers copy from `README.md` and `docs/*.md`: every shell block is run as it stands there, and does what it says.
//!
//! A `console` block is a transcript: its commands run beside the demo database and must print exactly what the block shows. An `sh` block
//! holds recipes, each a comment and the commands below it. They run in the folder of a real Django project. A recipe whose comment ends
//! in "(No test runs this.)" is not run, and counted.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use sessctl::store::{Conninfo, Surroundings};

use crate::pages::{blocks, pages, repository};
use crate::redis::Redis;
use crate::site::Site;

use crate::world::{Ran, RunToEnd, program};

/// How the comment of a recipe ends that cannot be run here.
const NOT_RUN: &str = "(No test runs this.)";

/// How many recipes no test runs. Each more is a promise less.
const RECIPES_NOT_RUN: usize = 6;

/// What each recipe comes to: how its comment begins, to whom the site answers afterwards, and how many rows are left. Before each there are
/// sessions of anna, of bert, who is staff, of carl, and of dora, who saved hers during the incident; a visitor's cart; an expired session.
const RECIPES: [(&str, &str, usize); 26] = [
    ("Builds sessctl", EVERYBODY, 6),
    ("What does sessctl find", EVERYBODY, 6),
    ("Which sessions would go", EVERYBODY, 6),
    ("A stolen account", "bert carl dora", 5),
    ("Many users", "bert dora", 4),
    ("A time window", "anna bert carl", 5),
    ("Staff.", "anna carl dora", 5),
    ("Everybody.", "", 0),
    ("Everybody who is logged in", "", 2),
    ("Everybody, and users keep", "", 6),
    ("Anonymous sessions", EVERYBODY, 5),
    ("A limit of concurrent logins", EVERYBODY, 6),
    ("Every night", EVERYBODY, 5),
    ("Key rotation", EVERYBODY, 6),
    ("SECRET_KEY leaked", "", 0),
    ("Tenants", "bert carl dora", 5),
    ("cached_db", "bert carl dora", 5),
    ("A PostgreSQL role", EVERYBODY, 6),
    ("A large table", EVERYBODY, 6),
    ("Remove that column", EVERYBODY, 6),
    ("A foreign key keeps sessions", "bert carl dora", 5),
    ("The project says where", "bert carl dora", 5),
    ("Users by name, and staff", EVERYBODY, 6),
    ("Ends sessions in the table", "bert carl dora", 5),
    ("The row, and its copy", "bert carl dora", 5),
    ("Writes the app", EVERYBODY, 6),
];
const EVERYBODY: &str = "anna bert carl dora";

struct Recipe {
    file: String,
    comment: String,
    commands: String,
}

fn recipes() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    for (file, text) in pages() {
        for block in blocks(&text, "sh") {
            let first = block.strip_prefix("# ");
            let first = first.unwrap_or_else(|| panic!("{file}: no comment above {block}"));
            for recipe in first.split("\n# ") {
                let (comment, commands) = recipe.split_once('\n').unwrap();
                assert!(!commands.trim().is_empty(), "{file}: no commands below {comment}");
                let (comment, commands) = (comment.to_owned(), commands.to_owned());
                recipes.push(Recipe { file: file.clone(), comment, commands });
            }
        }
    }
    recipes
}

/// Logs everybody in again, and returns their names and session keys.
fn people(site: &Site) -> Vec<(&'static str, String)> {
    let said = site.python(
        "
from datetime import timedelta
from unittest import mock
from django.utils import timezone
Session.objects.all().delete()
User.objects.all().delete()
login('anna'), login('bert', is_staff=True), login('carl')
with mock.patch('time.time', lambda: 1795186800.0):  # 2026-11-20T15:00Z
    login('dora')
cart = engine.SessionStore()
cart['cart'] = [7]
cart.save()
with mock.patch('django.utils.timezone.now', lambda: timezone.datetime.now(tz=timezone.timezone.utc) - timedelta(days=30)):
    engine.SessionStore().save(must_create=True)
with open('ids.txt', 'w') as file:
    print(*User.objects.filter(username__in=['anna', 'carl']).values_list('pk', flat=True), sep='\\n', file=file)",
    );
    let keys = said.lines().map(|line| line.split_once(' ').unwrap().1.to_owned());
    EVERYBODY.split(' ').zip(keys).collect()
}

/// To whom the site answers with the cookies of these sessions, and how many rows there were before it was asked.
fn logged_in(site: &Site, people: &[(&str, String)]) -> (String, usize) {
    let said = site.python(&format!(
        "
from django.test import Client
print(Session.objects.count())
for name, key in {}:
    client = Client()
    client.cookies['sessionid'] = key
    if client.get('/whoami').json()['user']:
        print(name)",
        format!("{people:?}").replace('"', "'")
    ));
    let (rows, names) = said.split_once('\n').unwrap_or((&said, ""));
    (names.replace('\n', " "), rows.parse().unwrap())
}

/// Runs a recipe, after what its comment says was done before.
fn run(site: &Site, recipe: &Recipe, cache: &str) -> Ran {
    let mut commands = recipe.commands.clone();
    if recipe.comment.starts_with("Builds sessctl") {
        // It is built, and no folder is anybody's.
        let copy = site.file("demo.sqlite3", "");
        commands = commands.replace("cargo run --release --locked --", "sessctl");
        commands = commands.replace("./demo.sqlite3", &copy);
    }
    commands = commands.replace("redis://localhost:6379/1", cache);
    let mut shell = site.shell(&commands);
    if recipe.comment.starts_with("Builds sessctl") {
        shell.current_dir(repository());
    }
    if recipe.comment.starts_with("SECRET_KEY leaked") {
        shell.env("SITE_SECRET_KEY", "a new key");
    }
    // Django asks for the new password twice.
    shell.ran("fieFai4e-Iph9\nfieFai4e-Iph9\n").ok()
}

/// What the commands did besides to log out.
fn look_at_the_rest(site: &Site, recipe: &Recipe, ran: &Ran) {
    let sql = |sql: &str| {
        let code = format!(
            "from django.db import connection as c\nx = c.cursor(); x.execute({sql:?}); print(x.fetchone()[0])"
        );
        site.python(&code)
    };
    let says = |text: &str| assert!(ran.stdout.contains(text), "{}: {ran:#?}", recipe.comment);
    let user_columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'django_session' AND column_name = 'user_id'";
    match recipe.comment.split_once(['.', ',', ':']).map_or(&*recipe.comment, |(title, _)| title) {
        "Builds sessctl and logs a user out of a database that a real Django 5" => {
            says("Logged out bob (2): 3 sessions deleted, none is left");
        }
        "What does sessctl find" | "Key rotation" => says("verifies 100% of the newest"),
        "Which sessions would go? A dry run opens no connection that can write" => {
            says("Dry run: 1 live session");
        }
        "Every night" => assert_eq!((&*ran.stdout, &*ran.stderr), ("", "")),
        "Tenants with a session table each" => {
            assert_eq!(sql("SELECT count(*) FROM tenant.django_session"), "5");
        }
        "A PostgreSQL role with the rights that these commands need" => {
            for (right, held) in [("DELETE", "True"), ("UPDATE", "False")] {
                let asked =
                    format!("SELECT has_table_privilege('sessctl', 'django_session', '{right}')");
                assert_eq!(sql(&asked), held, "{right}");
            }
            let drop = "echo 'DROP OWNED BY sessctl; DROP ROLE sessctl' | python manage.py dbshell";
            site.shell(drop).ran("").ok();
        }
        "A large table" => assert_eq!(sql(user_columns), "1"),
        "A foreign key keeps sessions" => {
            says("1 row of shop_device would be deleted with them");
            assert_eq!(sql("SELECT count(*) FROM shop_device"), "5");
            site.python("from django.db import connection as c; c.cursor().execute('DROP TABLE shop_device')");
        }
        "Remove that column again" => assert_eq!(sql(user_columns), "0"),
        _ => {}
    }
}

#[test]
fn every_recipe_does_what_it_says() {
    let redis = Redis::new("recipes");
    let cached = redis.site("");
    let client = cached.file(
        "redis-cli",
        &format!("#!/bin/sh\nexec /usr/bin/redis-cli -s {} \"$@\"", redis.socket()),
    );
    std::fs::set_permissions(client, std::fs::Permissions::from_mode(0o755)).unwrap();
    let plain = Site::postgres("recipes", "5.2", &[]).project("", "");
    let recipes = recipes().into_iter().filter(|recipe| !recipe.comment.ends_with(NOT_RUN));
    let mut expected = RECIPES.to_vec();
    for recipe in recipes {
        let fits = |(begins, ..): &(&str, &str, usize)| recipe.comment.starts_with(begins);
        let place = expected.iter().position(fits);
        let place = place
            .unwrap_or_else(|| panic!("{}: what does it come to? {}", recipe.file, recipe.comment));
        let (_, who, rows) = expected.remove(place);
        let is_cached =
            recipe.comment.starts_with("cached_db") || recipe.commands.contains("redis");
        let site = if is_cached { &cached } else { &plain };
        let people = people(site);
        if recipe.commands.contains("--all-schemas") {
            site.python("
from django.db import connection as c
c.cursor().execute('''CREATE SCHEMA tenant; SET search_path = tenant, public;
    CREATE TABLE auth_user AS SELECT * FROM public.auth_user; CREATE UNIQUE INDEX ON auth_user (username);
    CREATE TABLE django_session AS SELECT * FROM public.django_session''')");
        }
        if recipe.commands.contains("shop_device") {
            site.python(
                "
from django.db import connection as c
c.cursor().execute('''CREATE TABLE shop_device AS SELECT session_key AS session_id FROM django_session;
    ALTER TABLE shop_device ADD FOREIGN KEY (session_id) REFERENCES django_session''')",
            );
        }
        let ran = run(site, &recipe, &redis.url());
        let left = logged_in(site, &people);
        assert_eq!(left, (who.to_owned(), rows), "{}: {ran:#?}", recipe.comment);
        look_at_the_rest(site, &recipe, &ran);
    }
    assert!(expected.is_empty(), "not there any more: {expected:?}");
}

#[test]
fn what_no_test_runs_is_counted() {
    let not_run: Vec<_> =
        recipes().into_iter().filter(|recipe| recipe.comment.ends_with(NOT_RUN)).collect();
    let comments: Vec<_> = not_run.iter().map(|recipe| (&recipe.file, &recipe.comment)).collect();
    assert_eq!(comments.len(), RECIPES_NOT_RUN, "{comments:#?}");
}

/// The whole block, as a terminal shows it, but for the time that it took.
#[test]
fn transcripts_are_what_the_program_prints() {
    let mut transcripts = 0;
    for (file, text) in pages() {
        for block in blocks(&text, "console") {
            let folder =
                std::env::temp_dir().join(format!("sessctl-transcript-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            for name in ["demo.sqlite3", "demo.secret_key"] {
                std::fs::copy(repository().join("fixtures").join(name), folder.join(name)).unwrap();
            }
            let commands = block.lines().filter_map(|line| line.strip_prefix("$ "));
            let said =
                commands.map(|command| format!("cat <<'EOF'\n$ {command}\nEOF\n{command}\n"));
            let script =
                format!("exec 2>&1; PATH=$(dirname \"$0\"):$PATH\n{}", said.collect::<String>());
            let mut bash = Command::new("bash");
            bash.args(["-c", &script]).current_dir(&folder);
            let printed = crate::world::around(bash, &program(&[])).ran("").ok().stdout;
            let _ = std::fs::remove_dir_all(&folder);
            let lines = |text: &str| -> Vec<String> {
                text.lines().map(|line| without_time(line).trim_end().to_owned()).collect()
            };
            assert_eq!(lines(&printed), lines(block), "{file}");
            assert!(
                block.lines().all(|line| line.len() <= 80),
                "{file}: wider than a terminal: {block}"
            );
            transcripts += 1;
        }
    }
    assert!(transcripts > 0);
}

/// A line without the seconds that a scan took.
fn without_time(line: &str) -> String {
    match line.split_once(" rows read in ") {
        Some((before, after)) => format!(
            "{before} rows read in{}",
            after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
        ),
        None => line.to_owned(),
    }
}

#[test]
fn the_readme_is_read_to_its_end() {
    let lines = std::fs::read_to_string(repository().join("README.md")).unwrap().lines().count();
    assert!(lines <= 150, "{lines} lines");
}

#[test]
fn the_urls_of_the_examples_are_understood() {
    let text = std::fs::read_to_string(repository().join("docs/connections.md")).unwrap();
    let block = blocks(&text, "ini").concat();
    let urls = block.lines().filter_map(|line| line.strip_prefix("DATABASE_URL='postgres://"));
    let urls: Vec<&str> = urls.map(|url| url.trim_end_matches('\'')).collect();
    for url in &urls {
        let understood = Conninfo::of_url(url, &Surroundings::default());
        assert!(understood.is_ok(), "{url}: {:?}", understood.err());
    }
    assert_eq!(urls.len(), 7);
}
