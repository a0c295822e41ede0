//! Sessions that hold more than one login: those of django-hijack and django-loginas, and of sites with keys of
//! their own.

use serde_json::{Value, json};

use crate::site::Site;
use crate::world::{RunToEnd, SECRET_KEY, World, program, signed};

/// What django-loginas stores for the user 1.
const SIGNED: &str = "1:1vPabc:9-lDUIrMk3uksYsP0muww_qFLG4nfE8KOVaI6XN_feI";

fn with(user: &str, more: &str) -> String {
    format!(r#"{{"_auth_user_id":"{user}","_auth_user_backend":"a.B",{more}}}"#)
}

fn hijacked(user: &str, history: &str) -> String {
    with(user, &format!(r#""hijack_history":{history}"#))
}

#[test]
fn who_is_behind_is_shown() {
    World::each("behind", |w| {
        w.session(&hijacked("7", r#"["1","2"]"#));
        let key = w.session(&with("8", &format!(r#""loginas_from_user":"{SIGNED}""#)));
        w.session(&hijacked("9", "[]"));
        let listed = w.run(&["list", "--format", "jsonl"]).ok().json_lines();
        let mut told: Vec<_> = listed
            .iter()
            .map(|row| [&row["user_id"], &row["behind"], &row["behind_unclear"]].map(Value::clone))
            .collect();
        told.sort_by_key(|row| row[0].to_string());
        let expected = [("7", json!(["1", "2"])), ("8", json!(["1"])), ("9", json!([]))];
        let expected = expected.map(|(user, behind)| [json!(user), behind, json!(false)]);
        assert_eq!(told, expected);
        let table = w.run(&["list"]).ok().stdout;
        assert!(table.contains("  7 (behind: 1, 2)  ") && table.contains("  8 (behind: 1)  "));
        assert!(table.contains("  9             "), "{table}");
        let csv = w.run(&["list", "--format", "csv"]).ok().stdout;
        assert!(
            csv.starts_with("session_key,state,user_id,")
                && csv.contains(",error,behind,username\r\n")
        );
        assert!(
            csv.contains(",,\"1;2\",\r\n") && csv.contains(",,1,\r\n") && csv.contains(",,,\r\n"),
            "{csv}"
        );
        let shown = w.run(&["show", &key[..12]]).ok().stdout;
        assert!(shown.contains("user        8 (behind: 1)\n"), "{shown}");
        assert_eq!(
            w.run(&["show", &key[..12], "--format", "json"]).ok().json()["behind"],
            json!(["1"])
        );
        let stats = w.run(&["stats", "--format", "json"]).ok().json();
        assert_eq!((&stats["logged_in"], &stats["impersonated"]), (&json!(3), &json!(2)));
        let users = stats["top_users"].as_array().unwrap();
        assert_eq!(users.len(), 3, "whoever is behind is not counted among the users: {users:?}");
        let told = w.run(&["stats"]).ok().stdout;
        assert!(told.contains("2 logins with somebody else behind them\n"), "{told}");
    });
}

#[test]
fn many_who_are_behind_fit_into_a_line() {
    World::each("behind_many", |w| {
        w.session(&hijacked("7", r#"["1","2","3","4","5"]"#));
        let table = w.run(&["list"]).ok().stdout;
        assert!(table.contains("7 (behind: 1, 2, 3, 2 more)"), "{table}");
    });
}

/// Whatever a site or a visitor put there, the row stays its user's, and the doubt is told.
#[test]
fn what_names_nobody_for_certain_is_told_and_hides_nobody() {
    World::each("behind_unclear", |w| {
        let many =
            format!("[{}]", (0..5_000).map(|id| id.to_string()).collect::<Vec<_>>().join(","));
        for value in [r#"{"id":"1"}"#, r#"[["1","2"]]"#, "true", "1.5", &many] {
            w.session(&hijacked("7", value));
        }
        let listed = w.run(&["list", "--format", "jsonl"]).ok().json_lines();
        assert_eq!(listed.len(), 5);
        for row in &listed {
            assert_eq!((&row["state"], &row["user_id"]), (&json!("user"), &json!("7")), "{row}");
            assert_eq!(row["behind_unclear"], json!(true), "{row}");
            assert!(row["behind"].as_array().unwrap().len() <= 100);
        }
        let table = w.run(&["list"]).ok().stdout;
        assert_eq!(table.matches("7 (behind: ?)").count(), 4, "{table}");
        assert!(table.contains("7 (behind: 0, 1, 2, 96 more, ?)"), "{table}");
        assert_eq!(w.run(&["stats", "--format", "json"]).ok().json()["impersonated"], json!(5));
    });
}

#[test]
fn other_packages_keep_them_under_keys_that_can_be_named() {
    World::each("behind_also", |w| {
        w.session(&with("7", r#""real_user":1,"su":["2","3"]"#));
        let row = |more: &[&str]| {
            let arguments = [&["list", "--format", "jsonl"], more].concat();
            w.run(&arguments).ok().json()["behind"].clone()
        };
        assert_eq!(row(&[]), json!([]));
        assert_eq!(row(&["--also-key", "real_user"]), json!(["1"]));
        assert_eq!(row(&["--also-key", "real_user", "--also-key", "su"]), json!(["1", "2", "3"]));
    });
}

/// A package may keep the name of whoever is behind, or sign the id in a way of its own.
#[test]
fn an_id_behind_that_no_user_can_have_is_a_doubt() {
    World::each("behind_unfit", |w| {
        w.execute("CREATE TABLE auth_user (id integer PRIMARY KEY, username text UNIQUE)");
        w.execute("INSERT INTO auth_user VALUES (1, 'anna'), (5, 'carl')");
        for (key, value, code) in [
            ("original_user", "anna", 3),
            ("original_user", "1|1xXrg7|sig", 3),
            ("loginas_from_user", "1|1xXrg7|sig", 3),
            ("original_user", "5", 0),
            ("loginas_from_user", &SIGNED.replacen('1', "6", 1), 0),
            ("original_user", &format!("6:{}", "a".repeat(40)), 0),
        ] {
            for command in [
                &["logout-user", "1"][..],
                &["list", "--user", "1"],
                &["logout-user", "--username", "anna", "-n"],
            ] {
                w.renew();
                w.session(&with("5", &format!(r#""{key}":"{value}""#)));
                let ran = w.run(&[command, &["--also-key", "original_user"]].concat()).exits(code);
                if code == 3 {
                    ran.says("may be anybody's");
                }
                assert_eq!(w.count(), 1, "{value}");
            }
            // Of the user who is logged in it is the session, whoever is behind.
            w.run(&["logout-user", "5", "--also-key", "original_user"])
                .ok()
                .says("1 session deleted");
        }
    });
}

#[test]
fn a_site_may_keep_the_user_under_keys_of_its_own() {
    World::each("user_key", |w| {
        w.session(r#"{"account_id":5}"#);
        w.session(r#"{"account_id":5,"_auth_user_id":"7"}"#);
        w.session(r#"{"_auth_user_id":"5"}"#);
        let users = |keys: &[&str]| {
            let listed = w.run(&[&["list", "--format", "jsonl"], keys].concat()).ok().json_lines();
            let mut users: Vec<_> = listed
                .iter()
                .map(|row| (row["user_id"].as_str().map(str::to_owned), row["behind"].to_string()))
                .collect();
            users.sort();
            users
        };
        let told = |all: &[(Option<&str>, &str)]| -> Vec<_> {
            all.iter()
                .map(|(user, behind)| (user.map(str::to_owned), (*behind).to_owned()))
                .collect()
        };
        let own = ["--user-key", "account_id"];
        assert_eq!(users(&[]), told(&[(None, "[]"), (Some("5"), "[]"), (Some("7"), "[]")]));
        assert_eq!(users(&own), told(&[(None, "[]"), (Some("5"), "[]"), (Some("5"), "[]")]));
        let both = ["--user-key", "account_id", "--user-key", "_auth_user_id"];
        let fives = [(Some("5"), "[\"7\"]"), (Some("5"), "[]"), (Some("5"), "[]")];
        assert_eq!(users(&both), told(&fives));
        let stats = w.run(&["stats", "--format", "json", "--user-key", "account_id"]).ok().json();
        assert_eq!((&stats["logged_in"], &stats["anonymous"]), (&json!(2), &json!(1)));
        w.run(&["backfill", "--user-key", "account_id"]).ok();
        let filled = w.keys_in("django_session WHERE CAST(user_id AS varchar(9)) = '5'");
        assert_eq!(filled.len(), 2);
        w.run(&["logout-user", "5", "--user-key", "account_id"]).ok().says("2 sessions deleted");
        assert_eq!(w.count(), 1);
    });
    let value = signed(r#"{"account_id":5}"#, SECRET_KEY);
    let ran =
        program(&["decode", "--user-key", "account_id"]).env("SECRET_KEY", SECRET_KEY).ran(&value);
    assert_eq!(ran.ok().json()["user_id"], json!("5"));
}

#[test]
fn a_key_that_is_blank_is_a_mistake() {
    for option in ["--user-key", "--also-key"] {
        for blank in ["", "  "] {
            program(&["list", option, blank])
                .ran("")
                .exits(2)
                .says("a key of the session is blank");
        }
    }
}

#[test]
fn without_its_login_a_session_holds_nobody() {
    World::each("behind_keep", |w| {
        let keys = r#""account_id":"7","hijack_history":["1"],"loginas_from_user":"1","exit_users_pk":[],"su":2"#;
        w.session(&with("7", &format!(r#"{keys},"cart":[1]"#)));
        let own = ["--user-key", "account_id", "--also-key", "su"];
        w.run(&[&["logout-user", "7", "--keep-data"], &own[..]].concat()).ok();
        let row = w.run(&["list", "--format", "jsonl"]).ok().json();
        assert_eq!((&row["state"], &row["payload"]), (&json!("anonymous"), &json!({"cart": [1]})));
    });
}

/// The settings of a site with both packages, and its addresses.
const PACKAGES: &str = "
INSTALLED_APPS += ['django.contrib.admin', 'hijack', 'loginas']
MIDDLEWARE += ['hijack.middleware.HijackUserMiddleware']
HIJACK_INSERT_BEFORE = None
LOGIN_REDIRECT_URL = '/'
ROOT_URLCONF = 'own_urls'
PASSWORD_HASHERS = ['django.contrib.auth.hashers.MD5PasswordHasher']
TEMPLATES = [{'BACKEND': 'django.template.backends.django.DjangoTemplates', 'APP_DIRS': True, 'OPTIONS': {'context_processors': [
    'django.template.context_processors.request', 'django.contrib.auth.context_processors.auth',
    'django.contrib.messages.context_processors.messages']}}]
";
const URLS: &str = "
from django.http import HttpResponse
from django.urls import include, path
from loginas.utils import restore_original_login

def who(request):
    return HttpResponse(str(request.user))

def restore(request):
    restore_original_login(request)
    return HttpResponse()

urlpatterns = [path('', who), path('restore/', restore), path('hijack/', include('hijack.urls')), path('as/', include('loginas.urls'))]
";

/// Browsers, each with its cookie: what they did before is kept in a file.
const BROWSERS: &str = "
import json, os
from django.test import Client

def browser(cookie=None):
    client = Client()
    if cookie:
        client.cookies['sessionid'] = cookie
    return client

def user(name, admin=False):
    return User.objects.create_user(name, name + '@example.org', 'x', is_staff=admin, is_superuser=admin)

def as_admin():
    client = browser()
    assert client.login(username='admin', password='x')
    return client
";

/// A site where an admin impersonates two users, one with each package; its browsers' session keys, and the admin's id.
fn impersonating(site: Site, test: impl Fn(&Site, &[String])) {
    let site = site.project("", PACKAGES);
    site.file("own_urls.py", URLS);
    let said = site.python(&format!(
        "{BROWSERS}
from django.core.management import call_command; call_command('migrate', run_syncdb=True, verbosity=0)
user('admin', True); ben = user('ben'); carl = user('carl')
hijack, loginas, other = as_admin(), as_admin(), browser()
assert other.login(username='ben', password='x')
hijack.post('/hijack/acquire/', {{'user_pk': ben.pk}})
loginas.post(f'/as/login/user/{{carl.pk}}/')
who = [client.get('/').content.decode() for client in (hijack, loginas, other)]
assert who == ['ben', 'carl', 'ben'], who
for client in (hijack, loginas, other): print(client.cookies['sessionid'].value)
print(User.objects.get(username='admin').pk)"
    ));
    let said: Vec<_> = said.lines().map(str::to_owned).collect();
    test(&site, &said);
}

fn on_each(name: &str, test: impl Fn(&Site, &[String])) {
    impersonating(Site::sqlite(name, "5.2", &[]), &test);
    impersonating(Site::postgres(name, "5.2", &[]), &test);
}

/// Both packages, as they are, on a real site.
#[test]
fn the_admin_behind_a_real_impersonation_is_shown() {
    on_each("impersonation_shown", |site, said| {
        let [hijack, loginas, other, admin] = said else { panic!("{said:?}") };
        for (key, behind) in
            [(hijack, json!([admin])), (loginas, json!([admin])), (other, json!([]))]
        {
            let shown = site.run(&["show", &key[..12], "--format", "json"]).ok().json();
            assert_eq!((&shown["signature"], &shown["behind"]), (&json!("valid"), &behind));
        }
        let stats = site.run(&["stats", "--format", "json"]).ok().json();
        assert_eq!((&stats["logged_in"], &stats["impersonated"]), (&json!(3), &json!(2)));
    });
}

/// Who is in a browser after the end of the impersonation was asked for: nobody, if it was logged out.
fn after_the_end(site: &Site, hijack: &str, loginas: &str) -> String {
    site.python(&format!(
        "{BROWSERS}
hijack, loginas = browser({hijack:?}), browser({loginas:?})
hijack.post('/hijack/release/'); loginas.get('/restore/')
print(*[client.get('/').content.decode() for client in (hijack, loginas)])"
    ))
}

#[test]
fn an_admin_who_is_logged_out_is_out_where_the_admin_impersonates_somebody() {
    on_each("impersonation_ended", |site, said| {
        let [hijack, loginas, other, admin] = said else { panic!("{said:?}") };
        let logout = ["logout-user", "--username", "admin", "--format", "json"];
        let dry = site.run(&[&logout[..], &["-n"]].concat()).ok().json();
        assert_eq!((&dry["matched"], &dry["impersonated"]), (&json!(2), &json!(2)));
        let report = site.run(&logout).ok().json();
        assert_eq!((&report["deleted"], &report["remaining"]), (&json!(2), &json!(0)));
        assert_eq!(report["impersonated"], json!(2));
        assert_eq!(after_the_end(site, hijack, loginas), "AnonymousUser AnonymousUser");
        assert_eq!(
            site.keys(),
            std::slice::from_ref(other),
            "ben's own session is not the admin's: {admin}"
        );
    });
}

/// Without this the test above would show nothing.
#[test]
fn an_admin_who_is_not_logged_out_is_back_when_the_impersonation_ends() {
    on_each("impersonation_back", |site, said| {
        let [hijack, loginas, ..] = said else { panic!("{said:?}") };
        site.run(&["logout-user", "--username", "admin", "-n"]).ok();
        assert_eq!(after_the_end(site, hijack, loginas), "admin admin");
    });
}

/// The setting of django-loginas can give its key another name.
#[test]
fn a_project_says_under_which_key_it_keeps_who_is_behind() {
    for site in [Site::sqlite, Site::postgres].map(|new| new("loginas_key", "5.2", &[])) {
        let site = site.project("", "LOGINAS_FROM_USER_SESSION_FLAG = 'who_it_was'");
        let users = &site.login(&["admin", "carl"])[..];
        let [admin, carl] = users else { panic!("two") };
        site.python(&format!(
            "from django.core.signing import TimestampSigner
session = engine.SessionStore({:?})
session['who_it_was'] = TimestampSigner().sign({:?})
session.save()",
            carl.1, admin.0
        ));
        let report = site.run(&["logout-user", &admin.0, "--format", "json"]).ok().json();
        assert_eq!((&report["deleted"], &report["impersonated"]), (&json!(2), &json!(1)));
        assert_eq!(site.keys().len(), 0);
    }
}

/// A signed text id with a colon in it can be read in two ways, of which one names nobody: nobody was deleted for that.
#[test]
fn who_is_behind_and_there_is_not_taken_for_a_deleted_user() {
    World::each("behind_there", |w| {
        w.execute(
            "CREATE TABLE auth_user (id varchar(60) PRIMARY KEY, username text UNIQUE, email text, is_active boolean,
             is_staff boolean, is_superuser boolean);
             INSERT INTO auth_user VALUES ('42', 'a', '', true, false, false), ('anna', 'b', '', true, false, false),
             ('1:2', 'c', '', true, false, false)",
        );
        let signature = SIGNED.split_once(':').unwrap().1;
        for id in ["anna", "1:2"] {
            w.session(&with("42", &format!(r#""loginas_from_user":"{id}:{signature}""#)));
        }
        let deleted = ["logout-user", "--deleted-users", "--format", "json"];
        let report = w.run(&deleted).ok().json();
        assert_eq!((&report["users"], &report["deleted"], w.count()), (&json!([]), &json!(0), 2));
        // Whom neither reading names is gone, and so is who stands behind a session that has no login of its own.
        w.session(&with("42", &format!(r#""loginas_from_user":"ben:{signature}""#)));
        w.session(r#"{"hijack_history":["carl"]}"#);
        let report = w.run(&[&deleted[..], &["--yes"]].concat()).ok().json();
        assert_eq!((&report["deleted"], w.count()), (&json!(2), 2), "{report}");
    });
}
