mod early;
mod holds;
mod large;
mod unusual;
mod verdict;

use super::*;

/// `SECRET_KEY` of the vectors in `FORMAT.md` §13.
const KEY: &str = "clé-🔑";

fn codec(keys: &[&str]) -> Codec {
    Codec { keyring: Keyring::new(keys, DEFAULT_KEY_SALT), ..Codec::default() }
}

/// Layout, signature and user id, or why the row cannot be read.
fn read(
    stored: &str,
    keys: &[&str],
) -> (Option<Layout>, Signature, Result<Option<String>, DecodeError>) {
    let codec = codec(keys);
    let mut decoder = Decoder::new(&codec);
    let session = decoder.decode(stored);
    let user = session.auth().map(|auth| auth.user_id.map(Into::into));
    (session.layout(), session.signature(), user)
}

const SIGNED: &str =
    "eyJfYXV0aF91c2VyX2lkIjoiNDIifQ:1r31eq:9-lDUIrMk3uksYsP0muww_qFLG4nfE8KOVaI6XN_feI";
const SIGNED_ZLIB: &str = ".eJyrVopPLC3JiC8tTi2Kz0xRslIyMVLSUaoAMmJKDQxSLWNKUyyMU4BkqoFBIgVAqRYAnP4law:1r31eq:CGh6VRv8nUgebc058GCUVUI-2_HRHjXq9DlGAuMDWcw";
const LEGACY: &str =
    "OGExNDkyNzQ1YjQ0ZWZmMDFmNzQ3MDFlZTZhNzA5ZjFhZDg1NWFiMzp7Il9hdXRoX3VzZXJfaWQiOiI0MiJ9";
const LEGACY_PICKLE: &str =
    "ZmM4ZTg5YzhlYzhmODVhNmJiYmZkZjYzN2UzNGE4NGQ0ZjZkOWJkZDqAAn1xAVUNX2F1dGhfdXNl\ncl9pZEsqcy4=\n";
const MD5: &str = "gAJ9cQFVDV9hdXRoX3VzZXJfaWRLKnMuNTIwNTVkZDdmZTk3NGI3ZTkwZTA4ZWU0NDVlMmJmMjE=\n";

#[test]
fn the_worked_vectors_verify() {
    let user = || Ok(Some("42".to_owned()));
    for (stored, layout) in [
        (SIGNED, Layout::Signed),
        (SIGNED_ZLIB, Layout::Signed),
        (LEGACY, Layout::Legacy),
        (LEGACY_PICKLE, Layout::Legacy),
        (MD5, Layout::Md5),
    ] {
        assert_eq!(read(stored, &[KEY]), (Some(layout), Signature::Valid, user()), "{stored}");
        assert_eq!(
            read(stored, &["new", KEY]),
            (Some(layout), Signature::Valid, user()),
            "{stored}"
        );
        assert_eq!(read(stored, &["new"]), (Some(layout), Signature::Invalid, user()), "{stored}");
        assert_eq!(read(stored, &[]), (Some(layout), Signature::Unchecked, user()), "{stored}");
    }
    assert_eq!(read("e30:1r31eq:INH_bqkHRbKeipqpKwRZ9FRp1nYJle5J7ptdICHxRLs", &[KEY]).2, Ok(None));
}

#[test]
fn which_key_signed_is_told_in_every_layout() {
    let signed_by = |stored: &str, keys: &[&str]| {
        let codec = codec(keys);
        Decoder::new(&codec).decode(stored).signed_by()
    };
    for stored in [SIGNED, SIGNED_ZLIB, LEGACY, LEGACY_PICKLE, MD5] {
        assert_eq!(signed_by(stored, &[KEY, "old"]), Some(0), "{stored}");
        assert_eq!(signed_by(stored, &["new", "newer", KEY]), Some(2), "{stored}");
        assert_eq!(signed_by(stored, &["new"]), None, "{stored}");
        assert_eq!(signed_by(stored, &[]), None, "{stored}");
    }
}

#[test]
fn the_save_time_is_read_without_a_key() {
    let codec = codec(&[]);
    assert_eq!(Decoder::new(&codec).decode(SIGNED).saved(), Some(1_700_000_000));
    assert_eq!(Decoder::new(&codec).decode(LEGACY).saved(), None);
}

