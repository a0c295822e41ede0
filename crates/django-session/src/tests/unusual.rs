//! Payloads that begin like nothing known.

use super::*;

fn legacy(payload: &[u8]) -> String {
    let mut bytes = Vec::new();
    base64::decode_standard(LEGACY.as_bytes(), &mut bytes).unwrap();
    let whole = envelope::Whole::split(Layout::Legacy, &bytes).unwrap();
    whole.seal.renew(payload, 0, &codec(&[KEY]).keyring).unwrap()
}

/// Pickles of the dict `{'_auth_user_id': '42'}` that begin with what no pickler of Python's begins with.
const PICKLES: [&[u8]; 5] = [
    b"N0}V_auth_user_id\nV42\ns.",
    b"I1\n0}V_auth_user_id\nV42\ns.",
    b"\x95\x20\0\0\0\0\0\0\0}\x8c\x0d_auth_user_id\x8c\x0242s.",
    b"\x8c\x0bcollections\x8c\x0bOrderedDict\x93)R\x8c\x0d_auth_user_id\x8c\x0242s.",
    b"]0}V_auth_user_id\nV42\ns.",
];

#[test]
fn what_a_key_verifies_and_is_not_json_is_a_pickle_whatever_it_begins_with() {
    for pickle in PICKLES {
        for stored in [signed(pickle, &codec(&[KEY])), legacy(pickle)] {
            let (_, signature, user) = read(&stored, &[KEY]);
            assert_eq!((signature, user), (Signature::Valid, Ok(Some("42".into()))), "{pickle:?}");
            let codec = codec(&[KEY]);
            let mut decoder = Decoder::new(&codec);
            let payload = decoder.decode(&stored).payload().unwrap();
            assert_eq!(payload.serializer(), Serializer::Pickle);
            assert_eq!(payload.json().as_deref(), Ok(r#"{"_auth_user_id":"42"}"#));
        }
    }
}

#[test]
fn what_no_key_verifies_is_judged_by_its_beginning() {
    for pickle in PICKLES {
        let looks_like_json = matches!(pickle[0], b'N' | b'I');
        let why = if looks_like_json { DecodeError::Json } else { DecodeError::UnknownSerializer };
        for keys in [&["another"][..], &[]] {
            assert_eq!(read(&signed(pickle, &codec(&[KEY])), keys).2, Err(why), "{pickle:?}");
        }
    }
}

/// What a serializer of the site's own makes is no pickle for being verified.
#[test]
fn what_is_neither_is_the_work_of_another_serializer() {
    for payload in [
        &b"\x81\xa1x\x01"[..],
        b"\x80",
        b"<xml/>",
        b"a: 1",
        b"K\x01.",
        b"V_auth_user_id\n.",
        b"\x00",
        b"",
    ] {
        let (_, signature, user) = read(&signed(payload, &codec(&[KEY])), &[KEY]);
        assert_eq!(signature, Signature::Valid);
        assert_eq!(user, Err(DecodeError::UnknownSerializer), "{payload:?}");
    }
    assert_eq!(read(&signed("NaN", &codec(&[KEY])), &[KEY]).2, Ok(None));
    assert_eq!(read(&signed("Nope", &codec(&[KEY])), &[KEY]).2, Err(DecodeError::Json));
}
