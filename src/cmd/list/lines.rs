//! Sessions as lines of JSON, which workers make. Only the names of users are missing: the printer looks them up.

use std::fmt::Display;
use std::io::Write as _;

use django_session::Decoded;

use crate::model::{Expiry, Layout, Row, Serializer, Signature, Timestamp};
use crate::report::State;
use crate::sessions::describe::Content;
use crate::ui;

/// The lines of one page.
#[derive(Default)]
pub(super) struct Lines {
    text: Vec<u8>,
    /// Where each line ends, and what the printer asks of it.
    all: Vec<End>,
    /// The ids of all users in one text.
    users: String,
}

struct End {
    name_at: usize,
    line: usize,
    users: usize,
    has_user: bool,
    is_login: bool,
}

/// A session on one line, with the line's end.
pub(super) struct Line<'l> {
    /// Up to the value of `username`.
    pub(super) before: &'l [u8],
    /// Behind it.
    pub(super) after: &'l [u8],
    pub(super) user_id: Option<&'l str>,
    pub(super) is_login: bool,
}

/// A session that becomes a line.
#[derive(Clone, Copy)]
pub(super) struct Session<'s> {
    pub(super) schema: Option<&'s str>,
    /// Its key as it is shown.
    pub(super) key: &'s str,
    pub(super) row: &'s Row<'s>,
    pub(super) decoded: &'s Decoded<'s>,
    pub(super) content: &'s Content<'s>,
}

/// What stands in place of a name.
const NO_NAME: &str = "null";

impl Lines {
    /// Adds a session, unless the lines would then have more bytes than this.
    pub(super) fn add(&mut self, session: Session<'_>, most_bytes: usize) -> bool {
        let (begin, users) = (self.text.len(), self.users.len());
        let name_at = Json(&mut self.text).line(session);
        let user_id = session.content.login.as_ref().map(|login| &*login.user_id);
        self.users.push_str(user_id.unwrap_or_default());
        if self.text.len() + self.users.len() > most_bytes {
            self.text.truncate(begin);
            self.users.truncate(users);
            return false;
        }
        self.all.push(End {
            name_at,
            line: self.text.len(),
            users: self.users.len(),
            has_user: user_id.is_some(),
            is_login: session.content.state == State::User,
        });
        true
    }

    /// The lines in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Line<'_>> {
        let begins =
            std::iter::once((0, 0)).chain(self.all.iter().map(|end| (end.line, end.users)));
        begins.zip(&self.all).map(|((line, users), end)| Line {
            before: self.text.get(line..end.name_at).unwrap_or_default(),
            after: self.text.get(end.name_at + NO_NAME.len()..end.line).unwrap_or_default(),
            user_id: self.users.get(users..end.users).filter(|_| end.has_user),
            is_login: end.is_login,
        })
    }
}

/// Writes JSON as serde writes it, of a `ListedSession`, in a third of the time: serde looks for characters to escape in
/// the names of all fields, and reads the payload once more.
struct Json<'o>(&'o mut Vec<u8>);

impl Json<'_> {
    /// Writes a session, and returns where the name of its user belongs.
    fn line(&mut self, session: Session<'_>) -> usize {
        let Session { schema, key, row, decoded, content } = session;
        self.raw("{");
        if let Some(schema) = schema {
            self.text("\"schema\":", Some(schema));
            self.raw(",");
        }
        self.text("\"session_key\":", Some(key));
        let expires = Some(row.expires).filter(|at| !matches!(at, Expiry::Unreadable(_)));
        self.time(",\"expires\":", expires);
        self.number(",\"size\":", Some(row.data.bytes()));
        self.raw(",\"username\":");
        let name_at = self.0.len();
        self.raw(NO_NAME);
        self.content(decoded, content);
        self.raw("}\n");
        name_at
    }

    /// The fields of a `DecodedSession`.
    fn content(&mut self, decoded: &Decoded<'_>, content: &Content<'_>) {
        let login = content.login.as_ref();
        self.raw(match content.state {
            State::User => ",\"state\":\"user\"",
            State::Anonymous => ",\"state\":\"anonymous\"",
            State::Unreadable => ",\"state\":\"unreadable\"",
        });
        self.text(",\"user_id\":", login.map(|login| &*login.user_id));
        self.text(",\"backend\":", login.and_then(|login| login.backend.as_deref()));
        self.raw(",\"behind\":[");
        for (at, id) in login.iter().flat_map(|login| &login.others).enumerate() {
            self.text(if at > 0 { "," } else { "" }, Some(id));
        }
        let unclear = login.is_some_and(|login| login.unclear);
        self.raw(if unclear { "],\"behind_unclear\":true" } else { "],\"behind_unclear\":false" });
        self.raw(match decoded.signature() {
            Signature::Valid => ",\"signature\":\"valid\"",
            Signature::Invalid => ",\"signature\":\"invalid\"",
            Signature::Unchecked => ",\"signature\":\"unchecked\"",
        });
        self.number(",\"key\":", decoded.signed_by().map(|place| place + 1));
        self.time(",\"saved\":", decoded.saved().and_then(Timestamp::from_seconds));
        self.raw(match decoded.layout() {
            Some(Layout::Signed) => ",\"layout\":\"signed\"",
            Some(Layout::Legacy) => ",\"layout\":\"legacy\"",
            Some(Layout::Md5) => ",\"layout\":\"md5\"",
            None => ",\"layout\":null",
        });
        self.raw(match decoded.payload().ok().map(|payload| payload.serializer()) {
            Some(Serializer::Json) => ",\"serializer\":\"json\"",
            Some(Serializer::Pickle) => ",\"serializer\":\"pickle\"",
            None => ",\"serializer\":null",
        });
        let compressed = decoded.compressed();
        self.raw(if compressed { ",\"compressed\":true" } else { ",\"compressed\":false" });
        self.text(",\"error\":", content.error.map(|why| why.to_string()).as_deref());
        self.raw(",\"payload\":");
        self.raw(content.json.as_deref().unwrap_or("null"));
    }

    fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    fn text(&mut self, field: &str, text: Option<&str>) {
        self.raw(field);
        let Some(text) = text else { return self.raw("null") };
        let is_plain = |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if text.bytes().all(is_plain) {
            self.raw("\"");
            self.raw(text);
            self.raw("\"");
        } else {
            // Writing to a vector cannot fail.
            let _ = ui::write_json_value(self.0, text);
        }
    }

    fn time(&mut self, field: &str, time: Option<impl Display>) {
        self.raw(field);
        let _ = match time {
            Some(time) => write!(self.0, "\"{time}\""),
            None => self.0.write_all(b"null"),
        };
    }

    fn number(&mut self, field: &str, number: Option<usize>) {
        self.raw(field);
        let _ = match number {
            Some(number) => write!(self.0, "{number}"),
            None => self.0.write_all(b"null"),
        };
    }
}

