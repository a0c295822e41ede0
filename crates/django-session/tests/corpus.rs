//! Every row of `fixtures/corpus.jsonl`, written by real releases of Django, gives the answer that the real release
//! gave. `fixtures/README.md` has the fields and the rules by which answers compare.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must stop"
)]

mod fixture;

use django_session::{Decoder, Signature};
use serde_json::Value;

use crate::fixture::{codec, rows, same};

/// Rows where Django's answer depends on who reads, while the row alone cannot tell who will, and why sessctl answers
/// as it does. Only the payload of these is not compared.
const DEPENDS_ON_READER: &[(&str, &str)] = &[(
    "dj3.2.25-py3.8/json_utf8/other_serializer/044>>dj3.2.25-py3.8/serializer=json",
    "raw UTF-8, which Django's own serializer never writes, but would read as Latin-1; the serializer that wrote it \
     reads UTF-8, and sessctl takes its side",
)];

#[derive(Debug, PartialEq)]
enum User {
    Named(String),
    Anonymous,
    Unreadable,
}

#[derive(Debug, PartialEq)]
struct Answer {
    signature: Signature,
    user: User,
    backend: Option<String>,
    json: Option<Value>,
}

#[test]
fn every_row_gives_the_answer_that_django_gave() {
    let wrong: Vec<String> = rows().iter().filter_map(|row| compare(row).err()).collect();
    assert!(wrong.is_empty(), "{} rows differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Of whatever Django believes, nothing is left early but the login of somebody else.
#[test]
fn only_logins_of_others_are_left_early() {
    let (mut logins, mut left) = (0, 0);
    for row in rows() {
        let (codec, stored) = (codec(&row), row["session_data"].as_str().unwrap());
        let (mut decoder, mut early) = (Decoder::new(&codec), Decoder::new(&codec));
        let whole = decoder.decode(stored);
        if whole.signature() != Signature::Valid {
            continue;
        }
        let user = whole.auth().ok().and_then(|auth| auth.user_id);
        logins += u32::from(user.is_some() && stored.starts_with('.'));
        if early.decode_unless(stored, |_| true).is_none() {
            left += u32::from(stored.starts_with('.'));
            assert!(
                early.decode_unless(stored, |id| Some(id) != user.as_deref()).is_some(),
                "{row}"
            );
        }
        let session = early.decode_unless(stored, |_| false).expect("nobody is somebody else");
        assert_eq!(
            (session.auth(), session.signature()),
            (whole.auth(), Signature::Valid),
            "{row}"
        );
    }
    assert!(left > 50 && 2 * left > logins, "{left} of {logins}");
}

#[test]
fn one_pass_gives_verdict_and_members_as_two_do() {
    let mut all = 0;
    for row in rows() {
        let codec = codec(&row);
        let mut decoder = Decoder::new(&codec);
        let session = decoder.decode(row["session_data"].as_str().unwrap());
        let (mut once, mut twice) = (Vec::new(), Vec::new());
        let verdict = session
            .verdict_and_members(|_| true, &mut |key, bytes| once.push((key.into_owned(), bytes)));
        let payload = session.verified_payload();
        let _ = payload.and_then(|payload| {
            payload.members(&mut |key, bytes| twice.push((key.into_owned(), bytes)))
        });
        assert_eq!((verdict, &once), (session.verdict(|_| true), &twice), "{}", row["id"]);
        all += once.len();
    }
    assert!(all > 1_000, "{all}");
}

fn compare(row: &Value) -> Result<(), String> {
    let id = row["id"].as_str().unwrap();
    let got = answer(row);
    let expected = &row["expected"];
    let differs = |what: &str| Err(format!("{id}: {what}: {got:?}\n    expected {expected}"));
    let is_user = |verdict: &Value| {
        got.user == text(&verdict["user_id"]).map_or(User::Anonymous, User::Named)
    };

    if expected["valid"] == true {
        if got.signature != Signature::Valid {
            return differs("signature");
        }
        if row["serializer"] == "msgpack" && got.user == User::Unreadable {
            return Ok(());
        }
        if !is_user(expected) {
            return differs("user");
        }
        if got.backend != text(&expected["user_backend"]) {
            return differs("backend");
        }
        let listed = DEPENDS_ON_READER.iter().any(|(listed, _)| *listed == id);
        let plain_json = Some(&expected["json"]).filter(|json| !json.is_null() && !listed);
        if plain_json.is_some_and(|json| !got.json.as_ref().is_some_and(|got| same(got, json))) {
            return differs("payload");
        }
        return Ok(());
    }
    if expected["payload_reached_serializer"] == true && got.signature != Signature::Valid {
        return differs("the payload reached the serializer, so the signature is valid");
    }
    let elsewhere = [&row["expected_by_writer"], &row["expected_if_all_globals_importable"]];
    match elsewhere.into_iter().find(|verdict| verdict["valid"] == true) {
        Some(verdict) if got.user != User::Unreadable && !is_user(verdict) => {
            differs("user, as the writer sees it")
        }
        None if matches!(got.user, User::Named(_))
            && got.signature == Signature::Valid
            && expected["payload_reached_serializer"] == false =>
        {
            differs("a login that no release sees")
        }
        _ => Ok(()),
    }
}

fn answer(row: &Value) -> Answer {
    let codec = codec(row);
    let mut decoder = Decoder::new(&codec);
    let session = decoder.decode(row["session_data"].as_str().unwrap());
    let auth = session.auth();
    let json = session.payload().and_then(|payload| payload.json()).ok();
    Answer {
        signature: session.signature(),
        backend: auth.as_ref().ok().and_then(|auth| auth.backend.as_deref().map(Into::into)),
        user: match auth {
            Ok(auth) => auth.user_id.map_or(User::Anonymous, |id| User::Named(id.into())),
            Err(_) => User::Unreadable,
        },
        json: json.and_then(|json| serde_json::from_str(&json).ok()),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(Into::into)
}
