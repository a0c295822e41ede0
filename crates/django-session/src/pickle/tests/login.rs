use super::*;

#[test]
fn every_protocol_names_its_user() {
    for payload in [
        &b"(dp0\nV_auth_user_id\np1\nV42\np2\nsV_auth_user_backend\np3\nVb\np4\ns."[..],
        b"}q\x00(X\x0d\0\0\0_auth_user_idq\x01X\x02\0\0\0\x34\x32q\x02X\x12\0\0\0_auth_user_backendq\x03X\x01\0\0\0bq\x04u.",
        b"\x80\x02}q\x00(X\x0d\0\0\0_auth_user_idq\x01X\x02\0\0\0\x34\x32q\x02X\x12\0\0\0_auth_user_backendq\x03X\x01\0\0\0bq\x04u.",
        b"\x80\x03}q\x00(X\x0d\0\0\0_auth_user_idq\x01X\x02\0\0\0\x34\x32q\x02X\x12\0\0\0_auth_user_backendq\x03X\x01\0\0\0bq\x04u.",
        b"\x80\x04\x95\x2e\0\0\0\0\0\0\0}\x94(\x8c\x0d_auth_user_id\x94\x8c\x0242\x94\x8c\x12_auth_user_backend\x94\x8c\x01b\x94u.",
        b"\x80\x05\x95\x2e\0\0\0\0\0\0\0}\x94(\x8c\x0d_auth_user_id\x94\x8c\x0242\x94\x8c\x12_auth_user_backend\x94\x8c\x01b\x94u.",
        // Python 2
        b"\x80\x02}q\x01(U\x0d_auth_user_idq\x02U\x0242q\x03U\x12_auth_user_backendq\x04U\x01bq\x05u.",
        b"(dp1\nS'_auth_user_id'\np2\nS'42'\np3\nsS'_auth_user_backend'\np4\nS'b'\np5\ns.",
    ] {
        assert_eq!(user(payload), Ok(Some("42".to_owned())), "{payload:?}");
        assert_eq!(backend(payload), Ok(Some("b".to_owned())), "{payload:?}");
    }
}

#[test]
fn a_user_id_is_what_django_takes_for_the_same_key() {
    for (opcodes, expected) in [
        (&b"K\x2a"[..], "42"),
        (b"J\xff\xff\xff\xff", "-1"),
        (b"I42\n", "42"),
        (b"L42L\n", "42"),
        (b"\x8a\x09\0\0\0\0\0\0\0\0\x01", "18446744073709551616"),
        (b"\x8a\x09\0\0\0\0\0\0\0\0\xff", "-18446744073709551616"),
        (b"L-123456789012345678901234567890L\n", "-123456789012345678901234567890"),
        (b"I01\n", "1"),
        (b"\x89", "0"),
        (b"F7.0\n", "7"),
        (b"F-0.0\n", "0"),
        (b"F1e22\n", "10000000000000000000000"),
        (b"C\x02\x34\x32", "42"),
        (b"C\x02\xc3\xa9", "é"),
        (b"C\x01\xe9", "é"),
        (b"U\x01\xe9", "é"),
        (b"S'\\xc3\\xa9'\n", "é"),
        (b"S'\\xe9'\n", "é"),
        (b"V\\ud83d\\ude00\n", "😀"),
        (b"V\\U0001f600\n", "😀"),
        (b"c_codecs\nencode\nX\x02\0\0\0\xc3\xa9X\x06\0\0\0latin1\x86R", "é"),
        (b"cdjango.utils.safestring\nSafeText\nX\x01\0\0\x007\x85\x81", "7"),
        (
            b"ccopy_reg\n_reconstructor\n(cdjango.utils.safestring\nSafeUnicode\nc__builtin__\nunicode\nV7\ntR",
            "7",
        ),
    ] {
        assert_eq!(user_of(opcodes), Ok(Some(expected.to_owned())), "{opcodes:?}");
    }
}

#[test]
fn a_uuid_is_lower_case_and_hyphenated() {
    let int = b"\x8a\x10\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08\x07\x06\x05\x04\x03\x02\x01\x00";
    let class = b"cuuid\nUUID\n";
    let state = [&b"}X\x03\0\0\0int"[..], int, b"sb"].concat();
    for made in [
        [&class[..], b")\x81", &state].concat(),
        [b"ccopyreg\n_reconstructor\n(", &class[..], b"cbuiltins\nobject\nNtR", &state].concat(),
    ] {
        assert_eq!(user_of(&made), Ok(Some("00010203-0405-0607-0809-0a0b0c0d0e0f".to_owned())));
    }
}

