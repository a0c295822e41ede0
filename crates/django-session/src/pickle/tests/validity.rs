use super::*;

#[test]
fn a_pickle_begins_with_proto_or_with_what_makes_a_dict() {
    for payload in
        [&b"\x80\x02}."[..], b"\x80\x05}.", b"(d.", b"}.", b"ccollections\nOrderedDict\n(tR."]
    {
        assert!(looks_like_pickle(payload), "{payload:?}");
    }
    for payload in [&b"{}"[..], b"", b"\x80", b"\x80\x06", b"\x81\xa1a\x01", b" {}", b"[]", b"NaN"]
    {
        assert!(!looks_like_pickle(payload), "{payload:?}");
    }
}

#[test]
fn what_python_cannot_load_is_invalid() {
    for payload in [
        &b""[..],
        b"}",                                         // no STOP
        b".",                                         // nothing to return
        b"(.",                                        // nothing above the MARK
        b"\x80\x06}.",                                // PROTO 6
        b"\x80",                                      // truncated
        b"X\xff\xff\xff\xff.",                        // longer than the payload
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",     // much longer
        b"T\xff\xff\xff\xff.",                        // of negative length
        b"\x8b\xff\xff\xff\xff.",                     // of negative length
        b"\x95\xff\xff\xff\xff\xff\xff\xff\xff}.",    // a frame of negative length
        b"a.",                                        // stack underflow
        b"]\x86.",                                    // stack underflow
        b"N(a.",                                      // what is below the MARK is out of reach
        b"]e.",                                       // no MARK
        b"h\0.",                                      // memo miss
        b"g-1\n.",                                    // memo miss
        b"}p-1\n.",                                   // negative memo index
        b"\xff.",                                     // no such opcode
        b"Pid\n.",                                    // persistent id
        b"NQ.",                                       // persistent id
        b"\x82\x01.",                                 // extension registry
        b"\x97.",                                     // out-of-band buffer
        b"}]Ns.",                                     // a list as a key
        b"}]\x85Ns.",                                 // a list inside a key
        b"\x8f(}\x90.",                               // a dict in a set
        b"}(Nu.",                                     // a key without its value
        b"NNa.",                                      // an append to None
        b"K\x01)R.",                                  // a call of an int
        b"cshop\nCart\nNR.",                          // a call without a tuple
        b"c\nCart\n.",                                // a module without a name
        b"(ishop\n\n.",                               // a class without a name
        b"cshop\n\xed\xa0\xbd\n.",                    // a surrogate in a name
        b"c_codecs\nencode\n(V\\u0f00\nVlatin1\ntR.", // beyond Latin-1
        b"\x8c\0\x8c\x04Cart\x93.",                   // a module without a name
        b"\x8c\x04shop\x8c\0\x93.",                   // a class without a name
        b"cshop\nCart\n)}K\x01Ns\x92.",               // an argument without a name
        b"(ishop\n\xc3\xa9\n.",                       // beyond ASCII
        b"Sx\n.",                                     // no quotes
        b"S'\\x4'\n.",                                // a broken escape
        b"V\\u12\n.",                                 // a broken escape
        b"X\x01\0\0\0\xff.",                          // not UTF-8
        b"I\n.",                                      // no digits
        b"I1 2\n.",                                   // not a number
        b"L010L\n.",                                  // a leading zero
        b"Fx\n.",                                     // not a number
        b"F1__0\n.",                                  // not a number
        b"F1_.5\n.",                                  // not a number
    ] {
        assert_eq!(json(payload), INVALID, "{payload:?}");
    }
}

