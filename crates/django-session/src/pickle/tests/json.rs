use super::*;

#[test]
fn plain_data_is_what_json_dumps_makes_of_it() {
    for (opcodes, expected) in [
        (&b"N"[..], "null"),
        (b"\x88", "true"),
        (b"I00\n", "false"),
        (b"I0\n", "0"),
        (b"G\x3f\xf8\0\0\0\0\0\0", "1.5"),
        (b"(K\x01K\x02l", "[1,2]"),
        (b"}(\x8c\x01a]\x8c\x01b}u", r#"{"a":[],"b":{}}"#),
        (b"\x8c\x04\"\\\n\x7f", r#""\"\\\n\u007f""#),
    ] {
        assert_eq!(value(opcodes), Ok(expected.to_owned()), "{opcodes:?}");
    }
}

#[test]
fn keys_are_coerced_as_json_dumps_coerces_them() {
    for (key, expected) in [
        (&b"N"[..], r#"{"null":0}"#),
        (b"\x88", r#"{"true":0}"#),
        (b"K\x01", r#"{"1":0}"#),
        (b"F1.5\n", r#"{"1.5":0}"#),
        (b"F1e16\n", r#"{"1e+16":0}"#),
        (b"F1e-5\n", r#"{"1e-05":0}"#),
        (b"Finf\n", r#"{"Infinity":0}"#),
        (b"C\x01\xe9", r#"{"é":0}"#),
        (b"K\x01\x8c\x01a\x86", r#"{"(1, a)":0}"#),
        (b"cshop\nBook\n)\x81", r#"{"<shop.Book>":0}"#),
    ] {
        assert_eq!(value(&[b"}", key, b"K\x00s"].concat()), Ok(expected.to_owned()), "{key:?}");
    }
}

#[test]
fn equal_keys_are_one_at_the_place_of_the_first() {
    assert_eq!(
        value(b"}(\x8c\x01aK\x01\x8c\x01bK\x02S'\\x61'\nK\x03u"),
        Ok(r#"{"a":3,"b":2}"#.to_owned())
    );
    assert_eq!(value(b"}(K\x01K\x01\x88K\x02F1.0\nK\x03u"), Ok(r#"{"1":3}"#.to_owned()));
    assert_eq!(value(b"}(\x8c\x01aK\x01C\x01aK\x02u"), Ok(r#"{"a":1,"a":2}"#.to_owned()));
}

#[test]
fn lone_surrogates_are_kept() {
    for opcodes in [&b"X\x05\0\0\0x\xed\xa0\xbdy"[..], b"Vx\\ud83dy\n"] {
        assert_eq!(value(opcodes), Ok(r#""x\ud83dy""#.to_owned()));
    }
}

#[test]
fn strings_mean_what_python_reads_in_them() {
    for (opcodes, expected) in [
        (&b"S'a\\x41\\101\\n\\'\\q'\n"[..], r#""aAA\n'\\q""#),
        (b"S\"it's\"\n", r#""it's""#),
        (b"V\\u0041\\\\u0041\\x\n", r#""A\\\\u0041\\x""#),
        (b"V\xe9\n", r#""é""#),
        (b"U\x02\xc3\xa9", r#""é""#),
        (b"C\x02\xc3\xa9", r#""Ã©""#),
        (b"U\x03\xed\xa0\xbd", r#""í\u00a0½""#),
        (b"S'\\xed\\xa0\\xbd'\n", r#""í\u00a0½""#),
    ] {
        assert_eq!(value(opcodes), Ok(expected.to_owned()), "{opcodes:?}");
    }
}

#[test]
fn what_json_lacks_becomes_the_nearest_thing_it_has() {
    for (opcodes, expected) in [
        (&b"K\x01K\x02\x86"[..], "[1,2]"),
        (b"\x8f(K\x01\x90", "[1]"),
        (b"(K\x01\x91", "[1]"),
        (b"c__builtin__\nset\n](K\x01e\x85R", "[1]"),
        (b"ccollections\ndeque\n)R(K\x01e", "[1]"),
        (b"ccollections\nOrderedDict\n)RK\x01K\x02s", r#"{"1":2}"#),
        (b"cshop\nRows\n)\x81(K\x01e", "[1]"),
        (b"cdecimal\nDecimal\n\x8c\x041.50\x85R", r#""1.50""#),
        (b"cdatetime\ndate\nC\x04\x07\xe4\x02\x1d\x85R", r#""2020-02-29""#),
        (
            b"cdatetime\ndatetime\nU\x0a\x07\xe4\x02\x1d\x01\x02\x03\0\0\x07\x85R",
            r#""2020-02-29T01:02:03.000007""#,
        ),
        (b"cdatetime\ntime\nC\x06\x97\x3b\x3b\0\0\0\x85R", r#""23:59:59""#),
        (b"cdatetime\ntimedelta\nJ\xff\xff\xff\xffK\x05K\x07\x87R", "-86394.999993"),
        (b"cshop\nCart\n)\x81", r#"{"__class__":"shop.Cart"}"#),
        (b"(ishop\nCart\n}b", r#"{"__class__":"shop.Cart"}"#),
        (
            b"(cshop\nCart\nK\x04o}\x8c\x01aK\x05sb",
            r#"{"__class__":"shop.Cart","args":[4],"state":{"a":5}}"#,
        ),
        (b"cshop\nCart\n)}\x8c\x01aK\x05s\x92", r#"{"__class__":"shop.Cart","kwargs":{"a":5}}"#),
        (b"\x8c\x04shop\x8c\x04Cart\x93", r#"{"__global__":"shop.Cart"}"#),
    ] {
        assert_eq!(value(opcodes), Ok(expected.to_owned()), "{opcodes:?}");
    }
}

#[test]
fn a_time_zone_is_an_offset_or_a_name() {
    let noon = b"cdatetime\ndatetime\nC\x0a\x07\xe4\x06\x01\x0c\0\0\0\0\0";
    for (zone, expected) in [
        (&b"cdatetime\ntimezone\ncdatetime\ntimedelta\nK\0M\x20\x1cK\0\x87R\x85R"[..], "+02:00"),
        (b"cdjango.utils.timezone\nUTC\n)R", "+00:00"),
        (b"cpytz\n_p\n(\x8c\x05A/N_YJ\xc0\xc7\xff\xffK\0\x8c\x03EDTtR", "-04:00"),
        (
            b"\x8c\x08zoneinfo\x8c\x12ZoneInfo._unpickle\x93\x8c\x0cEurope/ParisK\x01\x86R",
            "[Europe/Paris]",
        ),
    ] {
        let made = [noon, zone, b"\x86R"].concat();
        assert_eq!(value(&made), Ok(format!("\"2020-06-01T12:00:00{expected}\"")));
    }
}

#[test]
fn shared_values_are_written_at_each_place_and_cycles_are_cut() {
    assert_eq!(value(b"(K\x01l\x94h\x00\x86"), Ok("[[1],[1]]".to_owned()));
    assert_eq!(value(b"]\x94h\x00a"), Ok(r#"[{"__cycle__":true}]"#.to_owned()));
    assert_eq!(value(b"}\x94\x8c\x01ah\x00s"), Ok(r#"{"a":{"__cycle__":true}}"#.to_owned()));
}