#[test]
fn what_names_no_user_is_an_error_not_an_anonymous_session() {
    for opcodes in [&b"]"[..], b"}", b"F1.5\n", b"Fnan\n", b"V\\ud83d\n", b"cshop\nUser\n)\x81"] {
        assert_eq!(user_of(opcodes), Err(DecodeError::UserId), "{opcodes:?}");
    }
    assert_eq!(user_of(b"cdecimal\nDecimal\nX\x01\0\0\x007\x85R"), Err(DecodeError::UserId));
}

#[test]
fn none_or_no_key_is_anonymous() {
    assert_eq!(user_of(b"N"), ANONYMOUS);
    assert_eq!(user(b"}."), ANONYMOUS);
    for top in [&b"N."[..], b"].", b"K\x01.", b"cshop\nUser\n)\x81."] {
        assert_eq!(user(top), ANONYMOUS);
    }
}

#[test]
fn a_backend_that_is_not_text_is_none() {
    let backend_of = |opcodes: &[u8]| backend(&[b"}", BACKEND, opcodes, b"s."].concat());
    assert_eq!(backend_of(b"N"), Ok(None));
    assert_eq!(backend_of(b"K\x05"), Ok(None));
    assert_eq!(backend_of(b"C\x01b"), Ok(None));
    assert_eq!(backend_of(b"U\x01b"), Ok(Some("b".to_owned())));
}

#[test]
fn the_last_assignment_wins() {
    assert_eq!(
        user(&[b"}(", ID, b"K\x01", ID, b"K\x02u", ID, b"K\x03s."].concat()),
        Ok(Some("3".to_owned()))
    );
    // One key in three spellings.
    assert_eq!(
        user(b"}V_auth_user_id\nK\x01sS'_auth_user_\\x69d'\nK\x02sV_auth_user_\\u0069d\nK\x03s."),
        Ok(Some("3".to_owned()))
    );
}

#[test]
fn keys_and_values_may_be_memo_references() {
    let payload = [b"}(\x8c\x01a", ID, b"\x94\x8c\x01b\x8c\x0242\x94h\x00h\x01u."].concat();
    assert_eq!(user(&payload), Ok(Some("42".to_owned())));
    // The whole session is one: `g1` under a decoy that is popped.
    assert_eq!(user(&[b"}p1\n", ID, b"K\x2as0](K\x07e0g1\n."].concat()), Ok(Some("42".to_owned())));
}

#[test]
fn only_the_top_level_counts() {
    for decoy in [
        &[b"}\x8c\x01a}", ID, b"K\x07ss."].concat()[..],
        &[b"]}", ID, b"K\x07sa."].concat(),
        &[b"}", ID, b"K\x07s0}."].concat(),
        &[b"}\x8c\x01acshop\nCart\n)\x81}", ID, b"K\x07sbs."].concat(),
        &[b"}\x8c\x01acshop\nCart\n)}", ID, b"K\x07s\x92s."].concat(),
        &[b"}.}", ID, b"K\x07s."].concat(),
        b"}\x8c\x01aC\x15\x80\x02}U\x0d_auth_user_idK\x07s.s.",
    ] {
        assert_eq!(user(decoy), ANONYMOUS, "{decoy:?}");
    }
}

#[test]
fn bytes_are_not_the_key_but_python_2_strings_and_subclasses_of_str_are() {
    assert_eq!(user(b"}C\x0d_auth_user_idK\x07s."), ANONYMOUS);
    assert_eq!(
        user(b"}c_codecs\nencode\nX\x0d\0\0\0_auth_user_idX\x06\0\0\0latin1\x86RK\x07s."),
        ANONYMOUS
    );
    assert_eq!(user(b"}U\x0d_auth_user_idK\x07s."), Ok(Some("7".to_owned())));
    assert_eq!(user(b"}T\x0d\0\0\0_auth_user_idK\x07s."), Ok(Some("7".to_owned())));
    assert_eq!(
        user(&[b"}cshop\nKey\n", ID, b"\x85\x81K\x07s."].concat()),
        Ok(Some("7".to_owned()))
    );
}

