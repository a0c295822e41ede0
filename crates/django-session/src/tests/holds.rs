//! What a session holds under a path.

use super::*;

fn holds_with(
    limits: Limits,
    payload: &[u8],
    path: &str,
    value: &str,
) -> Result<bool, DecodeError> {
    let stored = signed(payload, &codec(&[KEY]));
    let codec = Codec { limits, ..codec(&[KEY]) };
    Decoder::new(&codec).decode(&stored).payload().unwrap().holds(path, value)
}

fn holds(payload: &[u8], path: &str, value: &str) -> Result<bool, DecodeError> {
    holds_with(Limits::default(), payload, path, value)
}

/// `{'sid': 'a-1', 'n': 42, 'yes': True, 'no': None, 'half': 0.5, 'cart': {'items': [7, 'x']}, 1: 'one', 'a.b': {'c': 'dots'}}` as
/// JSON and as pickles of protocols 0, 2 and 5.
const SAME: [&[u8]; 4] = [
    br#"{"sid":"a-1","n":42,"yes":true,"no":null,"half":0.5,"cart":{"items":[7,"x"]},"1":"one","a.b":{"c":"dots"}}"#,
    b"(dp0\nVsid\np1\nVa-1\np2\nsVn\np3\nI42\nsVyes\np4\nI01\nsVno\np5\nNsVhalf\np6\nF0.5\nsVcart\np7\n(dp8\nVitems\np9\n(lp10\nI7\naVx\np11\nassI1\nVone\np12\nsVa.b\np13\n(dp14\nVc\np15\nVdots\np16\nss.",
    b"\x80\x02}(X\x03\x00\x00\x00sidX\x03\x00\x00\x00a-1X\x01\x00\x00\x00nK*X\x03\x00\x00\x00yes\x88X\x02\x00\x00\x00noNX\x04\x00\x00\x00halfG?\xe0\x00\x00\x00\x00\x00\x00X\x04\x00\x00\x00cart}X\x05\x00\x00\x00items](K\x07X\x01\x00\x00\x00xesK\x01X\x03\x00\x00\x00oneX\x03\x00\x00\x00a.b}X\x01\x00\x00\x00cX\x04\x00\x00\x00dotssu.",
    b"\x80\x05}(\x8c\x03sid\x8c\x03a-1\x8c\x01nK*\x8c\x03yes\x88\x8c\x02noN\x8c\x04halfG?\xe0\x00\x00\x00\x00\x00\x00\x8c\x04cart}\x8c\x05items](K\x07\x8c\x01xesK\x01\x8c\x03one\x8c\x03a.b}\x8c\x01c\x8c\x04dotssu.",
];

#[test]
fn a_path_leads_to_a_value_in_json_and_in_pickles() {
    for payload in SAME {
        for (path, value) in [
            ("sid", "a-1"),
            ("n", "42"),
            ("yes", "true"),
            ("no", "null"),
            ("half", "0.5"),
            ("cart.items.0", "7"),
            ("cart.items.1", "x"),
            ("1", "one"),
            ("a.b.c", "dots"),
        ] {
            assert_eq!(holds(payload, path, value), Ok(true), "{path}");
            for other in [format!("{value} "), format!(" {value}"), value.to_uppercase() + "0"] {
                assert_eq!(holds(payload, path, &other), Ok(false), "{path} {other}");
            }
        }
        for (path, value) in [
            ("SID", "a-1"),
            ("si", "a-1"),
            ("sid.0", "a-1"),
            ("cart", "{"),
            ("cart.items", "7"),
            ("cart.items.2", "x"),
            ("cart.items.00", "7"),
            ("cart.items.-1", "x"),
            ("items.0", "7"),
            ("a", "dots"),
            ("a.b", "dots"),
            ("a.c", "dots"),
            ("", "a-1"),
            (".sid", "a-1"),
            ("n", "42.0"),
            ("n", "\"42\""),
            ("yes", "True"),
            ("yes", "1"),
            ("no", ""),
        ] {
            assert_eq!(holds(payload, path, value), Ok(false), "{path} {value}");
        }
    }
}

