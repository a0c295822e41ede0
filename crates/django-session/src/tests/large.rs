//! Sessions that exceed what one row may cost.

use super::*;

fn small(keys: &[&str]) -> Codec {
    Codec { limits: Limits { payload: 1_000, ..Limits::default() }, ..codec(keys) }
}

/// The same payload in the layout of Django 1.3 to 3.0.
fn legacy(payload: &[u8]) -> String {
    let mut bytes = Vec::new();
    base64::decode_standard(LEGACY.as_bytes(), &mut bytes).unwrap();
    let whole = envelope::Whole::split(Layout::Legacy, &bytes).unwrap();
    whole.seal.renew(payload, 0, &codec(&[KEY]).keyring).unwrap()
}

/// All ways to store this payload.
fn stored(payload: &[u8]) -> [String; 3] {
    [signed(payload, &codec(&[KEY])), compressed(payload), legacy(payload)]
}

pub(super) fn compressed(payload: &[u8]) -> String {
    let value = format!(".{}:1r31eq", base64::encode_url(&zlib::deflate(payload).unwrap()));
    let signature = codec(&[KEY]).keyring.sign_signed(value.as_bytes(), 43).unwrap();
    format!("{value}:{signature}")
}

fn user(session: &Decoded<'_>) -> Result<Option<String>, DecodeError> {
    session.auth().map(|auth| auth.user_id.map(Into::into))
}

