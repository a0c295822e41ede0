//! `--cache`: a cache of which only a part is seen proves nothing.

use std::process::Stdio;

use serde_json::json;

use crate::cached_db::{entry, without_project};
use crate::redis::{Redis, whoami};
use crate::running::{Running, eventually};
use crate::world::Ran;

/// Each node has only some of the keys, perhaps that which tries what is allowed.
#[test]
fn a_cluster_is_refused_whichever_keys_the_node_has() {
    let redis = Redis::with("cached_db_cluster", &["--cluster-enabled", "yes"]);
    redis.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).ok();
    eventually("the cluster is up", || {
        redis.cli(&["CLUSTER", "INFO"]).stdout.contains("cluster_state:ok")
    });
    let site = redis.site("");
    site.python("import django.contrib.sessions.backends.db as db; db.SessionStore().save()");
    let url = redis.url().replace("db=1", "db=0");
    let ran = without_project(&site, &["logout-user", "1", "--cache", &url]);
    ran.exits(1).says("CROSSSLOT").says("it is a cluster");
    assert_eq!(site.keys().len(), 1);
}

/// Entries of another site, or from before `KEY_PREFIX` was changed, are no sign that those of this site were seen.
#[test]
fn entries_that_look_alike_do_not_make_it_the_site_s_cache() {
    let redis = Redis::new("cached_db_shared");
    let site = redis.site("'KEY_PREFIX': 'shop',");
    let [anna, bert] = &site.login(&["anna", "bert"])[..] else { panic!("two") };
    site.python(&format!("Session.objects.filter(pk={:?}).delete()", anna.1));
    let berts = format!("shop{}", entry(&bert.1));
    let copy = |to: &str, database: &str| {
        redis.cli(&["-n", "1", "COPY", &berts, to, "DB", database]).ok();
    };
    let run = |command: &[&str], database: &str, more: &str| {
        let url = redis.url().replace("db=1", &format!("db={database}{more}"));
        let options = ["--format", "json", "--cache", &url];
        without_project(&site, &[command, &options].concat())
    };
    let logout = |database: &str, more: &str| run(&["logout-user", &anna.0], database, more);
    let is_doubt = |ran: &Ran, doubt: &str| {
        assert_eq!(ran.json()["doubts"][0]["doubt"], doubt, "{ran:#?}");
        assert_eq!(whoami(&site, &anna.1), anna.0);
    };
    let foreign = entry(&"0".repeat(32));
    copy(&foreign, "1");
    is_doubt(&logout("1", "").exits(3).says("\"shop:1:\"").says("?key_prefix="), "cache_unseen");
    copy(&format!("shop{foreign}"), "2");
    is_doubt(&logout("2", "&key_prefix=shop").exits(3), "cache_unseen");
    copy(&entry(&bert.1), "1");
    is_doubt(&logout("1", "").exits(3).says("\"shop:1:\"").says("?key_prefix="), "cache_shared");
    logout("1", "&version=1").ok();
    assert_eq!(whoami(&site, &anna.1), anna.0);
    logout("1", "&key_prefix=shop").ok();
    assert_eq!((whoami(&site, &anna.1), whoami(&site, &bert.1)), ("None".into(), bert.0.clone()));
    let ran = run(&["flush-all", "--yes"], "2", "&key_prefix=shop").exits(3);
    assert_eq!(ran.json()["doubts"][0]["doubt"], "cache_unseen", "{ran:#?}");
    assert_eq!(whoami(&site, &bert.1), bert.0);
    // A table that was truncated cannot tell.
    run(&["flush-all", "--yes", "--truncate"], "1", "&key_prefix=shop").ok();
    assert_eq!(whoami(&site, &bert.1), "None");
}

/// Of a large entry only the beginning is read: a user behind an impersonation may stand behind that.
#[test]
fn an_entry_of_somebody_else_that_is_not_read_to_its_end_may_be_theirs() {
    let redis = Redis::new("cached_db_cut");
    let site = redis.site("");
    let [anna, bert] = &site.login(&["anna", "bert"])[..] else { panic!("two") };
    let [small, large] = ["s".repeat(32), "l".repeat(32)];
    site.python(&format!(
        "
from django.core.cache import cache
for key, filler in ({small:?}, ''), ({large:?}, 'x' * 100_000):
    session = {{'_auth_user_id': {:?}, 'filler': filler}}
    session['hijack_history'] = [{:?}] if filler else []
    cache.set('django.contrib.sessions.cached_db' + key, session)",
        bert.0, anna.0
    ));
    site.run(&["logout-user", &anna.0, "--cache", &redis.url()]).ok().says("2 entries deleted");
    let is_left = |key: &str| redis.cli(&["-n", "1", "EXISTS", &entry(key)]).stdout == "1\n";
    assert_eq!((is_left(&large), is_left(&small), is_left(&bert.1)), (false, true, true));
}

#[test]
fn a_look_that_does_not_end_leaves_the_cache_a_doubt() {
    let redis = Redis::new("cached_db_look");
    let site = redis.site("");
    let anna = &site.login(&["anna"])[0];
    let rights =
        ["reset", "on", ">s3cret", "~*", "+del", "+exists", "+getrange", "+scan", "+select"];
    redis.cli(&[&["ACL", "SETUSER", "site"], &rights[..]].concat()).ok();
    let url = redis.url().replace("unix://", "unix://site:s3cret@");
    let arguments = ["logout-user", &anna.0, "--settle", "2s", "--format", "json", "--cache", &url];
    let running = Running::start(site.command(&arguments).stdout(Stdio::piped()));
    let key = entry(&anna.1);
    let is_gone = || redis.cli(&["-n", "1", "EXISTS", &key]).stdout == "0\n";
    eventually("row and entry go", is_gone);
    redis.cli(&["ACL", "SETUSER", "site", "-scan"]).ok();
    let report = running.end().exits(1).says("NOPERM").json();
    assert_eq!((&report["deleted"], &report["cached"]), (&json!(1), &json!(true)));
}

/// Else the copies of ever more users would outlive their rows.
#[test]
fn a_cache_that_dies_stops_the_run_at_once() {
    let mut redis = Redis::new("cached_db_stops");
    let site = redis.site("");
    let anna = &site.login(&["anna"; 5])[0];
    let arguments = ["logout-user", &anna.0, "--batch-size", "1", "--sleep", "2s", "--format"];
    let url = redis.url();
    let arguments = [&arguments[..], &["json", "--cache", &url]].concat();
    let running = Running::start(site.command(&arguments).stdout(Stdio::piped()));
    eventually("a row goes", || site.keys().len() < 5);
    redis.kill();
    let report = running.end().exits(1).says("rows that went are gone").json();
    assert!(site.keys().len() >= 2, "{report}");
    assert_eq!(report["cached"], true);
}
