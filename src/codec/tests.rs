use super::*;

/// `SECRET_KEY` of the vectors in `docs/format.md` §13.
const KEY: &str = "clé-🔑";

fn codec(keys: &[&str]) -> Codec {
    Codec { keyring: Keyring::new(keys, DEFAULT_KEY_SALT), limits: Limits::default() }
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
        limits: Limits::default(),
    };
    assert_eq!(Decoder::new(&other).decode(SIGNED).signature(), Signature::Invalid);
    // The old layout takes the class name alone, so an outer class does not matter.
    let nested = Codec {
        keyring: Keyring::new([KEY], "django.contrib.sessions.Outer.SessionStore"),
        limits: Limits::default(),
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
    let inflate =
        |data: &[u8], out: &mut Vec<u8>| inflate::Inflater::new().inflate(data, out, 8 << 20);
    let mut out = Vec::new();
    assert_eq!(inflate(&bomb(6 << 20), &mut out), Ok(()));
    assert_eq!(out.len(), (6 << 20) + 2);
    assert_eq!(inflate(&bomb(200 << 20), &mut out), Err(DecodeError::TooLarge));
    assert!(out.capacity() <= 20 << 20, "{}", out.capacity());
    for (name, broken) in
        [("empty", &[][..]), ("header only", &[0x78, 0x9c]), ("gzip", &[0x1f, 0x8b, 8, 0])]
    {
        assert_eq!(inflate(broken, &mut out), Err(DecodeError::Zlib), "{name}");
    }
    let whole = bomb(0);
    let with_more = [&whole[..], b"trailing"].concat();
    assert_eq!(inflate(&with_more, &mut out), Ok(()), "Python ignores what follows the stream");
    assert_eq!(out, b"{}");
    let mut wrong_checksum = whole.clone();
    *wrong_checksum.last_mut().unwrap() ^= 1;
    assert_eq!(inflate(&wrong_checksum, &mut out), Err(DecodeError::Zlib));
    assert_eq!(inflate(&whole[..whole.len() - 1], &mut out), Err(DecodeError::Zlib));
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
    let own =
        Codec { keyring: Keyring::new(["k"], "myproject.sessions"), limits: Limits::default() };
    assert_eq!(Decoder::new(&own).decode(row).signature(), Signature::Valid);
}