#[cfg(test)]
mod tests {
    use django_session::{Codec, DEFAULT_KEY_SALT, Decoder, Keyring};

    use super::*;
    use crate::model::Data;
    use crate::report::ListedSession;
    use crate::sessions::describe::{Detail, KeyDisplay, describe, listed};

    const CORPUS: &str = include_str!("../../../fixtures/corpus.jsonl");
    const HOSTILE: [&str; 4] =
        ["plain", "\"username\":null,", "\\\"username\\\":null", "\u{202e}\"username\":null"];

    /// Rows with others behind the user, of whom one cannot be read, and one in no layout.
    const UNUSUAL: [&str; 3] = [
        "eyJfYXV0aF91c2VyX2lkIjoiMSIsImhpamFja19oaXN0b3J5IjpbIjIiLCJcdTIwMmVcIiJdfQ:1a:b",
        "eyJfYXV0aF91c2VyX2lkIjoiIiwiaGlqYWNrX2hpc3RvcnkiOnt9LCAiZiI6IDFlOTk5fQ:1a:b",
        "in no layout",
    ];

    fn json(session: &ListedSession) -> Vec<u8> {
        let mut line = Vec::new();
        ui::write_json_line(&mut line, session).unwrap();
        line
    }

    #[test]
    fn a_line_is_what_serde_writes() {
        let rows = CORPUS.lines().map(|line| serde_json::from_str(line).unwrap());
        let rows: Vec<serde_json::Value> = rows.chain(UNUSUAL.map(Into::into)).collect();
        assert!(rows.len() > 100);
        for (at, row) in rows.iter().enumerate() {
            let secret = row["secret_key"].as_str().filter(|_| at % 2 == 0);
            let keyring = Keyring::new(secret, DEFAULT_KEY_SALT);
            let codec = Codec { keyring, ..Codec::default() };
            let data = row["session_data"].as_str().or(row.as_str()).unwrap();
            let mut decoder = Decoder::new(&codec);
            let key = HOSTILE[at % HOSTILE.len()];
            let schema = HOSTILE.get(at % 7).map(|schema| (*schema).to_owned());
            let moment = Timestamp::from_micros(1_700_000_000_000_000 + i64::try_from(at).unwrap());
            let expires = [Expiry::At(moment), Expiry::Wall(moment), Expiry::Unreadable(moment)];
            let row = Row { key, data: Data::Text(data), expires: expires[at % 3], user: None };
            let stored = row.decode(&mut decoder);
            let content = Content::of(&stored, Detail::Payload);
            if content.large.is_some() {
                continue;
            }
            let session = describe(&stored, Detail::Payload).session;
            let session = listed(&row, session, KeyDisplay::Whole);
            let listed_session = ListedSession { schema: schema.clone(), ..session };
            let expected = json(&listed_session);
            let session = Session {
                schema: schema.as_deref(),
                key,
                row: &row,
                decoded: &stored,
                content: &content,
            };
            let mut lines = Lines::default();
            assert!(!lines.add(session, expected.len() - 1));
            assert!(lines.add(session, usize::MAX));
            let line = lines.iter().next().unwrap();
            assert!([line.before, b"null", line.after].concat() == expected, "{at}");
            let user_id = listed_session.session.user_id.clone();
            assert_eq!(line.user_id, user_id.as_deref());
            assert_eq!(line.is_login, listed_session.session.state == State::User);
            let named = ListedSession { username: Some("anna".into()), ..listed_session };
            assert!([line.before, b"\"anna\"", line.after].concat() == json(&named), "{at}");
        }
    }
}