#[test]
fn a_signature_is_compared_as_text() {
    for changed in [
        format!("{SIGNED}="),
        format!("{SIGNED}\n"),
        format!("{SIGNED} "),
        SIGNED.replace("9-lD", "9+lD"),
        SIGNED.replace(":1r31eq:", ":1r31er:"),
        SIGNED.replace("eyJf", "eyJg"),
        format!(".{SIGNED}"),
    ] {
        assert_eq!(read(&changed, &[KEY]).1, Signature::Invalid, "{changed:?}");
    }
}

#[test]
fn old_layouts_may_be_wrapped_and_sprinkled_with_junk() {
    for junk in ["\n", " ", "é", ":", "::", "!?"] {
        let sprinkled = format!("{}{junk}{}", &LEGACY[..30], &LEGACY[30..]);
        assert_eq!(read(&sprinkled, &[KEY]).1, Signature::Valid, "{junk:?}");
    }
}

#[test]
fn what_is_no_session_is_unreadable_not_anonymous() {
    for stored in [
        "",
        ":",
        "::",
        "a:b:c",
        ":::::",
        "{}",
        "e30",
        "e30:1r31eq",
        "\0",
        "é",
        "🔑:🔑:🔑",
        "=",
        ".",
    ] {
        let (_, signature, user) = read(stored, &[KEY]);
        assert_eq!((signature, user.is_err()), (Signature::Invalid, true), "{stored:?}");
        assert!(read(stored, &[]).2.is_err(), "{stored:?}");
    }
}

#[test]
fn every_truncation_of_every_layout_is_an_answer() {
    for stored in [SIGNED, SIGNED_ZLIB, LEGACY, LEGACY_PICKLE, MD5] {
        for end in (0..stored.len()).filter(|end| stored.is_char_boundary(*end)) {
            let (_, signature, _) = read(&stored[..end], &[KEY]);
            let only_lost_its_line_end = stored[end..].trim().is_empty();
            assert_eq!(signature == Signature::Valid, only_lost_its_line_end, "{}", &stored[..end]);
        }
    }
}

#[test]
fn a_class_of_another_name_has_another_salt() {
    let other = Codec {
        keyring: Keyring::new([KEY], "django.contrib.sessions.Custom"),
        ..Codec::default()
    };
    assert_eq!(Decoder::new(&other).decode(SIGNED).signature(), Signature::Invalid);
    // The old layout takes the class name alone, so an outer class does not matter.
    let nested = Codec {
        keyring: Keyring::new([KEY], "django.contrib.sessions.Outer.SessionStore"),
        ..Codec::default()
    };
    assert_eq!(Decoder::new(&nested).decode(LEGACY).signature(), Signature::Valid);
    assert_eq!(Decoder::new(&nested).decode(SIGNED).signature(), Signature::Invalid);
}

#[test]
fn zlib_bombs_are_bounded() {
    use std::io::Write as _;
    let bomb = |len: usize| {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![b' '; 1 << 20];
        for _ in 0..len >> 20 {
            zlib.write_all(&zeros).unwrap();
        }
        zlib.write_all(b"{}").unwrap();
        zlib.finish().unwrap()
    };
    let (mut inflater, mut out) = (zlib::Inflater::new(), Vec::new());
    let mut inflate =
        |data: &[u8]| match inflater.inflate(data, &mut out, false, 8 << 20, |_| false)? {
            zlib::Inflated::Whole(len) => Ok(out[..len].to_vec()),
            zlib::Inflated::Beginning(len) => {
                assert_eq!(len, 8 << 20);
                Err(DecodeError::TooLarge)
            }
            zlib::Inflated::Enough => unreachable!(),
        };
    assert_eq!(inflate(&bomb(6 << 20)).map(|out| out.len()), Ok((6 << 20) + 2));
    for (name, broken) in
        [("empty", &[][..]), ("header only", &[0x78, 0x9c]), ("gzip", &[0x1f, 0x8b, 8, 0])]
    {
        assert_eq!(inflate(broken), Err(DecodeError::Zlib), "{name}");
    }
    let whole = bomb(0);
    let with_more = [&whole[..], b"trailing"].concat();
    let expected = Ok(b"{}".to_vec());
    assert_eq!(inflate(&with_more), expected, "Python ignores what follows the stream");
    let mut wrong_checksum = whole.clone();
    *wrong_checksum.last_mut().unwrap() ^= 1;
    assert_eq!(inflate(&wrong_checksum), Err(DecodeError::Zlib));
    assert_eq!(inflate(&whole[..whole.len() - 1]), Err(DecodeError::Zlib));
    assert_eq!(inflate(&bomb(200 << 20)), Err(DecodeError::TooLarge));
    assert!(out.capacity() <= 20 << 20, "{}", out.capacity());
}

