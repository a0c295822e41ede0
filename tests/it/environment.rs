//! Variables of the environment that are not UTF-8: an error that names them, never a reason to use another database.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::world::{Ran, RunToEnd, World, program};

/// Begins like a word that must not be shown: it may be a password.
fn no_utf8() -> &'static OsStr {
    OsStr::from_bytes(b"sentinel-\xff")
}

fn refuses(ran: Ran, name: &str) {
    let ran = ran.exits(2).says(&format!("error: the environment variable {name} is not UTF-8"));
    assert!(!ran.stderr.contains("sentinel-"), "{ran:#?}");
    assert_eq!(ran.stdout, "", "{ran:#?}");
}

#[test]
fn a_database_that_is_not_utf8_is_not_passed_over_for_another() {
    World::each("environment", |w| {
        w.user("42", 2);
        let list = |arguments: &[&str], variables: &[(&str, &OsStr)]| {
            let mut command = program(&["list", "--format", "count"]);
            command.args(arguments).envs(variables.iter().copied()).ran("")
        };
        let url = w.url();
        let url = OsStr::new(&url);
        let first = ("SESSCTL_DATABASE_URL", no_utf8());
        refuses(list(&[], &[first, ("DATABASE_URL", url)]), "SESSCTL_DATABASE_URL");
        refuses(list(&[], &[("DATABASE_URL", no_utf8()), ("PGHOST", url)]), "DATABASE_URL");
        // The first one that is set decides, and -d before all.
        for (arguments, variables) in [
            (&[][..], [("SESSCTL_DATABASE_URL", url), ("DATABASE_URL", no_utf8())]),
            (&["-d", &w.url()], [first, ("DATABASE_URL", no_utf8())]),
        ] {
            assert_eq!(list(arguments, &variables).ok().stdout, "2\n");
        }
        // Each database has variables of its own, and a file has none.
        for (variable, counts) in
            [("PGOPTIONS", !w.is_sqlite() && !w.is_mysql()), ("MYSQL_HOST", w.is_mysql())]
        {
            let ran = list(&["-d", &w.url()], &[(variable, no_utf8())]);
            if counts { refuses(ran, variable) } else { drop(ran.ok()) }
        }
    });
}

/// What is named first is another database than what is named after it, all of which can be read.
#[test]
fn of_several_databases_the_first_in_the_documented_order_counts() {
    World::each("precedence", |first| {
        let (second, third) =
            (World::sqlite("precedence_second"), World::sqlite("precedence_third"));
        let fourth = World::postgres("precedence_fourth");
        first.user("1", 1);
        second.user("1", 2);
        third.user("1", 3);
        fourth.user("1", 4);
        let (server, database) =
            fourth.url().rsplit_once('/').map(|(s, d)| (s.to_owned(), d.to_owned())).unwrap();
        let mut of_libpq = vec![("PGDATABASE", database)];
        let (login, place) = server.split_once("://").unwrap().1.rsplit_once('@').unwrap();
        let (user, password) = login.split_once(':').unwrap();
        let (host, port) = place.split_once(':').unwrap();
        for (name, value) in
            [("PGUSER", user), ("PGPASSWORD", password), ("PGHOST", host), ("PGPORT", port)]
        {
            of_libpq.push((name, value.to_owned()));
        }
        let option = ["-d".to_owned(), first.url()];
        for (rows, typed, own, usual) in [
            (1, &option[..], Some(second.url()), Some(third.url())),
            (1, &option[..], Some(third.url()), None),
            (1, &option[..], None, Some(third.url())),
            (1, &option[..], None, None),
            (2, &[], Some(second.url()), Some(third.url())),
            (1, &[], Some(first.url()), Some(third.url())),
            (2, &[], Some(second.url()), None),
            (3, &[], None, Some(third.url())),
            (3, &[], Some(String::new()), Some(third.url())),
            (4, &[], None, None),
        ] {
            let mut command = program(&["list", "--format", "count"]);
            command.args(typed).envs(of_libpq.iter().map(|(name, value)| (name, value)));
            command.envs(own.iter().map(|url| ("SESSCTL_DATABASE_URL", url)));
            command.envs(usual.iter().map(|url| ("DATABASE_URL", url)));
            let ran = command.ran("").ok();
            assert_eq!(ran.stdout, format!("{rows}\n"), "{typed:?} {own:?} {usual:?}: {ran:#?}");
        }
    });
}

#[test]
fn no_variable_of_libpq_is_passed_over() {
    for name in ["PGHOST", "PGDATABASE", "PGSERVICE"] {
        refuses(program(&["list"]).env(name, no_utf8()).ran(""), name);
    }
    let mut command = program(&["list"]);
    command.env("PGHOST", "127.0.0.1").env("PGPORT", no_utf8());
    refuses(command.ran(""), "PGPORT");
}
