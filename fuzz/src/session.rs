//! `decode`: stored texts and payloads of all kinds. `pickle`: payloads that are pickles.

use django_session::{Auth, Codec, DecodeError, Decoded, Decoder, NotKept};
use sessctl::model::{Layout, Serializer, Signature};

use crate::members::{members, string};
use crate::sealed::How;
use crate::{CODEC, NARROW};

const LOGIN: [&str; 6] = [
    "_auth_user_id",
    "_auth_user_backend",
    "_auth_user_hash",
    "hijack_history",
    "loginas_from_user",
    "exit_users_pk",
];

/// The first byte says how to store the payload that follows it, or, from 0x80 on, that a stored text follows.
pub(crate) fn decode(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    if *how >= 0x80 {
        look(&String::from_utf8_lossy(rest));
    } else {
        look(&How(*how).seal(rest));
    }
}

/// A pickle, its envelope put around it.
pub(crate) fn pickle(data: &[u8]) {
    look(&How(0).seal(data));
}

/// All that is said of one stored text, so that it can be compared.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    layout: Option<Layout>,
    saved: Option<i64>,
    compressed: bool,
    signature: Signature,
    serializer: Result<Serializer, DecodeError>,
    auth: Result<Auth<'static>, DecodeError>,
    json: Result<String, DecodeError>,
    members: Result<Vec<(String, usize)>, DecodeError>,
}

impl Said {
    fn of(decoded: &Decoded<'_>) -> Self {
        let payload = decoded.payload();
        let mut members = Vec::new();
        let all = payload.and_then(|payload| {
            payload.members(&mut |key, bytes| members.push((key.into_owned(), bytes)))
        });
        Self {
            layout: decoded.layout(),
            saved: decoded.saved(),
            compressed: decoded.compressed(),
            signature: decoded.signature(),
            serializer: payload.map(|payload| payload.serializer()),
            auth: decoded.auth().map(Auth::into_owned),
            json: payload.and_then(|payload| payload.json()),
            members: all.map(|()| members),
        }
    }
}

fn look(stored: &str) {
    let mut decoder = Decoder::new(&CODEC);
    let decoded = decoder.decode(stored);
    let said = Said::of(&decoded);
    let without = decoded.without_login(1_795_000_000);
    let mut again = Decoder::new(&CODEC);
    again.decode(".eJw:1:x");
    assert_eq!(Said::of(&again.decode(stored)), said, "the same buffers give another answer");
    let unless = again.decode_unless(stored, |_| false).map(|decoded| Said::of(&decoded));
    assert_eq!(unless, Some(said.clone()), "shown its beginning it gives another answer");
    agrees_with_itself(&said);
    holds_what_it_shows(&decoded, &said);
    narrow_limits_hide_and_change_nothing(stored, &said);
    match without {
        Ok(anonymous) => is_the_same_session(&said, &anonymous),
        Err(why) => says_why_it_is_not_kept(&said, why),
    }
}

/// Of the login `auth`, `json` and `members` say the same.
fn agrees_with_itself(said: &Said) {
    let json = match (&said.auth, &said.json) {
        (Ok(_), Ok(json))
        | (Err(DecodeError::UserId | DecodeError::UnknownSerializer), Ok(json)) => json,
        // Of what is beyond a limit the beginning may name a user.
        (Ok(_), Err(DecodeError::TooComplex | DecodeError::TooLarge)) => return,
        (Err(auth), Err(json)) => {
            assert!(
                auth == json || *json == DecodeError::TooComplex || *auth == DecodeError::UserId
            );
            return;
        }
        (auth, json) => panic!("auth says {auth:?}, json {json:?}"),
    };
    assert!(json.len() <= 16 << 20);
    let all = members(json);
    let names = said.members.as_ref().expect("what can be written can be counted");
    // A pickled object that is no mapping has no keys, but is shown as JSON with some.
    let is_no_mapping = said.serializer == Ok(Serializer::Pickle) && names.is_empty();
    assert!(is_no_mapping || names.len() == all.as_ref().map_or(0, Vec::len));
    let user_id = all.iter().flatten().rfind(|(key, _)| key == LOGIN[0].as_bytes());
    match &said.auth {
        Ok(Auth { user_id: Some(got), .. }) => {
            let (_, value) = user_id.expect("a login that the payload does not hold");
            assert!(means(value, got, said.serializer), "{value} is not {got}");
        }
        Ok(Auth { user_id: None, .. }) => {
            // In a pickle the key may be bytes, which Python tells from text.
            let anonymous = user_id.is_none_or(|(_, value)| value == "null");
            assert!(
                anonymous || said.serializer == Ok(Serializer::Pickle),
                "a login is overlooked"
            );
        }
        Err(why) => assert!(user_id.is_some() || *why == DecodeError::UnknownSerializer),
    }
}