#[test]
fn a_subclass_of_dict_is_a_session_too() {
    let item = [ID, b"K\x07"].concat();
    let pair = [b"](", &item[..], b"e"].concat();
    for made in [
        [b"ccollections\nOrderedDict\n)R", &item[..], b"s."].concat(),
        [b"ccollections\nOrderedDict\n](", &pair[..], b"e\x85R."].concat(),
        [b"ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R", &item[..], b"s."].concat(),
        [b"ccollections\nCounter\n}", &item[..], b"s\x85R."].concat(),
        [b"cshop\nSession\n)\x81", &item[..], b"s}b."].concat(),
        [b"cshop\nSession\n}", &item[..], b"s\x85R."].concat(),
        [b"ccopy_reg\n_reconstructor\n(cshop\nSession\nc__builtin__\ndict\n}", &item[..], b"stR."]
            .concat(),
    ] {
        assert_eq!(user(&made), Ok(Some("7".to_owned())), "{made:?}");
    }
}

/// `'_auth_user_id'` and `'42'`, as protocol 2 pushes them.
const LOGIN: &[u8] = b"X\x0d\0\0\0_auth_user_idX\x02\0\0\x0042";

#[test]
fn an_object_that_may_hide_a_login_is_unreadable_not_anonymous() {
    for (what, before, after) in [
        ("UserDict", &b"cUserDict\nIterableUserDict\n)\x81}X\x04\0\0\0data}"[..], &b"ssb."[..]),
        ("made from a dict, then more", b"csite\nMake\n}", b"s\x85RX\x01\0\0\0yK\x02s."),
        ("made from pairs", b"csite\nMake\n]", b"\x86a\x85R."),
        ("its own __setstate__", b"csite\nMake\n)R}", b"sb."),
    ] {
        let payload = [b"\x80\x02", before, LOGIN, after].concat();
        assert_eq!(user(&payload), Err(DecodeError::UnknownSerializer), "{what}");
    }
}

/// A class of the site's own may keep the login where nobody sees it, and an object may be the key. What is a value of a plain
/// dict is not at the top level.
#[test]
fn where_no_login_is_seen_it_may_be_hidden() {
    let item = &b"X\x04\0\0\0cartK\x01"[..];
    let opaque = b"csite\nCls\n)\x81";
    let (hidden, anonymous) = (true, false);
    for (what, payload, is_hidden) in [
        ("dict subclass", [&opaque[..], item, b"s."].concat(), hidden),
        (
            "dict subclass with attributes",
            [opaque, item, b"s}X\x04\0\0\0attrK\x01sb."].concat(),
            hidden,
        ),
        ("made from a dict", [b"csite\nMake\n}", item, b"s\x85R."].concat(), hidden),
        ("an object as key", [&b"}"[..], opaque, b"K\x01s."].concat(), hidden),
        ("a name as key", b"}csite\nKEY\nK\x01s.".to_vec(), hidden),
        (
            "str() of something as key",
            [b"}c__builtin__\nstr\n", &opaque[..], b"\x85RK\x01s."].concat(),
            hidden,
        ),
        ("text as key", [b"}csite\nKey\n", &b"X\x01\0\0\0a\x85RK\x01s."[..]].concat(), anonymous),
        ("a date as key", b"}cdatetime\ndate\nC\x04abcd\x85RK\x01s.".to_vec(), anonymous),
        ("a tuple as key", b"}K\x01\x85K\x01s.".to_vec(), anonymous),
        (
            "a class that is known",
            [b"ccollections\nOrderedDict\n)R", item, b"s."].concat(),
            anonymous,
        ),
        ("an object as value", [b"}X\x01\0\0\0a", &opaque[..], b"s."].concat(), anonymous),
        ("nothing", b"}.".to_vec(), anonymous),
    ] {
        let expected = if is_hidden { Err(DecodeError::UnknownSerializer) } else { Ok(None) };
        assert_eq!(user(&[b"\x80\x03", &payload[..]].concat()), expected, "{what}");
    }
}

#[test]
fn mappings_that_hide_nothing_are_sessions() {
    for (what, before, after) in [
        ("Counter", &b"ccollections\nCounter\n}"[..], &b"s\x85R."[..]),
        ("dict subclass with attributes", b"csite\nCls\n)\x81", b"s}X\x04\0\0\0attrK\x01sb."),
    ] {
        let payload = [b"\x80\x02", before, LOGIN, after].concat();
        assert_eq!(user(&payload), Ok(Some("42".to_owned())), "{what}");
    }
}

#[test]
fn an_object_made_from_the_key_does_not_compete_with_the_key() {
    let object = b"cexceptions\nException\nX\x0d\0\0\0_auth_user_id\x85RX\x01\0\0\x007";
    let payload = [b"\x80\x02}(", LOGIN, object, b"u."].concat();
    assert_eq!(user(&payload), Err(DecodeError::UserId));
}
