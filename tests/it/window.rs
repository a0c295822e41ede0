//! Times that are typed: in which zone they are read, and what is said of it.

use crate::site::Site;
use crate::world::{RunToEnd, World, program};

/// Whether a session that was saved at 2026-11-22T01:57:46Z is in the window.
fn finds(w: &World, from: &str, until: &str, options: &[&str]) -> crate::world::Ran {
    let window = ["list", "--format", "count", "--saved-between", from, until];
    w.run(&[&window[..], options].concat()).ok()
}

#[test]
fn a_typed_time_is_one_of_the_zone_and_the_window_is_told_in_both() {
    World::each("window_zone", |w| {
        w.user("42", 1);
        let (from, until) = ("2026-11-22T02:57", "2026-11-22T02:58");
        let berlin = ["--timezone", "Europe/Berlin"];
        let ran = finds(w, from, until, &berlin);
        assert_eq!(ran.stdout, "1\n");
        ran.says("from 2026-11-22T02:57:00+01:00 until 2026-11-22T02:58:00+01:00 (--timezone: Europe/Berlin)")
            .says("which is 2026-11-22T01:57:00Z until 2026-11-22T01:58:00Z");
        // Without a zone it is UTC, and that is said.
        let ran = finds(w, from, until, &[]);
        assert_eq!(ran.stdout, "0\n");
        ran.says("from 2026-11-22T02:57:00Z until 2026-11-22T02:58:00Z (--timezone names another)");
        let ran = finds(w, "2026-11-21T22:27", "2026-11-21T22:28", &["--timezone", "-03:30"]);
        assert_eq!(ran.stdout, "1\n");
        // A time that says its zone is in none other.
        assert_eq!(finds(w, "2026-11-22T01:57Z", "2026-11-22T07:28+05:30", &berlin).stdout, "1\n");
        let idle =
            w.run(&["logout-user", "42", "--idle", "1s", "--dry-run", "--timezone", "Asia/Tokyo"]);
        idle.ok().says("--idle 1s: last saved before ").says("(--timezone: Asia/Tokyo), which is ");
        w.run(&["stats", "--saved-between", from, until, "--timezone", "Europe/Berlin"])
            .ok()
            .says("rows        1: 1 live");
    });
}

#[test]
fn zones_that_mean_the_opposite_are_refused_or_explained() {
    World::each("window_posix", |w| {
        w.user("42", 1);
        let window = ["logout-user", "42", "--saved-between", "2026-11-22", "2026-11-23"];
        for zone in ["UTC+3", "GMT+3", "<-03>3", "MSK+3"] {
            let refused = |arguments: &[&str]| {
                w.run(arguments).exits(2).says("POSIX, where signs mean the opposite");
            };
            refused(&[&window[..], &["--timezone", zone]].concat());
            if !w.is_sqlite() && !w.is_mysql() {
                refused(&["list", "--db-timezone", zone]);
            }
        }
        let ran = w.run(&[&window[..], &["--timezone", "UTC+3"]].concat()).exits(2);
        ran.says("write +03:00 or Etc/GMT-3 for a clock that is that far ahead of UTC")
            .says("-03:00 or Etc/GMT+3 for one that is as far behind");
        w.run(&[&window[..], &["--timezone", "Mars/Olympus"]].concat()).exits(2);
        w.run(&["list", "--timezone", "UTC"]).exits(2).says("--saved-between");
        assert_eq!(w.count(), 1);
        w.run(&[&window[..], &["--timezone", "Etc/GMT+3"]].concat())
            .ok()
            .says("Etc/GMT+3 is 3 hours behind UTC (-03:00)");
    });
    let w = World::sqlite("window_posix_sqlite");
    let with = |zone: &str| program(&["list", "-d", &w.url(), "--db-timezone", zone]).ran("");
    with("UTC+3").exits(2).says("--db-timezone: \"UTC+3\"").says("+03:00 or Etc/GMT-3");
    with("EST5EDT4,M3.2.0,M11.1.0").exits(2).says("POSIX");
    with("Etc/GMT-3").ok().says("Etc/GMT-3 is 3 hours ahead of UTC (+03:00)");
    with("EST5EDT").ok();
    with("-03:30").ok();
}

