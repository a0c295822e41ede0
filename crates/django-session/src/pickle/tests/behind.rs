use super::*;

/// Who is behind the session of the user 7 that has `opcodes` under django-hijack's key, and whether there may be more.
fn behind(opcodes: &[u8]) -> (Vec<String>, bool) {
    let key = b"\x8c\x0ehijack_history";
    let payload = [&b"}("[..], key, opcodes, ID, b"K\x07u."].concat();
    let pickle = read(&payload).unwrap();
    let auth = pickle.auth(&LoginKeys::default()).unwrap();
    assert_eq!(auth.user_id.as_deref(), Some("7"));
    (auth.others.into_iter().map(Into::into).collect(), auth.unclear)
}

#[test]
fn who_is_behind_an_impersonation_is_told() {
    let backend = b"X\x29\0\0\0django.contrib.auth.backends.ModelBackend";
    let pair = |id: &[u8]| [id, backend, b"\x86"].concat();
    let pairs = [b"](", &pair(b"K\x01")[..], &pair(b"V2\n"), b"e"].concat();
    let signed = b"X\x34\0\0\x001:1vPabc:9-lDUIrMk3uksYsP0muww_qFLG4nfE8KOVaI6XN_feI";
    let uuid = b"cuuid\nUUID\n)\x81}X\x03\0\0\0int\x8a\x10\x0f\x0e\x0d\x0c\x0b\x0a\x09\x08\x07\x06\x05\x04\x03\x02\x01\x00sb";
    for (opcodes, others, unclear) in [
        (&b"]"[..], &[][..], false),
        (b"N", &[], false),
        (b"](V1\nV2\ne", &["1", "2"], false),
        (b"(lp0\nS'1'\naL2L\na", &["1", "2"], false),
        (b"(K\x01V2\nt", &["1", "2"], false),
        (b"\x8f(K\x01\x90", &["1"], false),
        (b"K\x01", &["1"], false),
        (b"C\x011", &["1"], false),
        (signed, &["1"], false),
        (uuid, &["00010203-0405-0607-0809-0a0b0c0d0e0f"], false),
        (b"cdjango.utils.safestring\nSafeText\nX\x01\0\0\x001\x85\x81", &["1"], false),
        (&pairs, &["1", "2"], false),
        (b"](K\x07V7\ne", &[], false),
        // What names nobody for certain leaves the row as it is, and is told.
        (b"}", &[], true),
        (b"](K\x01}e", &["1"], true),
        (b"](](K\x01K\x02ee", &[], true),
        (b"F1.5\n", &[], true),
        (b"\x88", &[], true),
        (b"\x89", &[], false),
        (b"V\\ud83d\n", &[], true),
        (b"cshop\nUser\n)\x81", &[], true),
    ] {
        let others = others.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(behind(opcodes), (others, unclear), "{opcodes:?}");
    }
}

#[test]
fn keys_that_may_be_one_or_two_are_unclear() {
    let as_object = b"cshop\nKey\n\x8c\x0ehijack_history\x85R";
    assert_eq!(behind(&[&b"K\x01"[..], as_object, b"K\x02"].concat()), (Vec::new(), true));
}

#[test]
fn an_endless_list_of_identities_is_bounded() {
    for (count, unclear) in [(100, false), (101, true)] {
        let ids: Vec<u8> = (100..100 + count).flat_map(|id| [b'K', id]).collect();
        let (others, is_unclear) = behind(&[b"](", &ids[..], b"e"].concat());
        assert_eq!((others.len(), is_unclear), (100, unclear));
    }
    let long = 4_u32 << 20;
    let text = [b"X", &long.to_le_bytes()[..], &vec![b'x'; 4 << 20], b"q\x00"].concat();
    let shared = [b"](", &text[..], &b"h\x00".repeat(30_000), b"e"].concat();
    let started = std::time::Instant::now();
    let (others, unclear) = behind(&shared);
    assert_eq!((others.len(), unclear), (0, true));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn a_session_of_nobody_shows_the_ids_under_keys_that_may_be_the_sites_own() {
    let keys = LoginKeys { may_be_own: Some(|key| key.contains("mem")), ..LoginKeys::default() };
    let own = |payload: &[u8]| {
        let pickle = read(payload).unwrap();
        let own = pickle.auth(&keys).unwrap().own;
        own.into_iter().map(|(key, id)| format!("{key} {id}")).collect::<Vec<_>>()
    };
    assert_eq!(own(b"}(V\\u006dem\nK\x05V\\u006demo\n]V\\u0063art\nK\x07u."), ["mem 5"]);
    assert_eq!(own(&[&b"}(Vmem\nK\x05"[..], ID, b"K\x07u."].concat()), [""; 0]);
    // A key that is one text of megabytes, very often.
    let long = [b"X", &(4_u32 << 20).to_le_bytes()[..], &vec![b'm'; 4 << 20], b"q\x00"].concat();
    let many = [b"}(", &long[..], b"N", &b"h\x00N".repeat(30_000), b"u."].concat();
    let started = std::time::Instant::now();
    assert_eq!(own(&many), [""; 0]);
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

#[test]
fn the_first_key_of_users_that_is_there_says_who_is_logged_in() {
    let keys = LoginKeys {
        user: ["account", "_auth_user_id"].map(Into::into).into(),
        also: Vec::new(),
        may_be_own: None,
    };
    let identities = |account: &[u8], user: &[u8]| {
        let payload = [&b"}(\x8c\x07account"[..], account, ID, user, b"u."].concat();
        let pickle = read(&payload).unwrap();
        pickle.auth(&keys).map(|auth| {
            let others: Vec<String> = auth.others.into_iter().map(Into::into).collect();
            (auth.user_id.map(String::from), others, auth.unclear)
        })
    };
    assert_eq!(identities(b"K\x05", b"K\x07"), Ok((Some("5".into()), vec!["7".into()], false)));
    assert_eq!(identities(b"N", b"K\x07"), Ok((Some("7".into()), Vec::new(), false)));
    assert_eq!(identities(b"K\x05", b"]"), Ok((Some("5".into()), Vec::new(), true)));
    assert_eq!(identities(b"]", b"K\x07"), Err(DecodeError::UserId));
}