#[test]
fn an_old_row_with_the_colons_of_a_signed_one_is_still_a_login() {
    // Django 3.2 skips the two colons as junk, and reads user 42.
    let row = "NTJlNDZlN2IxODY4MWM1NTUwNjQ2ZjAwNmQ2NDQ5NzUwZmM5MGI5OTp7Il9hdXRoX3VzZXJfYmFja2VuZCI6ImRqYW5nby5jb250cmliLmF1dGguYmFja2VuZHM:uTW9kZ:WxCYWNrZW5kIiwiX2F1dGhfdXNlcl9pZCI6IjQyIiB9";
    let user = || Ok(Some("42".to_owned()));
    assert_eq!(read(row, &["k"]), (Some(Layout::Legacy), Signature::Valid, user()));
    assert_eq!(read(row, &[]), (Some(Layout::Legacy), Signature::Unchecked, user()));
}

#[test]
fn a_salt_of_the_sites_own_does_not_tell_the_class_name() {
    let row =
        "MGVmMDFhYjVlMzcyZTJiYjlmNTI2MWIyYWE3Mzc4MzQwMDJiYjg5OTp7Il9hdXRoX3VzZXJfaWQiOiI0MiJ9";
    let own = Codec { keyring: Keyring::new(["k"], "myproject.sessions"), ..Codec::default() };
    assert_eq!(Decoder::new(&own).decode(row).signature(), Signature::Valid);
}

/// Signed by SHA-1, as Django 3.1.0 does with `DEFAULT_HASHING_ALGORITHM = "sha1"`.
const SIGNED_SHA1: &str = "eyJfYXV0aF91c2VyX2lkIjoiNDIifQ:1r31eq:Qj20BgXMn3WP-JppIOl8U0_xYnQ";

/// The stored text without its login, saved when the vectors were.
fn without_login(stored: &str, codec: &Codec) -> Result<String, NotKept> {
    Decoder::new(codec).decode(stored).without_login(1_700_000_000)
}

/// A payload as it is stored without compression.
fn signed(payload: impl AsRef<[u8]>, codec: &Codec) -> String {
    let value = format!("{}:1r31eq", base64::encode_url(payload.as_ref()));
    let signature = codec.keyring.sign_signed(value.as_bytes(), 43).unwrap();
    format!("{value}:{signature}")
}

