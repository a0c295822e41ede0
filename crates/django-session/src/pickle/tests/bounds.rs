use super::*;

#[test]
fn floods_of_one_opcode_end_at_the_limit() {
    for flood in [&b"("[..], b"N", b"]", b"}", b")", b"N2", b"]\x94", b"(l", b"cx\ny\n", b"U\x01a"]
    {
        let payload = flood.repeat(210_000);
        assert_eq!(read(&payload).err(), Some(DecodeError::TooComplex), "{flood:?}");
    }
}

#[test]
fn nesting_is_bounded_and_never_recursed_into() {
    let nested = |depth: usize| [&b"]".repeat(depth)[..], &b"a".repeat(depth - 1), b"."].concat();
    assert_eq!(json(&nested(10_000)).map(|json| json.len()), Ok(20_000));
    assert_eq!(json(&nested(10_001)), TOO_COMPLEX);
    assert_eq!(user(&nested(40_000)), ANONYMOUS);
}

#[test]
fn sharing_that_unfolds_without_end_is_cut_off() {
    let wide = [b"V", &b"a".repeat(10_000)[..], b"\n", &b"2\x86".repeat(60)].concat();
    let session = [&wide[..], b"."].concat();
    assert_eq!(user(&session), ANONYMOUS);
    assert_eq!(json(&session), TOO_COMPLEX);
    // Python would hash such a key for ages.
    let key = [b"}", &wide[..], b"Ns."].concat();
    assert_eq!(user(&key), ANONYMOUS);
}

/// What is written costs no more than what is read, whatever is shared: values, texts, names of classes, keys.
#[test]
fn little_that_is_read_writes_little() {
    let text = [b"X\x00\x01\0\0", &b"a".repeat(256)[..], b"q\x000"].concat();
    for pickle in [
        [b"N", &b"2\x86".repeat(40)[..], b"."].concat(),
        [b"}\x8c\x01aN", &b"2\x86".repeat(240)[..], b"s."].concat(),
        [b"](]", &b"2".repeat(100)[..], b"e.", b""].concat(),
        [&text[..], b"](", &b"h\0".repeat(500), b"e."].concat(),
        [
            b"}(",
            &[&text[..b"X\0\0\0\0".len() + 256], b"q\x00"].concat()[..],
            &b"h\0\x85".repeat(500),
            b"u.",
        ]
        .concat(),
        [&b"]("[..], b"c", &b"m".repeat(200), b"\nn\nq\0", &b"h\0)\x81".repeat(300), b"e."]
            .concat(),
    ] {
        let mut out = JsonText::default();
        out.bound(pickle.len());
        // Some are whole, and some are cut off.
        let _ = read(&pickle).and_then(|graph| graph.write_json(&mut out));
        assert!(out.into_string().unwrap().len() <= 64 * pickle.len() + 1024);
    }
    let unfolds = [b"N", &b"2\x86".repeat(40)[..], b"."].concat();
    assert_eq!(json(&unfolds), TOO_COMPLEX);
}

#[test]
fn one_text_is_not_encoded_for_ever() {
    let encoded = |len: usize, times: usize| {
        let text = [&b"X"[..], &u32::try_from(len).unwrap().to_le_bytes(), &b"a".repeat(len)];
        let start =
            [&b"}c_codecs\nencode\nq\x000"[..], &text.concat(), b"X\x06\0\0\0latin1\x86q\x010"];
        [&start.concat()[..], &b"h\0h\x01R0".repeat(times), b"."].concat()
    };
    assert_eq!(json(&encoded(1_000_000, 10)), Ok("{}".to_owned()));
    assert_eq!(json(&encoded(8_000_000, 1)), Ok("{}".to_owned()));
    assert_eq!(json(&encoded(1_000_000, 20_000)), TOO_COMPLEX);
}

#[test]
fn a_memo_index_may_be_any_number() {
    assert_eq!(json(b"}r\xff\xff\xff\xff0j\xff\xff\xff\xff."), Ok("{}".to_owned()));
    assert_eq!(json(b"}p99999999999\n0g99999999999\n."), Ok("{}".to_owned()));
}

#[test]
fn an_int_of_megabytes_is_not_turned_into_decimal() {
    let long = [b"\x8b\x40\x42\x0f\x00", &vec![0x7f; 1_000_000][..]].concat();
    assert_eq!(user_of(&long), Err(DecodeError::UserId));
    assert_eq!(value(&long), TOO_COMPLEX);
    assert_eq!(
        user(&[b"}\x8c\x01a", &long[..], b"s", ID, b"K\x07s."].concat()),
        Ok(Some("7".to_owned()))
    );
}

#[test]
fn a_value_is_sixteen_bytes() {
    assert_eq!(size_of::<crate::pickle::value::Value>(), 16);
}