#[test]
fn a_project_says_its_own_zone() {
    Site::each("window", "5.2", &[("SITE_TIME_ZONE", "Asia/Kathmandu")], |site| {
        site.login(&["anna"]);
        let window = ["--saved-between", "2026-11-20", "2099-11-20"];
        let list = [&["list", "--format", "count"][..], &window].concat();
        site.run(&list).ok().says("1\n").says("from 2026-11-20T00:00:00+05:45 until ").says(
            "(TIME_ZONE of the project: Asia/Kathmandu), which is 2026-11-19T18:15:00Z until ",
        );
        site.run(&[&list[..], &["--timezone", "UTC"]].concat())
            .ok()
            .says("from 2026-11-20T00:00:00Z until ");
    });
}

#[test]
fn what_was_saved_again_since_is_told() {
    World::each("window_later", |w| {
        w.user("42", 2);
        let window = ["--saved-between", "2026-11-20", "2026-11-21"];
        let out = [&["logout-user", "42"][..], &window].concat();
        w.run(&out).ok().says("2 sessions of user 42 stayed: saved again after that time");
        let json = w.run(&[&out[..], &["--format", "json"]].concat()).ok().json();
        assert_eq!((&json["saved_later"], &json["matched"]), (&2.into(), &0.into()));
        w.run(&[&["list", "--user", "42"][..], &window].concat())
            .ok()
            .says("2 sessions saved again after that time left out");
        let stats = [&["stats"][..], &window].concat();
        w.run(&stats).ok().says("2 live sessions saved again after that time, not counted");
        let json = w.run(&[&stats[..], &["--format", "json"]].concat()).ok().json();
        assert_eq!((&json["saved_later"], &json["rows"]), (&2.into(), &0.into()));
        assert_eq!(w.count(), 2);
    });
}

/// The time zone data of the machine, where there is some: a site on it goes by that, too.
#[test]
fn zones_are_those_of_the_machine() {
    let w = World::sqlite("window_machine");
    let zones = folder_of_zones(&w, "Town");
    let list = ["list", "-d", &w.url(), "--db-timezone", "Town"];
    program(&list).env("TZDIR", zones).ran("").ok();
    program(&list).ran("").exits(2).says("not a time zone");
}

/// A live row would count as expired, or the other way round.
#[test]
fn a_project_with_other_time_zone_data_is_refused() {
    let site = Site::sqlite("window_differs", "5.2", &[]);
    site.login(&["anna"]);
    let site = site.project("", "DATABASES['default']['TIME_ZONE'] = 'America/Winnipeg'");
    site.run(&["list"]).ok();
    let w = World::sqlite("window_differs");
    let zones = folder_of_zones(&w, "America/Winnipeg");
    let differ = |arguments: &[&str]| site.command(arguments).env("TZDIR", &zones).ran("");
    for command in [&["list"][..], &["purge-expired"], &["logout-user", "1"]] {
        differ(command).exits(2).says("America/Winnipeg is at UTC-0").says("--db-timezone -0");
    }
    differ(&["list", "--db-timezone", "-06:00"]).ok();
}

/// A folder of time zones with one zone, nine hours ahead of UTC (RFC 9636 §3, version 1).
fn folder_of_zones(w: &World, name: &str) -> String {
    let counts = [0_u32, 0, 0, 0, 1, 4].map(u32::to_be_bytes).concat();
    let zone =
        [b"TZif", &[0; 16][..], &counts, &32_400_i32.to_be_bytes(), &[0, 0], b"TST\0"].concat();
    let marker = std::path::PathBuf::from(w.file("zones", ""));
    let folder = marker.with_extension("d");
    std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
    std::fs::write(folder.join(name), zone).unwrap();
    folder.display().to_string()
}
