//! Whole sites written by real releases of Django (`fixtures/sites`), each with what Django says of every row.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::world::{Ran, RunToEnd, program};

/// A copy of a site's database, and the truth about it.
struct Site {
    name: String,
    folder: PathBuf,
    truth: Value,
}

impl Site {
    fn each(test_name: &str, test: impl Fn(&Site)) {
        let sites = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sites");
        let databases: Vec<PathBuf> = std::fs::read_dir(sites)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "sqlite3"))
            .collect();
        assert_eq!(databases.len(), 6);
        for database in databases {
            let name = database.file_stem().unwrap().to_str().unwrap().to_owned();
            let folder = std::env::temp_dir()
                .join(format!("sessctl-{test_name}-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::copy(&database, folder.join("db.sqlite3")).unwrap();
            let truth = std::fs::read_to_string(database.with_extension("truth.json")).unwrap();
            let site = Site { name, folder, truth: serde_json::from_str(&truth).unwrap() };
            std::fs::write(site.folder.join("key"), site.text("secret_key")).unwrap();
            test(&site);
        }
    }

    fn text(&self, field: &str) -> &str {
        self.truth[field].as_str().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let zone = if self.truth["use_tz"] == true { "UTC" } else { self.text("time_zone") };
        let mut command = program(arguments);
        command.arg("-d").arg(self.folder.join("db.sqlite3"));
        command.arg("--secret-key-file").arg(self.folder.join("key")).args(["--db-timezone", zone]);
        command.ran("")
    }

    /// Every row, by session key: `Some` user if Django sees a login.
    fn rows(&self) -> BTreeMap<String, (Option<String>, &Value)> {
        let rows = self.truth["rows"].as_object().unwrap().iter();
        rows.map(|(key, row)| (key.clone(), (row["user_id"].as_str().map(Into::into), row)))
            .collect()
    }

    fn is_live(row: &Value) -> bool {
        let expires: jiff::Timestamp = row["expire_date_utc"].as_str().unwrap().parse().unwrap();
        expires > jiff::Timestamp::now()
    }

    fn listed(&self, arguments: &[&str]) -> BTreeMap<String, Value> {
        let ran =
            self.run(&[&["list", "--format", "jsonl", "--show-keys"], arguments].concat()).ok();
        let lines = ran.json_lines().into_iter();
        lines.map(|line| (line["session_key"].as_str().unwrap().to_owned(), line)).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn list_says_of_every_row_what_django_says() {
    Site::each("list", |site| {
        let listed = site.listed(&["--all"]);
        let rows = site.rows();
        assert_eq!(
            listed.keys().collect::<Vec<_>>(),
            rows.keys().collect::<Vec<_>>(),
            "{}",
            site.name
        );
        for (key, (user, row)) in &rows {
            let line = &listed[key];
            let context = format!("{} {key}: {line}\n{row}", site.name);
            let believed = line["signature"] == "valid" && line["state"] != "unreadable";
            // A row in an older layout is a login to the release that wrote it, if not to this site's.
            if row["valid"] == true {
                assert!(believed, "{context}");
                assert_eq!(line["user_id"].as_str(), user.as_deref(), "{context}");
            } else if row["kind"] != "legacy_layout" {
                assert!(!believed, "{context}");
            }
            let expires: jiff::Timestamp = line["expires"].as_str().unwrap().parse().unwrap();
            let truth: jiff::Timestamp = row["expire_date_utc"].as_str().unwrap().parse().unwrap();
            assert_eq!(expires, truth, "{context}");
        }
    });
}

#[test]
fn live_is_what_django_says_is_live() {
    Site::each("live", |site| {
        let rows = site.rows();
        let live: BTreeSet<_> =
            rows.iter().filter(|(_, (_, row))| Site::is_live(row)).map(|(key, _)| key).collect();
        assert_eq!(site.listed(&[]).keys().collect::<BTreeSet<_>>(), live, "{}", site.name);
    });
}

#[test]
fn stats_counts_what_list_lists() {
    Site::each("stats", |site| {
        let stats = site.run(&["stats", "--format", "json"]).ok().json();
        let rows = |arguments| site.listed(arguments).into_values().collect::<Vec<_>>();
        crate::stats::agrees(&stats, &rows(&["--all"]), &rows(&[]));
    });
}

#[test]
fn logout_user_takes_the_users_live_sessions_and_nothing_else() {
    Site::each("logout", |site| {
        for user in ["4", "19", "10"] {
            site.run(&["logout-user", user, "--engine", "db"]).ok();
        }
        let left: BTreeSet<_> = site.listed(&["--all"]).into_keys().collect();
        for (key, (user, row)) in site.rows() {
            let logged_out =
                matches!(user.as_deref(), Some("4" | "19" | "10")) && Site::is_live(row);
            let context = format!("{} {key} {row}", site.name);
            // A legacy row counts as a login, since an older release would take it for one; so does one of another key,
            // since the site may have that.
            if row["kind"] != "legacy_layout" && row["kind"] != "bad_other_key" {
                assert_eq!(!left.contains(&key), logged_out, "{context}");
            }
        }
    });
}