#[test]
fn numbers_in_text_are_read_as_c_reads_them() {
    for (opcodes, expected) in [
        (&b"I010\n"[..], "8"),
        (b"I0x1f\n", "31"),
        (b"I 7\n", "7"),
        (b"I\x00007\n", "0"),
        (b"I\x007\n", "false"),
        (b"I1_000\n", "1000"),
        (b"I99999999999999999999\n", "99999999999999999999"),
        (b"L-9223372036854775808L\n", "-9223372036854775808"),
        (b"L1_000000000000000000_000L\n", "1000000000000000000000"),
        (b"L0\n", "0"),
        (b"F 1.5 \n", "1.5"),
        (b"F1_0.2_5\n", "10.25"),
        (b"\x8a\x00", "0"),
        (b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", "9223372036854775807"),
        (b"\x8a\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "-1"),
    ] {
        assert_eq!(value(opcodes), Ok(expected.to_owned()), "{opcodes:?}");
    }
}

#[test]
fn names_may_be_beyond_ascii() {
    let named = "cshop\né\n.".as_bytes();
    assert_eq!(json(named), Ok(r#"{"__global__":"shop.é"}"#.to_owned()));
}

#[test]
fn frames_may_be_of_any_length() {
    for len in [0, 1, 2, 9] {
        let frame = [b"\x80\x04\x95", &[len][..], b"\0\0\0\0\0\0\0}."].concat();
        assert_eq!(json(&frame), Ok("{}".to_owned()), "{len}");
    }
}

#[test]
fn plain_data_may_be_given_a_state_that_is_false() {
    for state in [
        &b"N"[..],
        b"\x89",
        b"K\0",
        b"F-0.0\n",
        b"V\n",
        b"C\0",
        b")",
        b"]",
        b"}",
        b"\x8f",
        b"(\x91",
        b"N}\x86",
        b")]\x86",
    ] {
        assert_eq!(json(&[b"}", state, b"b."].concat()), Ok("{}".to_owned()), "{state:?}");
    }
    for state in [
        &b"\x88"[..],
        b"K\x01",
        b"V0\n",
        b"]Na",
        b"}NNs",
        b"N\x85",
        b"NK\x01\x86",
        b"cshop\nCart\n)R",
    ] {
        assert_eq!(json(&[b"}", state, b"b."].concat()), INVALID, "{state:?}");
    }
}

#[test]
fn what_is_put_into_a_bytearray_is_not_followed() {
    let bytearray = b"\x96\x01\0\0\0\0\0\0\x007";
    for filling in [&b"K\x07a."[..], b"(K\x07e.", b"K\0K\x07s.", b"(K\0K\x07u."] {
        assert_eq!(json(&[bytearray, filling].concat()), TOO_COMPLEX, "{filling:?}");
    }
}

#[test]
fn pop_takes_a_mark_where_that_lies_on_top() {
    assert_eq!(json(b"}(0."), Ok("{}".to_owned()));
    assert_eq!(json(b"}(NN1."), Ok("{}".to_owned()));
    assert_eq!(json(b"}N0."), Ok("{}".to_owned()));
}

#[test]
fn what_lies_in_a_set_is_in_no_order() {
    let key = b"X\x0d\0\0\0_auth_user_id".as_slice();
    let other = b"X\x02\0\0\x0042".as_slice();
    let from =
        |class: &[u8], argument: &[u8]| [b"cbuiltins\n", class, b"\n", argument, b"\x85R"].concat();
    let of = |items: &[&[u8]], end: &[u8]| [b"(".as_slice(), &items.concat(), end].concat();
    let dict = |pair: Vec<u8>| [from(b"dict", &of(&[&pair], b"t")), b".".to_vec()].concat();
    assert_eq!(user(&dict(of(&[key, other], b"t"))), Ok(Some("42".to_owned())));
    // A frozenset of one, twice; of two; and what is made from it.
    let unordered = Err(DecodeError::UnknownSerializer);
    assert_eq!(user(&dict(of(&[key, key], b"\x91"))), unordered);
    assert_eq!(user(&dict(of(&[key, other], b"\x91"))), unordered);
    for class in [b"tuple".as_slice(), b"list"] {
        assert_eq!(user(&dict(from(class, &of(&[key, other], b"\x91")))), unordered);
        assert_eq!(user(&dict(from(class, &of(&[key, other], b"t")))), Ok(Some("42".to_owned())));
    }
    let pair = of(&[key, other], b"t");
    assert_eq!(user(&[from(b"dict", &of(&[&pair], b"\x91")), b".".to_vec()].concat()), unordered);
}