#[test]
fn a_large_session_is_the_users_whom_its_beginning_names() {
    let long = format!(r#""a":"{}""#, "ab".repeat(500));
    let items = "[1,2,{\"a\":null}],".repeat(58);
    let (code, user_42) = (&small(&[KEY]), Ok(Some("42".to_owned())));
    for (payload, expected) in [
        (format!(r#"{{"_auth_user_id":"42",{long}}}"#), user_42.clone()),
        (format!(r#"{{"cart":[1],"_auth_user_id":42,"b":[{items}1]}}"#), user_42.clone()),
        (format!(r#"{{"_auth_user_id":"42","b":[{items}"#), user_42.clone()),
        (format!(r#"{{{long},"_auth_user_id":"42"}}"#), Err(DecodeError::TooLarge)),
        (format!("[{items}1,2,3,4,5,6,7,8,9]"), Err(DecodeError::TooLarge)),
        (format!("{}{{\"_auth_user_id\":\"42\"}}", " ".repeat(1_000)), Err(DecodeError::TooLarge)),
        (format!(r#"{{"_auth_user_id":"42"}}{}"#, " ".repeat(1_000)), user_42.clone()),
        (format!("{{}}{}", " ".repeat(1_000)), Err(DecodeError::TooLarge)),
        (format!(r#"{{"_auth_user_id":null,{long}}}"#), Err(DecodeError::TooLarge)),
        (format!(r#"{{"_auth_user_id":[],{long}}}"#), Err(DecodeError::UserId)),
        // What follows is not seen.
        (format!(r#"{{"_auth_user_id":"42",{long},"_auth_user_id":"7"}}"#), user_42.clone()),
        (format!(r#"{{"_auth_user_id":"42",{long},}}"#), user_42),
        // But what is seen has to be JSON.
        (format!(r#"{{"_auth_user_id":"42",,{long}}}"#), Err(DecodeError::Json)),
        (format!(r#"{{"_auth_user_id":"42"}}}}{}"#, " ".repeat(1_000)), Err(DecodeError::Json)),
        (format!(r#"{{"_auth_user_id":"42","b":nil,{long}}}"#), Err(DecodeError::Json)),
        (format!("{{\"_auth_user_id\":\"42\",\"b\":\"\n\",{long}}}"), Err(DecodeError::Json)),
    ] {
        for stored in stored(payload.as_bytes()) {
            let mut decoder = Decoder::new(code);
            let session = decoder.decode(&stored);
            assert_eq!(user(&session), expected, "{payload} as {stored}");
            assert_eq!(session.signature(), Signature::Valid, "{payload} as {stored}");
            let payload = session.payload();
            if payload.is_ok_and(|payload| payload.auth().is_ok()) {
                assert_eq!(payload.unwrap().json(), Err(DecodeError::TooLarge));
                let members = payload.unwrap().members(&mut |_, _| ());
                assert_eq!(members, Err(DecodeError::TooLarge));
            }
            let kept = session.without_login(0);
            assert_eq!(kept, Err(NotKept::Unreadable(DecodeError::TooLarge)));
            let again = Decoder::new(code).decode_unless(&stored, |_| false).map(|it| user(&it));
            assert_eq!(again, Some(expected.clone()));
        }
    }
}

/// Wherever a document is cut, its beginning names the user, or nobody can be told; that it is broken is never said.
#[test]
fn a_document_may_be_cut_anywhere() {
    let document = r#"{"a":[null,true,false,NaN,-Infinity,1.5e-7,"\u00e9\\é"],"_auth_user_id":"42","_auth_user_backend":"b.C","hijack_history":["1"],"z":-1}"#;
    let mut told = 0;
    for len in 1..document.len() {
        let cut = &document.as_bytes()[..len];
        let auth = json::auth_of_beginning(cut, &Limits::default(), &LoginKeys::default());
        match auth {
            Ok(auth) => {
                told += 1;
                assert_eq!(auth.user_id.as_deref(), Some("42"), "{len}");
            }
            Err(why) => assert_eq!((why, told), (DecodeError::TooLarge, 0), "{len}"),
        }
    }
    let from = document.find(r#","_auth_user_backend"#).unwrap();
    assert_eq!(told, document.len() - from - 1);
    // A number may go on.
    for (cut, expected) in [
        (r#"{"_auth_user_id":4"#, None),
        (r#"{"_auth_user_id":4,"#, Some("4")),
        (r#"{"_auth_user_id":"4""#, None),
    ] {
        let auth =
            json::auth_of_beginning(cut.as_bytes(), &Limits::default(), &LoginKeys::default());
        let user = auth.ok().and_then(|auth| auth.user_id);
        assert_eq!(user.as_deref(), expected, "{cut}");
    }
}

#[test]
fn a_large_pickle_is_the_users_whom_its_beginning_names() {
    let text = |text: &str| {
        let len = u32::try_from(text.len()).unwrap();
        [b"X", &len.to_le_bytes()[..], text.as_bytes()].concat()
    };
    let user_id = [&text("_auth_user_id")[..], b"K\x2a"].concat();
    let long = [text("a"), text(&"ab".repeat(520))].concat();
    let list = [&text("l")[..], b"]q\x01(", &b"K\x01".repeat(490), b"e"].concat();
    let proto = b"\x80\x02}q\x00";
    let user_42 = Ok(Some("42".to_owned()));
    let cases: [(&[&[u8]], _); 8] = [
        (&[proto, b"(", &user_id, &long, b"u."], user_42.clone()),
        (&[proto, b"(", &user_id, &list, b"u."], user_42.clone()),
        (&[proto, &user_id, b"s", &long, b"s."], user_42.clone()),
        (&[b"(dp0\n", &user_id, b"s", &list, b"s."], user_42.clone()),
        (&[proto, b"(", &user_id, b"u.", &long], user_42),
        (&[proto, b"(", &long, &user_id, b"u."], Err(DecodeError::TooLarge)),
        (&[b"(", &user_id, &long, b"d."], Err(DecodeError::TooLarge)),
        (&[proto, b"(", &user_id, b"\xff", &long, b"u."], Err(DecodeError::Pickle)),
    ];
    for (parts, expected) in cases {
        let payload = parts.concat();
        for stored in stored(&payload) {
            let codec = small(&[KEY]);
            let mut decoder = Decoder::new(&codec);
            let session = decoder.decode(&stored);
            assert_eq!((user(&session), session.signature()), (expected.clone(), Signature::Valid));
            assert!(session.without_login(0).is_err());
        }
    }
    // The same holds for one that has more values than are allowed.
    let limits = Limits { pickle_values: 100, ..Limits::default() };
    let complex = Codec { limits, ..codec(&[KEY]) };
    for (parts, expected) in [
        ([proto, &b"("[..], &user_id, &list, b"u."], Ok(Some("42".to_owned()))),
        ([proto, &b"("[..], &list, &user_id, b"u."], Err(DecodeError::TooComplex)),
    ] {
        let stored = signed(parts.concat(), &complex);
        assert_eq!(user(&Decoder::new(&complex).decode(&stored)), expected);
    }
}

#[test]
fn a_large_session_is_not_believed_without_its_signature() {
    let payload = format!(r#"{{"_auth_user_id":"42","a":"{}"}}"#, "a".repeat(1_000));
    for stored in stored(payload.as_bytes()) {
        for (keys, signature) in
            [(&["another"][..], Signature::Invalid), (&[], Signature::Unchecked)]
        {
            let codec = small(keys);
            let mut decoder = Decoder::new(&codec);
            let session = decoder.decode(&stored);
            assert_eq!((user(&session), session.signature()), (Ok(Some("42".into())), signature));
        }
    }
}

/// While a decoder has a large row others go on with small ones, and with large ones when it has done with its page.
#[test]
fn decoders_take_turns_with_large_rows() {
    let payload = format!(r#"{{"_auth_user_id":"42","note":"{}"}}"#, "A".repeat(2_000_000));
    let payload = payload.as_bytes();
    let codec = codec(&[KEY]);
    for large in [signed(payload, &codec), compressed(payload), legacy(payload)] {
        let mut decoder = Decoder::new(&codec);
        let mut page = decoder.page();
        assert_eq!(user(&page.decode(&large)), Ok(Some("42".into())));
        assert!(codec.shared.is_taken());
        assert_eq!(user(&Decoder::new(&codec).decode(SIGNED)), Ok(Some("42".into())));
        drop(page);
        assert!(!codec.shared.is_taken());
        assert_eq!(user(&Decoder::new(&codec).decode(&large)), Ok(Some("42".into())));
        assert!(!codec.shared.is_taken());
    }
}

/// 9 kB that inflate to 9 MB: memory stays within the limit, and is given back.
#[test]
fn what_inflates_beyond_the_limit_takes_no_more_than_the_limit() {
    let payload = format!(r#"{{"_auth_user_id":"42","note":"{}"}}"#, "A".repeat(9_000_000));
    let codec = codec(&[KEY]);
    let stored = compressed(payload.as_bytes());
    assert!(stored.len() < 100_000);
    let mut decoder = Decoder::new(&codec);
    let session = decoder.decode(&stored);
    assert_eq!((user(&session), session.signature()), (Ok(Some("42".into())), Signature::Valid));
    decoder.decode(SIGNED);
    assert!(decoder.held() <= 2 * KEPT_BUFFER, "{}", decoder.held());
    let shared = codec.shared.buffer(codec.limits.payload);
    assert!(shared.capacity() <= codec.limits.payload / 8 * 9);
}

#[test]
fn of_what_is_too_large_nobody_says_that_it_is_not_signed() {
    let small = Codec { limits: Limits { payload: 1_000, ..Limits::default() }, ..codec(&[KEY]) };
    let payload = format!(r#"{{"_auth_user_id":"42","a":"{}"}}"#, "a".repeat(2_000));
    let mut bytes = Vec::new();
    base64::decode_standard(LEGACY.as_bytes(), &mut bytes).unwrap();
    let whole = envelope::Whole::split(Layout::Legacy, &bytes).unwrap();
    let legacy = whole.seal.renew(payload.as_bytes(), 0, &small.keyring).unwrap();
    assert_eq!(read(&legacy, &[KEY]).1, Signature::Valid);
    let disguised = format!("{}:{}:{}", &legacy[..30], &legacy[30..60], &legacy[60..]);
    assert_eq!(read(&disguised, &[KEY]).1, Signature::Valid);
    for (stored, signature) in [(&legacy, Signature::Unchecked), (&disguised, Signature::Unchecked)]
    {
        let mut decoder = Decoder::new(&small);
        let session = decoder.decode(stored);
        assert_eq!(session.auth(), Err(DecodeError::TooLarge));
        assert_eq!(session.signature(), signature, "{stored}");
    }
    for (keys, keyring) in [(&[][..], "no key"), (&[KEY], "a key")] {
        let codec = codec(keys);
        let decoder = Decoder::new(&codec);
        let session = decoder.too_large();
        assert_eq!(session.auth(), Err(DecodeError::TooLarge));
        assert_eq!(session.signature(), Signature::Unchecked, "{keyring}");
        let without = session.without_login(0);
        assert_eq!(without, Err(NotKept::Unverified));
    }
}
