//! What a row is.

use super::*;

fn verdict_with(codec: &Codec, stored: &str, matters: bool, expected: &Verdict<'_>) {
    let mut decoder = Decoder::new(codec);
    assert_eq!(decoder.decode(stored).verdict(|_| matters), *expected, "{stored}");
}

/// Of this payload, signed with the key, where the signature matters: with this key, another one, and none.
fn verdicts(payload: &[u8], limits: Limits, expected: [Verdict<'_>; 3]) {
    let stored = signed(payload, &codec(&[KEY]));
    for (keys, expected) in [&[KEY][..], &["another"], &[]].into_iter().zip(expected) {
        verdict_with(&Codec { limits, ..codec(keys) }, &stored, true, &expected);
    }
}

fn login(user: &'static str, others: &[&'static str], signature: Signature) -> Verdict<'static> {
    let others = others.iter().map(|id| (*id).into()).collect();
    Verdict::Login(Login { user_id: user.into(), backend: None, others, unclear: false, signature })
}

#[test]
fn who_is_named_is_logged_in_and_the_signature_says_whether_it_is_so() {
    for (payload, user, others) in [
        (r#"{"_auth_user_id":"42"}"#, "42", &[][..]),
        (r#"{"_auth_user_id":"7","hijack_history":["1","2"]}"#, "7", &["1", "2"]),
        // Who comes back when an impersonation ends is logged in, too.
        (r#"{"hijack_history":["1"]}"#, "1", &[]),
        (r#"{"hijack_history":["1","2"]}"#, "2", &["1"]),
    ] {
        let of = |signature| login(user, others, signature);
        let signatures = [Signature::Valid, Signature::Invalid, Signature::Unchecked];
        verdicts(payload.as_bytes(), Limits::default(), signatures.map(of));
        let stored = signed(payload.as_bytes(), &codec(&[KEY]));
        for keys in [KEY, "another"] {
            verdict_with(&codec(&[keys]), &stored, false, &of(Signature::Unchecked));
        }
    }
    let payload = br#"{"_auth_user_id":"42","_auth_user_backend":"site.Backend"}"#;
    let stored = signed(payload, &codec(&[KEY]));
    let Verdict::Login(of_42) = login("42", &[], Signature::Valid) else { unreachable!() };
    let backend = Some("site.Backend".into());
    verdict_with(&codec(&[KEY]), &stored, true, &Verdict::Login(Login { backend, ..of_42 }));
    let unverified = |signature| Login {
        user_id: "7".into(),
        backend: None,
        others: vec!["1".into()],
        unclear: false,
        signature,
    };
    assert!(unverified(Signature::Invalid).is_unverified());
    assert!(!unverified(Signature::Valid).is_unverified());
    assert!(!unverified(Signature::Unchecked).is_unverified());
    assert!(unverified(Signature::Valid).users().eq(["7", "1"]));
}

#[test]
fn who_is_named_by_nobody_is_anonymous_and_what_may_name_somebody_is_not() {
    for payload in ["{}", r#"{"_auth_user_id":null}"#, r#"{"hijack_history":[]}"#] {
        let expected = [(); 3].map(|()| Verdict::Anonymous { own: Vec::new() });
        verdicts(payload.as_bytes(), Limits::default(), expected);
    }
    let unclear = || Verdict::Unreadable(DecodeError::UserId);
    let payload = br#"{"hijack_history":{"id":"1"}}"#;
    verdicts(payload, Limits::default(), [unclear(), unclear(), unclear()]);
    // Django's own serializers write a mapping. What is none may enclose what another serializer wrote.
    for payload in ["[]", " 7", r#""text""#, "null"] {
        let other = || Verdict::Unreadable(DecodeError::UnknownSerializer);
        verdicts(payload.as_bytes(), Limits::default(), [other(), other(), other()]);
    }
}

/// A serializer of the site's own may write what begins with the same byte as JSON or a pickle, and another key may have
/// signed it. What begins as Django's own do and is broken is nobody's login, unless a key says that Django wrote it.
#[test]
fn what_cannot_be_read_may_be_a_login_if_a_key_could_have_signed_it() {
    let small = Limits { payload: 200, depth: 3, ..Limits::default() };
    for (payload, why, is_django_s) in [
        (&b"{"[..], DecodeError::Json, true),
        (br#"{"_auth_user_id":"4"#, DecodeError::Json, true),
        (b"{_auth_user_id: '42'}", DecodeError::Json, false),
        (b"\x80\x04}", DecodeError::Pickle, true),
        (b"(\xb5/\xfd", DecodeError::Pickle, false),
        (br#"{"_auth_user_id":[]}"#, DecodeError::UserId, false),
        (b"\x93msgpack", DecodeError::UnknownSerializer, false),
        (&[b' '; 300], DecodeError::TooLarge, false),
        (b"[[[[[]]]]]", DecodeError::TooComplex, false),
    ] {
        let unreadable = || Verdict::Unreadable(why);
        let of_another = if is_django_s { Verdict::Damaged(why) } else { unreadable() };
        verdicts(payload, small, [unreadable(), of_another, unreadable()]);
    }
}

/// No Django gets at the payload, whatever its keys are.
#[test]
fn what_encloses_it_is_broken() {
    let plain = signed(b"{}", &codec(&[KEY]));
    let zlib = format!(".{plain}");
    verdict_with(&codec(&["another"]), &zlib, true, &Verdict::Damaged(DecodeError::Zlib));
    verdict_with(&codec(&[]), &zlib, true, &Verdict::Unreadable(DecodeError::Zlib));
}

/// Of a `SessionStore` with an `encode` of its own; what was once Django's and is cut or damaged is none of these.
#[test]
fn what_is_in_no_layout_of_django_s_may_be_a_session_where_the_site_has_its_own() {
    let own = |keys: &[&str]| Codec { encode: Encode::Unknown, ..codec(keys) };
    let cut = |text: &str, len: usize| text[..len].to_owned();
    let plain = signed(br#"{"_auth_user_id":"42"}"#, &codec(&[KEY]));
    let foreign = [
        "gAAAAABh-fernet-token",
        "gAAAAABhQx-_Qx-_",
        "nonce+text:of:the:site",
        "bm9uY2U:abc:dGFn",
        "v2.local.bm9uY2U",
        "eyJhbGciOiJIUzI1NiJ9.eyJfYXV0aF91c2VyX2lkIjoiNyJ9.c2ln",
        "eyJfYXV0aF91c2VyX2lkIjoiNyJ9",
    ];
    for stored in foreign {
        let codec = own(&[KEY]);
        let mut decoder = Decoder::new(&codec);
        let verdict = decoder.decode(stored).verdict(|_| true);
        assert!(matches!(verdict, Verdict::Unreadable(_)), "{stored}: {verdict:?}");
    }
    for stored in
        [cut(&plain, 20), cut(&plain, 27), format!(".{plain}"), String::new(), "42".into()]
    {
        let codec = own(&["another"]);
        let mut decoder = Decoder::new(&codec);
        let verdict = decoder.decode(&stored).verdict(|_| true);
        assert!(matches!(verdict, Verdict::Damaged(_)), "{stored}: {verdict:?}");
        // Where the site is known to have its own, it may have written whatever it is.
        let codec = Codec { encode: Encode::Own, ..own(&["another"]) };
        let mut decoder = Decoder::new(&codec);
        let verdict = decoder.decode(&stored).verdict(|_| true);
        assert!(matches!(verdict, Verdict::Unreadable(_)), "{stored}: {verdict:?}");
    }
}

#[test]
fn what_no_key_can_have_signed_is_damaged_whatever_it_holds() {
    let cut = |payload: &[u8]| {
        let mut stored = signed(payload, &codec(&[KEY]));
        stored.pop();
        stored
    };
    for (stored, why) in [
        ("no layout of Django's", DecodeError::Base64),
        (&cut(b"\x93msgpack"), DecodeError::UnknownSerializer),
        (&cut(b"[]"), DecodeError::UnknownSerializer),
    ] {
        verdict_with(&codec(&[KEY]), stored, true, &Verdict::Damaged(why));
        verdict_with(&codec(&[]), stored, true, &Verdict::Unreadable(why));
    }
}