/// What stands at the top level of a JSON document is found there; a pickle may show objects as what they are not.
fn holds_what_it_shows(decoded: &Decoded<'_>, said: &Said) {
    let (Ok(payload), Ok(json)) = (decoded.payload(), &said.json) else { return };
    let all = members(json).unwrap_or_default();
    for (place, (key, value)) in all.iter().enumerate().take(20) {
        let is_last = all.iter().skip(place + 1).all(|(other, _)| other != key);
        // A lone surrogate is no text.
        let Some(path) = std::str::from_utf8(key).ok().filter(|_| is_last) else { continue };
        let text = string(value);
        let Ok(text) = std::str::from_utf8(text.as_deref().unwrap_or(value.as_bytes())) else {
            continue;
        };
        let holds = payload.holds(path, text);
        let is_number = value.contains(['.', 'e', 'E', 'N', 'I']);
        let is_plain = !value.starts_with(['{', '[']) && (value.starts_with('"') || !is_number);
        let is_constant = matches!(text, "NaN" | "Infinity" | "-Infinity");
        if said.serializer == Ok(Serializer::Json)
            && is_plain
            && !is_constant
            && path.split('.').count() <= 100
        {
            assert_eq!(holds, Ok(true), "{path} is not found");
        }
    }
}

/// Whether a JSON value names this user.
fn means(value: &str, user: &str, serializer: Result<Serializer, DecodeError>) -> bool {
    if let Some(bytes) = string(value) {
        // Lone surrogates are replaced in a user id, and no user's has them.
        return bytes == user.as_bytes() || user.contains(char::REPLACEMENT_CHARACTER);
    }
    match value {
        "true" => user == "1",
        "false" => user == "0",
        "-0" => user == "0",
        _ if value.contains(['.', 'e', 'E']) => {
            let (value, user) = (value.parse::<f64>(), user.parse::<f64>());
            user.is_ok() && value == user && value.is_ok_and(|value| value.fract() == 0.0)
        }
        _ => value == user || (serializer == Ok(Serializer::Pickle) && value.starts_with('{')),
    }
}

/// Where less is allowed, the answer is the same or that it is too much; or it is what the beginning says.
fn narrow_limits_hide_and_change_nothing(stored: &str, said: &Said) {
    let mut decoder = Decoder::new(&NARROW);
    let narrow = Said::of(&decoder.decode(stored));
    let too_much =
        |why: &DecodeError| matches!(why, DecodeError::TooLarge | DecodeError::TooComplex);
    // Of what is too long to be taken apart the layout is a guess.
    if narrow.layout != said.layout {
        assert!(stored.len() / 4 * 3 > NARROW.limits.payload);
        return;
    }
    let judge = |same: bool, why: Option<&DecodeError>| {
        assert!(same || why.is_some_and(too_much), "{narrow:?}\n{said:?}");
    };
    let is_beginning = narrow.json.as_ref().is_err_and(too_much);
    // What is broken behind the limit is not seen.
    judge(is_beginning || narrow.serializer == said.serializer, narrow.serializer.as_ref().err());
    judge(is_beginning || narrow.auth == said.auth, narrow.auth.as_ref().err());
    judge(narrow.json == said.json, narrow.json.as_ref().err());
}

/// A session that was written anew is the same one of somebody anonymous.
fn is_the_same_session(said: &Said, anonymous: &str) {
    let codec: &Codec = &CODEC;
    let mut decoder = Decoder::new(codec);
    let decoded = decoder.decode(anonymous);
    let now = Said::of(&decoded);
    assert_eq!(now.signature, Signature::Valid);
    assert_eq!(decoded.signed_by(), Some(0));
    assert_eq!(now.layout, said.layout);
    assert_eq!(now.auth, Ok(Auth::default()));
    let (Ok(before), Ok(after)) = (&said.json, &now.json) else {
        assert_eq!(said.json, Err(DecodeError::TooComplex), "{now:?}");
        return;
    };
    let mut rest = members(before).expect("an object");
    rest.retain(|(key, _)| !LOGIN.iter().any(|name| name.as_bytes() == key));
    assert_eq!(members(after), Some(rest));
    let twice = decoded.without_login(1_795_000_000);
    assert_eq!(twice.as_deref(), Ok(anonymous), "what has no login stays as it is");
}

fn says_why_it_is_not_kept(said: &Said, why: NotKept) {
    let right = match why {
        NotKept::Unverified => said.signature != Signature::Valid,
        NotKept::NotAnObject => {
            said.layout == Some(Layout::Md5)
                || said.serializer != Ok(Serializer::Json)
                || !said.json.as_ref().is_ok_and(|json| json.starts_with('{'))
        }
        // What is raw and beyond ASCII takes more bytes afterwards.
        NotKept::Unreadable(DecodeError::TooLarge) => true,
        NotKept::Unreadable(_) => said.json.is_err(),
    };
    assert!(right, "{why:?}: {said:?}");
}