#[test]
fn without_its_login_a_session_is_what_django_would_have_stored() {
    let codec = codec(&[KEY]);
    for (with, without) in [
        (SIGNED, "e30:1r31eq:INH_bqkHRbKeipqpKwRZ9FRp1nYJle5J7ptdICHxRLs"),
        (SIGNED_SHA1, "e30:1r31eq:MyUtFfy3JoJCjhfpWzftdjvEDvM"),
        (LEGACY, "NmE0NjBlMGE5NTAxMjY0YmZhNDU5Njc1MjdiMWU0OTQ5MmRmYWE3ZDp7fQ=="),
    ] {
        assert_eq!(without_login(with, &codec).as_deref(), Ok(without));
        assert_eq!(without_login(without, &codec).as_deref(), Ok(without), "nothing to take out");
    }
    let zlib = without_login(SIGNED_ZLIB, &codec).unwrap();
    let mut decoder = Decoder::new(&codec);
    let session = decoder.decode(&zlib);
    assert_eq!((session.compressed(), session.signature()), (true, Signature::Valid));
    let rest = format!(r#"{{"x":"é😀{}"}}"#, "a".repeat(60));
    assert_eq!(session.payload().unwrap().json(), Ok(rest));
}

#[test]
fn what_a_fallback_signed_is_signed_anew_with_the_first_key() {
    for stored in [SIGNED, SIGNED_SHA1, LEGACY] {
        let new = without_login(stored, &codec(&["new", "other", KEY])).unwrap();
        assert_eq!(read(&new, &["new"]).1, Signature::Valid, "{stored}");
        assert_eq!(read(&new, &["other", KEY]).1, Signature::Invalid, "{stored}");
    }
}

#[test]
fn an_old_row_stays_the_work_of_its_class() {
    let own = Codec { keyring: Keyring::new([KEY], "myproject.sessions"), ..Codec::default() };
    let usual = codec(&[KEY]);
    assert_eq!(without_login(LEGACY, &own), without_login(LEGACY, &usual));
}

#[test]
fn what_cannot_be_kept_says_why() {
    let codec = codec(&[KEY]);
    let payload = |payload: &[u8]| without_login(&signed(payload, &codec), &codec);
    for stored in [SIGNED, SIGNED_SHA1, LEGACY, LEGACY_PICKLE, MD5, "", "e30"] {
        for keys in [&[][..], &["new"]] {
            assert_eq!(without_login(stored, &self::codec(keys)), Err(NotKept::Unverified));
        }
    }
    let md5_json = "eyJfYXV0aF91c2VyX2lkIjo0Mn0wMmRkNzBiY2MyZjQ4YjlkY2QyOTI5M2IwNmJiMDEzYg==";
    assert_eq!(read(md5_json, &[KEY]).1, Signature::Valid);
    for stored in [LEGACY_PICKLE, MD5, md5_json] {
        assert_eq!(without_login(stored, &codec), Err(NotKept::NotAnObject), "{stored}");
    }
    assert_eq!(payload(b"[\"_auth_user_id\"]"), Err(NotKept::NotAnObject));
    assert_eq!(payload(b"\x81\xa1x\x01"), Err(NotKept::NotAnObject), "msgpack");
    assert_eq!(payload(b"{\"a\":1,}"), Err(NotKept::Unreadable(DecodeError::Json)));
    let deep = [br#"{"a":"#.repeat(20_000), b"1".to_vec(), b"}".repeat(20_000)].concat();
    assert_eq!(payload(&deep), Err(NotKept::Unreadable(DecodeError::TooComplex)));
}

#[test]
fn what_is_kept_is_within_the_limits_of_the_next_reader() {
    let small = Codec { limits: Limits { payload: 1_000, ..Limits::default() }, ..codec(&[KEY]) };
    let legacy = |payload: &str| {
        let mut bytes = Vec::new();
        base64::decode_standard(LEGACY.as_bytes(), &mut bytes).unwrap();
        let whole = envelope::Whole::split(Layout::Legacy, &bytes).unwrap();
        whole.seal.renew(payload.as_bytes(), 0, &small.keyring).unwrap()
    };
    let mut kept = 0;
    for length in 100..400 {
        let payload = format!(r#"{{"a":"{}"}}"#, "é".repeat(length));
        for stored in [signed(&payload, &small), legacy(&payload)] {
            match without_login(&stored, &small) {
                Ok(stored) => {
                    kept += 1;
                    assert_eq!(Decoder::new(&small).decode(&stored).auth(), Ok(Auth::default()));
                }
                Err(why) => assert_eq!(why, NotKept::Unreadable(DecodeError::TooLarge)),
            }
        }
    }
    assert!((1..500).contains(&kept), "{kept}");
}

#[test]
fn a_payload_is_compressed_where_that_is_shorter() {
    let codec = codec(&[KEY]);
    let compressed = |payload: String| {
        let stored = without_login(&signed(&payload, &codec), &codec).unwrap();
        let mut decoder = Decoder::new(&codec);
        let session = decoder.decode(&stored);
        assert_eq!(session.payload().unwrap().json().as_ref(), Ok(&payload));
        session.compressed()
    };
    assert!(!compressed(r#"{"a":1}"#.into()));
    assert!(compressed(format!(r#"{{"cart":[{}1]}}"#, "1,".repeat(50))));
}

#[test]
fn the_time_of_saving_is_written_as_it_is_read() {
    let codec = codec(&[KEY]);
    for saved in [0, 1, 61, 62, -1, -62, i64::MAX / 1_000_000, i64::MIN / 1_000_000] {
        let mut decoder = Decoder::new(&codec);
        let stored = decoder.decode(SIGNED).without_login(saved).unwrap();
        let session = decoder.decode(&stored);
        assert_eq!(session.signature(), Signature::Valid);
        assert_eq!(session.saved(), Some(saved), "{stored}");
    }
}
