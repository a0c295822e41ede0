use super::*;

/// Each way to remember a value, with each way to have it again: a text that is not the last one.
#[test]
fn what_was_remembered_is_had_again_under_its_own_number() {
    for (remember, have) in [
        ([&b"\x94"[..], b"\x94"], [&b"h\x00"[..], b"h\x01"]),
        ([b"\x94", b"\x94"], [b"j\x00\x00\x00\x00", b"j\x01\x00\x00\x00"]),
        ([b"\x94", b"\x94"], [b"g0\n", b"g1\n"]),
        ([b"q\x07", b"q\x03"], [b"h\x07", b"h\x03"]),
        ([b"q\x07", b"p300\n"], [b"g7\n", b"j\x2c\x01\x00\x00"]),
        ([b"r\x00\x01\x00\x00", b"q\x00"], [b"j\x00\x01\x00\x00", b"g0\n"]),
        // What has no number of its own takes how many there are.
        ([b"q\x07", b"\x94"], [b"h\x07", b"h\x01"]),
        ([b"\x94", b"q\xff"], [b"h\x00", b"h\xff"]),
    ] {
        let [first, second] = remember;
        let opcodes =
            |had: &[u8]| [b"(\x8c\x0242", first, b"\x8c\x017", second, had, b"l"].concat();
        assert_eq!(value(&opcodes(have[0])).as_deref(), Ok(r#"["42","7","42"]"#), "{remember:?}");
        assert_eq!(value(&opcodes(have[1])).as_deref(), Ok(r#"["42","7","7"]"#), "{remember:?}");
    }
}

#[test]
fn the_last_of_two_under_one_number_is_had_again() {
    assert_eq!(value(b"(K\x01q\x05K\x02q\x05h\x05l").as_deref(), Ok("[1,2,2]"));
    // Two texts under one number make one entry.
    assert_eq!(value(b"(K\x01q\x00K\x02q\x00K\x03\x94h\x01l").as_deref(), Ok("[1,2,3,3]"));
    assert_eq!(value(b"(K\x01q\x00h\x01l"), INVALID);
}

/// As Python writes `{'seen': [id], '_auth_user_id': id}` in protocol 4, which has each object once.
#[test]
fn a_login_that_shares_its_text_is_the_users() {
    let shared = |seen: &[u8], id: &[u8]| {
        let list: &[u8] = b"\x80\x04}\x94(\x8c\x04seen\x94]\x94";
        user(&[list, seen, b"a", ID, b"\x94", id, b"u."].concat())
    };
    assert_eq!(shared(b"\x8c\x0242\x94", b"h\x03"), Ok(Some("42".to_owned())));
    assert_eq!(shared(b"K\x07", b"\x8c\x0242\x94"), Ok(Some("42".to_owned())));
    // That is the list.
    assert_eq!(shared(b"\x8c\x0242\x94", b"h\x02"), Err(DecodeError::UserId));
}
