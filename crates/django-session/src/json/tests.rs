use super::super::auth::Auth;
use super::super::json_text::JsonText;
use super::super::{DecodeError, Limits, LoginKeys};

fn auth<'p>(payload: &'p [u8], keys: &LoginKeys) -> Result<Auth<'p>, DecodeError> {
    super::auth(payload, &Limits::default(), keys, None).map(|(auth, _)| auth)
}

fn user_id(payload: impl AsRef<[u8]>) -> Result<Option<String>, DecodeError> {
    auth(payload.as_ref(), &LoginKeys::default()).map(|auth| auth.user_id.map(Into::into))
}

#[allow(clippy::unnecessary_wraps, reason = "what user_id() returns")]
fn user(id: &str) -> Result<Option<String>, DecodeError> {
    Ok(Some(id.into()))
}

fn json(payload: impl AsRef<[u8]>) -> Result<String, DecodeError> {
    let mut out = JsonText::default();
    super::write(payload.as_ref(), &Limits::default(), &mut out)
        .map(|()| out.into_string().unwrap())
}

fn without_login(payload: impl AsRef<[u8]>) -> Result<Option<String>, DecodeError> {
    super::without_login(payload.as_ref(), &Limits::default(), &LoginKeys::default())
}

#[test]
fn only_the_top_level_key_is_the_login() {
    assert_eq!(user_id(r#"{"a":{"_auth_user_id":"42"},"b":[{"_auth_user_id":"42"}]}"#), Ok(None));
    assert_eq!(user_id(r#"{"note":"\"_auth_user_id\":\"42\""}"#), Ok(None));
    assert_eq!(user_id(r#"{"_auth_user_id ":"42","x_auth_user_id":"42"}"#), Ok(None));
    assert_eq!(user_id(r#"["_auth_user_id"]"#), Ok(None));
    assert_eq!(user_id(r#"{"a":{"_auth_user_id":"1"},"_auth_user_id":"42"}"#), user("42"));
}

#[test]
fn what_is_called_verbatim_is_written_as_it_stands() {
    let keys = LoginKeys::default();
    let is_verbatim = |document: &str| {
        super::auth(document.as_bytes(), &Limits::default(), &keys, None).unwrap().1
    };
    let long = format!("{{\"a\":{}.0}}", "9".repeat(400));
    for document in [
        r#"{"_auth_user_id":"42","_auth_user_backend":"a.B","cart":[1,-2,{"a b":[]}],"t":true,"n":null}"#,
        r#"{"_auth_user_id":42,"f":-1.5,"hijack_history":["1","2"],"a":{},"a":0}"#,
        "{}",
        "[]",
    ] {
        assert!(is_verbatim(document), "{document}");
        assert_eq!(json(document).as_deref(), Ok(document));
    }
    for document in [
        r#"{"a": 1}"#,
        r#"{"a":1 }"#,
        r#" {"a":1}"#,
        "{\"a\":1}\n",
        r#"{"a":"\n"}"#,
        r#"{"\u00e9":1}"#,
        r#"{"a":"é"}"#,
        "{\"a\":\"\u{7f}\"}",
        r#"{"a":NaN}"#,
        r#"{"a":-Infinity}"#,
        r#"{"a":1e999}"#,
        &long,
    ] {
        assert!(!is_verbatim(document), "{document}");
    }
}

#[test]
fn of_repeated_keys_the_last_wins() {
    assert_eq!(user_id(r#"{"_auth_user_id":"1","_auth_user_id":"2"}"#), user("2"));
    assert_eq!(user_id(r#"{"_auth_user_id":"1","_auth_user_id":null}"#), Ok(None));
    assert_eq!(user_id(r#"{"_auth_user_id":[],"_auth_user_id":"2"}"#), user("2"));
    assert_eq!(user_id(r#"{"_auth_user_id":"2","_auth_user_id":[]}"#), Err(DecodeError::UserId));
}

#[test]
fn ids_are_what_int_makes_of_them() {
    for (value, id) in [
        ("42", "42"),
        ("-1", "-1"),
        ("-0", "0"),
        ("42.0", "42"),
        ("4.2e1", "42"),
        ("-0.0", "0"),
        ("true", "1"),
        ("false", "0"),
        (r#""\u00e9\ud83d\ude00""#, "é😀"),
        (r#"" 42 ""#, " 42 "),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
    ] {
        assert_eq!(user_id(format!(r#"{{"_auth_user_id" : {value}}}"#)), user(id), "{value}");
    }
    for value in ["{}", "[42]", "42.5", "NaN", "Infinity", "1e999"] {
        let payload = format!(r#"{{"_auth_user_id":{value}}}"#);
        assert_eq!(user_id(payload), Err(DecodeError::UserId), "{value}");
    }
}

#[test]
fn what_python_reads_is_read() {
    for document in [
        "{}",
        " \t\r\n{ } \n",
        "[]",
        "\"text\"",
        "null",
        "NaN",
        "-Infinity",
        "[NaN,Infinity,-Infinity,1e999,-1E+5,0.0,-0,1e-7]",
        r#"{"a":"\ud83d","b":"\udc00\ud83d"}"#,
        r#"{"":"","\u0000":"\u007f/\/\b\f"}"#,
        "{\"del\":\"\u{7f}\"}",
        "\"\u{2028}\u{feff}\"",
    ] {
        assert!(json(document).is_ok(), "{document}");
        assert!(user_id(document).is_ok(), "{document}");
    }
}

#[test]
fn what_python_rejects_is_rejected() {
    for document in [
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "{,}",
        r#"{"a":1,}"#,
        r#"{"a"}"#,
        r#"{"a":}"#,
        "{a:1}",
        "{'a':1}",
        r#"{"a":1}x"#,
        "{} {}",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "nul",
        "nan",
        "--1",
        "-NaN",
        "\"a",
        "\"\\",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u123",
        "\"\n\"",
        "\"\0\"",
        "[1 2]",
        "// c\n{}",
        "[}",
        "{]",
        "\u{feff}{}",
    ] {
        assert_eq!(json(document), Err(DecodeError::Json), "{document:?}");
        assert_eq!(user_id(document), Err(DecodeError::Json), "{document:?}");
    }
}

#[test]
fn bytes_beyond_ascii_are_utf8_or_else_latin1() {
    assert_eq!(json("\"é😀\"").as_deref(), Ok("\"é😀\""));
    assert_eq!(json(b"\"\xe9\"").as_deref(), Ok("\"é\""));
    assert_eq!(user_id(b"{\"_auth_user_id\":\"\xe9\",\"x\":\"\xff\"}"), user("é"));
    assert_eq!(user_id("{\"_auth_user_id\":\"é\\n\"}"), user("é\n"));
}

#[test]
fn output_is_json_that_any_parser_takes() {
    assert_eq!(
        json("{ \"a\" : [ NaN , -Infinity , 1e999 , 1E5 , 10000000000000000000000 ] }").as_deref(),
        Ok(r#"{"a":["NaN","-Infinity","Infinity",1E5,10000000000000000000000]}"#)
    );
    assert_eq!(
        json(r#""\ud83d\ude00\ud83d\u001b\u202e\"\\\/""#).as_deref(),
        Ok(r#""😀\ud83d\u001b\u202e\"\\/""#)
    );
}

#[test]
fn nesting_is_bounded_and_never_a_stack_overflow() {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert!(json(nested(10_000)).is_ok());
    assert_eq!(json(nested(10_001)), Err(DecodeError::TooComplex));
    assert_eq!(json(vec![b'['; 8 << 20]), Err(DecodeError::TooComplex));
    assert_eq!(user_id(br#"{"a":"#.repeat(1 << 20)), Err(DecodeError::TooComplex));
    let inside = [&b"{\"a\":"[..], &nested(9_000), b",\"_auth_user_id\":42}"].concat();
    assert_eq!(user_id(inside), user("42"));
}

#[test]
fn the_login_goes_and_the_rest_stays_as_it_is_written() {
    for (with, without) in [
        ("{}", "{}"),
        (r#"{"_auth_user_id":"42"}"#, "{}"),
        (r#"{"_auth_user_id":"42","_auth_user_backend":"b","_auth_user_hash":"h"}"#, "{}"),
        (r#"{"a":1,"_auth_user_id":"42","b":2}"#, r#"{"a":1,"b":2}"#),
        (r#"{"_auth_user_id":{"_auth_user_id":[]},"a":1}"#, r#"{"a":1}"#),
        (r#"{"a":{"_auth_user_id":"42"},"_auth_user_id":1}"#, r#"{"a":{"_auth_user_id":"42"}}"#),
        (r#"{"\u005fauth_user_id":"1","_auth_user_\u0068ash":"","_\u0061uth_user_id":2}"#, "{}"),
        (r#"{"_auth_user_id":"1","a":1,"_auth_user_id":"2","a":2}"#, r#"{"a":1,"a":2}"#),
        (
            r#"{"_auth_user_id ":1,"_auth_user":1,"":1}"#,
            r#"{"_auth_user_id ":1,"_auth_user":1,"":1}"#,
        ),
        (
            r#"{"a":"}\",\"_auth_user_id\":1","b":"\\"}"#,
            r#"{"a":"}\",\"_auth_user_id\":1","b":"\\"}"#,
        ),
        (
            "\t{ \"a\" : [ 1 , 2 ] ,\n\"_auth_user_id\" : 42 , \"b\" : { } } ",
            r#"{"a":[ 1 , 2 ],"b":{ }}"#,
        ),
        (
            r#"{"a":[NaN,-Infinity,1e999,-0,0.10,1E5,123456789012345678901234567890,"\ud83d\/\u00E9"]}"#,
            r#"{"a":[NaN,-Infinity,1e999,-0,0.10,1E5,123456789012345678901234567890,"\ud83d\/\u00E9"]}"#,
        ),
    ] {
        assert_eq!(without_login(with).unwrap().as_deref(), Some(without), "{with}");
    }
}

#[test]
fn without_its_login_a_document_is_ascii() {
    for (with, without) in [
        (
            "{\"é😀\":\"\u{7f}\u{80}\u{ffff}é\"}".as_bytes(),
            "{\"\\u00e9\\ud83d\\ude00\":\"\u{7f}\\u0080\\uffff\\u00e9\"}",
        ),
        (b"{\"\xe9\":\"\xff\x80\"}", r#"{"\u00e9":"\u00ff\u0080"}"#),
        // What the bytes mean is a matter of the whole document, also of a part that goes.
        (b"{\"_auth_user_id\":\"\xff\",\"a\":\"\xc3\xa9\"}", r#"{"a":"\u00c3\u00a9"}"#),
        (
            "{\"a\":\"\\\\é\\ud83d😀\\udc00\"}".as_bytes(),
            r#"{"a":"\\\u00e9\ud83d\ud83d\ude00\udc00"}"#,
        ),
    ] {
        assert_eq!(without_login(with).unwrap().as_deref(), Some(without));
    }
}

#[test]
fn what_is_no_object_has_no_login_to_take_out() {
    for document in ["[]", "null", "\"_auth_user_id\"", "42", " NaN "] {
        assert_eq!(without_login(document), Ok(None), "{document}");
    }
    for document in ["{", "{}x", "{\"_auth_user_id\":}", "{\"a\":01}", "{\"_auth_user_id\":1,}"] {
        assert_eq!(without_login(document), Err(DecodeError::Json), "{document}");
    }
    assert_eq!(without_login(br#"{"a":"#.repeat(1 << 20)), Err(DecodeError::TooComplex));
}

/// The user, who is behind, and whether there may be more.
fn identities(
    payload: &str,
    keys: &LoginKeys,
) -> Result<(Option<String>, Vec<String>, bool), DecodeError> {
    let auth = auth(payload.as_bytes(), keys)?;
    let others = auth.others.into_iter().map(Into::into).collect();
    Ok((auth.user_id.map(Into::into), others, auth.unclear))
}

/// django-loginas 0.3 on Django 5.2.
const SIGNED: &str = "1:1vPabc:9-lDUIrMk3uksYsP0muww_qFLG4nfE8KOVaI6XN_feI";

#[test]
fn who_is_behind_an_impersonation_is_told() {
    let hijack = |value: &str| format!(r#"{{"_auth_user_id":"7","hijack_history":{value}}}"#);
    let backend = "django.contrib.auth.backends.ModelBackend";
    for (value, others, unclear) in [
        ("[]", &[][..], false),
        ("null", &[], false),
        ("\"\"", &[], false),
        (r#"["1","2"]"#, &["1", "2"], false),
        (r#" [ "1" , 2 , 2 , "2", null, "" ] "#, &["1", "2"], false),
        ("1", &["1"], false),
        (&format!("\"{SIGNED}\""), &["1"], false),
        (&format!("[\"{SIGNED}\"]"), &[SIGNED, "1"], false),
        (r#"["7"]"#, &[], false),
        (&format!(r#"[["1","{backend}"],[2,"{backend}"]]"#), &["1", "2"], false),
        // What names nobody for certain leaves the row as it is, and is told.
        ("{}", &[], true),
        (r#"{"id":"1"}"#, &[], true),
        (r#"["1",{"id":"2"},"3"]"#, &["1", "3"], true),
        (r#"[["1","2"],"3"]"#, &["3"], true),
        (r#"[["1","a.b","2"],[["1"],"a.b"],["1"],[]]"#, &[], true),
        ("1.5", &[], true),
        ("true", &[], true),
        ("false", &[], false),
        ("[true,false]", &[], true),
    ] {
        let expected = (Some("7".into()), others.iter().map(|id| (*id).into()).collect(), unclear);
        assert_eq!(identities(&hijack(value), &LoginKeys::default()), Ok(expected), "{value}");
    }
    for value in ["[", "[1", "[1,]", "{\"a\"}", "[[1,\"a.b\"]", "[1]]", "nul", "[\"\u{1}\"]"] {
        let read = identities(&hijack(value), &LoginKeys::default());
        assert_eq!(read, Err(DecodeError::Json), "{value}");
    }
}

#[test]
fn whoever_is_behind_stands_at_the_top_level_and_the_last_counts() {
    for (payload, user, others) in [
        (r#"{"hijack_history":[1],"_auth_user_id":"7"}"#, Some("7"), &["1"][..]),
        (r#"{"_auth_user_id":"7","hijack_history":["1"],"hijack_history":[]}"#, Some("7"), &[]),
        (r#"{"_auth_user_id":"7","cart":{"hijack_history":["1"]}}"#, Some("7"), &[]),
        (r#"{"_auth_user_id":"7","h\u0069jack_history":["1"]}"#, Some("7"), &["1"]),
        (r#"{"loginas_from_user":"1","exit_users_pk":2}"#, None, &["1", "2"]),
        (r#"["hijack_history"]"#, None, &[]),
    ] {
        let expected =
            (user.map(Into::into), others.iter().map(|id| (*id).into()).collect(), false);
        assert_eq!(identities(payload, &LoginKeys::default()), Ok(expected), "{payload}");
    }
}

#[test]
fn an_endless_list_of_identities_is_bounded() {
    let many = |count: usize| (0..count).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    for (count, told, unclear) in [(100, 100, false), (101, 100, true), (200_000, 100, true)] {
        let payload = format!(r#"{{"_auth_user_id":"x","hijack_history":[{}]}}"#, many(count));
        let (user, others, is_unclear) = identities(&payload, &LoginKeys::default()).unwrap();
        assert_eq!((user.as_deref(), others.len(), is_unclear), (Some("x"), told, unclear));
    }
    for (bytes, told) in [(1_000, 1), (1_001, 0)] {
        let long = "y".repeat(bytes);
        for payload in [
            format!(r#"{{"_auth_user_id":"x","hijack_history":["{long}"]}}"#),
            format!(r#"{{"_auth_user_id":"x","hijack_history":"{long}"}}"#),
            format!(r#"{{"_auth_user_id":"x","account":"{long}"}}"#),
        ] {
            let keys = LoginKeys {
                user: vec!["_auth_user_id".into(), "account".into()],
                ..LoginKeys::default()
            };
            let (user, others, unclear) = identities(&payload, &keys).unwrap();
            assert_eq!((user.as_deref(), others.len(), unclear), (Some("x"), told, told == 0));
        }
    }
    let deep = [vec![b'['; 9_000], vec![b']'; 9_000]].concat();
    let payload = format!(r#"{{"hijack_history":[{}]}}"#, String::from_utf8(deep).unwrap());
    assert_eq!(identities(&payload, &LoginKeys::default()), Ok((None, Vec::new(), true)));
}

#[test]
fn the_first_key_of_users_that_is_there_says_who_is_logged_in() {
    let keys = LoginKeys {
        user: ["account", "_auth_user_id"].map(Into::into).into(),
        also: Vec::new(),
        may_be_own: None,
    };
    for (payload, user, others, unclear) in [
        (r#"{"account":5}"#, Some("5"), &[][..], false),
        (r#"{"_auth_user_id":"7"}"#, Some("7"), &[], false),
        (r#"{"_auth_user_id":"7","account":5}"#, Some("5"), &["7"], false),
        (r#"{"_auth_user_id":"7","account":null}"#, Some("7"), &[], false),
        (r#"{"account":5,"account":null,"_auth_user_id":"7"}"#, Some("7"), &[], false),
        (r#"{"_auth_user_id":"5","account":5}"#, Some("5"), &[], false),
        (r#"{"account":5,"_auth_user_id":[]}"#, Some("5"), &[], true),
        (r#"{"account":5,"hijack_history":["1"]}"#, Some("5"), &[], false),
        (r#"{"user":5}"#, None, &[], false),
    ] {
        let expected =
            (user.map(Into::into), others.iter().map(|id| (*id).into()).collect(), unclear);
        assert_eq!(identities(payload, &keys), Ok(expected), "{payload}");
    }
    let bad = r#"{"account":[],"_auth_user_id":"7"}"#;
    assert_eq!(identities(bad, &keys), Err(DecodeError::UserId));
    // Neither a byte beyond ASCII nor an escape hides a key.
    let accented =
        LoginKeys { user: vec!["clé".into()], also: vec!["é".into()], ..LoginKeys::default() };
    for payload in ["{\"clé\":5,\"é\":[6]}", r#"{"cl\u00e9":5,"\u00e9":6}"#] {
        let expected = (Some("5".into()), vec!["6".into()], false);
        assert_eq!(identities(payload, &accented), Ok(expected));
    }
    let latin1 = auth(b"{\"cl\xe9\":5}", &accented);
    assert_eq!(latin1.unwrap().user_id.as_deref(), Some("5"));
}

#[test]
fn a_session_of_nobody_shows_the_ids_under_keys_that_may_be_the_sites_own() {
    let keys = LoginKeys { may_be_own: Some(|key| key.contains("mem")), ..LoginKeys::default() };
    for (payload, own) in [
        (r#"{"member":5,"cart":7,"lang":"mem"}"#, &[("member", "5")][..]),
        (r#"{"m\u0065mber":"5\u0030","_auth_user_id":null}"#, &[("member", "50")]),
        (r#"{"member":5,"mem":true,"member":"6"}"#, &[("member", "6"), ("mem", "1")]),
        (r#"{"member":5,"mem":[5],"member":null}"#, &[]),
        (r#"{"member":5,"_auth_user_id":"7"}"#, &[]),
        (r#"{"member":5,"hijack_history":["7"]}"#, &[]),
        (r#"[{"member":5}]"#, &[]),
    ] {
        let auth = auth(payload.as_bytes(), &keys).unwrap();
        let expected: Vec<_> = own.iter().map(|(key, id)| ((*key).into(), (*id).into())).collect();
        assert_eq!(auth.own, expected, "{payload}");
    }
    let many: Vec<String> = (0..1_000).map(|at| format!(r#""mem{at}":1"#)).collect();
    let payload = format!("{{{}}}", many.join(","));
    assert_eq!(auth(payload.as_bytes(), &keys).unwrap().own.len(), 100);
}

#[test]
fn a_beginning_is_read_by_the_first_key_of_users() {
    let first = |payload: &'static str, key: &str| {
        let keys =
            LoginKeys { user: vec![key.into(), "_auth_user_id".into()], ..LoginKeys::default() };
        super::first_user(payload.as_bytes(), &keys)
    };
    let payload = r#"{"_auth_user_id":"7","account":5,"#;
    assert_eq!(first(payload, "_auth_user_id"), Some("7"));
    assert_eq!(first(payload, "account"), Some("5"));
    assert_eq!(first(payload, "user"), None);
    assert_eq!(first(r#"{"account":"5""#, "account"), Some("5"));
    // What has to be decoded first is left to the whole look.
    for id in [r"\u0037", r"7\n", "é"] {
        let payload = format!(r#"{{"account":"{id}","a":1}}"#).leak();
        assert_eq!(first(payload, "account"), None, "{id}");
    }
}

/// The beginning may end amid the number: then it names nobody.
#[test]
fn a_number_that_the_beginning_cuts_is_no_user() {
    let keys = LoginKeys::default();
    for payload in [
        r#"{"_auth_user_id":4211223344556677,"a":1}"#,
        r#"{"a":1,"_auth_user_id":4211223344556677}"#,
    ] {
        let number_ends = payload.find("77").unwrap() + 2;
        for cut in 0..payload.len() {
            let user = super::first_user(&payload.as_bytes()[..cut], &keys);
            let is_whole = cut > number_ends;
            assert_eq!(user, is_whole.then_some("4211223344556677"), "{}", &payload[..cut]);
        }
    }
}

#[test]
fn what_goes_with_the_login_is_every_key_that_says_whose_it_is() {
    let keys = LoginKeys { user: vec!["account".into()], ..LoginKeys::default() };
    let document = r#"{"account":1,"_auth_user_id":"7","_auth_user_hash":"h","hijack_history":["1"],"loginas_from_user":"1","exit_users_pk":[],"a":2}"#;
    let without = super::without_login(document.as_bytes(), &Limits::default(), &keys);
    assert_eq!(without, Ok(Some(r#"{"a":2}"#.into())));
}