#[test]
fn of_repeated_keys_the_last_counts() {
    for payload in [
        &br#"{"a":"1","a":"2","b":{"c":1},"b":{"d":1}}"#[..],
        b"\x80\x04}(\x8c\x01a\x8c\x011\x8c\x01a\x8c\x012\x8c\x01b}\x8c\x01cK\x01s\x8c\x01b}\x8c\x01dK\x01su.",
    ] {
        assert_eq!(holds(payload, "a", "1"), Ok(false));
        assert_eq!(holds(payload, "a", "2"), Ok(true));
        assert_eq!(holds(payload, "b.c", "1"), Ok(false));
        assert_eq!(holds(payload, "b.d", "1"), Ok(true));
    }
}

#[test]
fn a_key_with_dots_and_one_without_may_both_lead_on() {
    let payload = br#"{"a":{"b":"1"},"a.b":"2"}"#;
    assert_eq!(holds(payload, "a.b", "1"), Ok(true));
    assert_eq!(holds(payload, "a.b", "2"), Ok(true));
    assert_eq!(holds(payload, "a.b", "3"), Ok(false));
}

#[test]
fn texts_are_compared_by_their_characters() {
    for (payload, value) in [
        (r#"{"a":"\u00e9\ud83d\ude00\n"}"#, "é😀\n"),
        (r#"{"a":"é"}"#, "é"),
        (r#"{"\u0061":"\""}"#, "\""),
        (r#"{"a":""}"#, ""),
        (r#"{ "a" : [ ] , "a" : 1.50 }"#, "1.50"),
        (r#"{"a":123456789012345678901234567890}"#, "123456789012345678901234567890"),
    ] {
        assert_eq!(holds(payload.as_bytes(), "a", value), Ok(true), "{payload}");
    }
    // What Python has as a lone surrogate no text of the command line is.
    for value in ["\u{fffd}", "\\ud83d", "?"] {
        assert_eq!(holds(br#"{"a":"\ud83d"}"#, "a", value), Ok(false));
    }
}

#[test]
fn what_cannot_be_read_to_its_end_holds_nothing_for_certain() {
    for broken in [r#"{"a":"1""#, r#"{"a":"1"}}"#, r#"{"a":"1","b":[1,]}"#, r#"{"a":"1",}"#] {
        assert_eq!(holds(broken.as_bytes(), "a", "1"), Err(DecodeError::Json), "{broken}");
    }
    assert_eq!(holds(b"\x80\x04}\x8c\x01a\x8c\x011s", "a", "1"), Err(DecodeError::Pickle));
    let limits = Limits { payload: 20, ..Limits::default() };
    let long = br#"{"a":"1","b":"far beyond the limit"}"#;
    assert_eq!(holds_with(limits, long, "a", "1"), Err(DecodeError::TooLarge));
    let deep = ["a"; 101].join(".");
    assert_eq!(holds(b"{}", &deep, "1"), Err(DecodeError::TooComplex));
    assert_eq!(holds(b"{}", &deep[2..], "1"), Ok(false));
}

#[test]
fn an_object_of_the_sites_own_may_hold_anything() {
    // {'a': shop.Cart(), 'b': '1'}
    let payload = b"\x80\x04}(\x8c\x01a\x8c\x04shop\x8c\x04Cart\x93)R\x8c\x01b\x8c\x011u.";
    assert_eq!(holds(payload, "b", "1"), Ok(true));
    assert_eq!(holds(payload, "b", "2"), Ok(false));
    assert_eq!(holds(payload, "a", "1"), Ok(false));
    assert_eq!(holds(payload, "a.x", "1"), Err(DecodeError::UnknownSerializer));
    // shop.Session(), with an entry that shows and others that may not.
    let payload = b"\x80\x04\x8c\x04shop\x8c\x04Dict\x93)R\x8c\x01b\x8c\x011s.";
    assert_eq!(holds(payload, "b", "1"), Ok(true));
    assert_eq!(holds(payload, "c", "1"), Err(DecodeError::UnknownSerializer));
}

/// A list that holds itself, a thousand times over.
#[test]
fn a_path_through_a_cycle_ends() {
    let payload = b"\x80\x04}\x94\x8c\x01ah\x00s.";
    let path = ["a"; 100].join(".");
    assert_eq!(holds(payload, &path, "1"), Ok(false));
}
