//! Sessions that were written anew without their login are, to our decoder and to real Django, the same sessions of
//! somebody anonymous.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use django_session::{Auth, Codec, DEFAULT_KEY_SALT, Decoded, Decoder, Keyring, NotKept};
use serde_json::Value;
use sessctl::model::{Layout, Serializer, Signature};

use crate::corpus::{codec, rows, same};
use crate::support::django_python;

/// What says whose a session is: Django's keys, and those of packages for impersonation.
const LOGIN: [&str; 6] = [
    "_auth_user_id",
    "_auth_user_backend",
    "_auth_user_hash",
    "hijack_history",
    "loginas_from_user",
    "exit_users_pk",
];

#[test]
fn every_row_of_the_corpus_is_kept_or_says_why() {
    let mut kept = 0;
    for row in rows() {
        let id = row["id"].as_str().unwrap();
        let codec = codec(&row);
        let (mut decoder, mut again) = (Decoder::new(&codec), Decoder::new(&codec));
        let session = decoder.decode(row["session_data"].as_str().unwrap());
        let without = session.without_login(1_795_000_000);
        if session.signature() != Signature::Valid {
            assert_eq!(without, Err(NotKept::Unverified), "{id}");
            continue;
        }
        let is_json = session.payload().map(|payload| payload.serializer() == Serializer::Json);
        if is_json != Ok(true) {
            assert!(without.is_err(), "{id}");
            continue;
        }
        let Some(Value::Object(mut rest)) = json(&session) else {
            assert!(without.is_err(), "{id}");
            continue;
        };
        rest.retain(|key, _| !LOGIN.contains(&&**key));
        let without = without.unwrap_or_else(|why| panic!("{id}: {why}"));
        let anonymous = again.decode(&without);
        assert_eq!(anonymous.signature(), Signature::Valid, "{id}");
        assert_eq!(anonymous.layout(), session.layout(), "{id}");
        assert_eq!(anonymous.auth(), Ok(Auth::default()), "{id}");
        assert!(json(&anonymous).is_some_and(|json| same(&json, &rest.into())), "{id}");
        kept += u32::from(session.auth().is_ok_and(|auth| auth.user_id.is_some()));
    }
    assert!(kept >= 200, "only {kept} logins in JSON");
}

fn json(session: &Decoded<'_>) -> Option<Value> {
    let json = session.payload().ok()?.json().ok()?;
    // Lone surrogates, which serde_json does not take, as the text of their escapes.
    serde_json::from_str(&json.replace("\\ud", "\\\\ud")).ok()
}

/// `kept_sessions.py` logs users in, prints what Django stored, a session a line, and loads what it is given for it.
fn django_loads_the_same_session(release: &str) {
    let (key, old_key) = ("the key of today: é", "the key of yesterday: 😀");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/django/kept_sessions.py");
    let mut django = Command::new(django_python(release))
        .args(["-B".as_ref(), script.as_os_str()])
        .env("SITE_SECRET_KEY", key)
        .env("SITE_OLD_SECRET_KEY", old_key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start Python");
    let codec =
        Codec { keyring: Keyring::new([key, old_key], DEFAULT_KEY_SALT), ..Codec::default() };
    let mut decoder = Decoder::new(&codec);
    let mut answers = django.stdin.take().unwrap();
    let mut layouts = Vec::new();
    for stored in BufReader::new(django.stdout.take().unwrap()).lines().map(Result::unwrap) {
        let session = decoder.decode(&stored);
        layouts.extend(session.layout());
        let without = session.without_login(1_795_000_000).unwrap();
        writeln!(answers, "{without}").unwrap();
    }
    drop(answers);
    let end = django.wait_with_output().unwrap();
    assert!(end.status.success(), "Django {release}: {}", String::from_utf8_lossy(&end.stderr));
    assert!(layouts.len() >= 10, "only {} sessions", layouts.len());
    assert_eq!(layouts.contains(&Layout::Legacy), release == "3.2");
}

#[test]
fn django_5_2_loads_the_same_session() {
    django_loads_the_same_session("5.2");
}

#[test]
fn django_4_2_loads_the_same_session() {
    django_loads_the_same_session("4.2");
}

#[test]
fn django_3_2_loads_the_same_session_in_both_layouts() {
    django_loads_the_same_session("3.2");
}
