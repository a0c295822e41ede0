//! Sessions as lines of JSON, which workers make. Only the names of users are missing: the printer looks them up.

use crate::report::{ListedSession, State};
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

/// The field as it is written of a session without a name. In texts quotes are escaped, so it is at no other place before.
const NO_NAME: &[u8] = b"\"username\":null";
const NULL: usize = b"null".len();

impl Lines {
    /// Adds a session, and says whether it could be written.
    pub(super) fn add(&mut self, session: &ListedSession) -> bool {
        let begin = self.text.len();
        let name_at = ui::write_json_line(&mut self.text, session).ok().and_then(|()| {
            let line = self.text.get(begin..)?;
            line.windows(NO_NAME.len()).position(|field| field == NO_NAME)
        });
        let Some(name_at) = name_at else {
            self.text.truncate(begin);
            return false;
        };
        let user_id = session.session.user_id.as_deref();
        self.users.push_str(user_id.unwrap_or_default());
        self.all.push(End {
            name_at: begin + name_at + NO_NAME.len() - NULL,
            line: self.text.len(),
            users: self.users.len(),
            has_user: user_id.is_some(),
            is_login: session.session.state == State::User,
        });
        true
    }

    /// Bytes of its texts.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.users.len()
    }

    /// The lines in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Line<'_>> {
        let begins =
            std::iter::once((0, 0)).chain(self.all.iter().map(|end| (end.line, end.users)));
        begins.zip(&self.all).map(|((line, users), end)| Line {
            before: self.text.get(line..end.name_at).unwrap_or_default(),
            after: self.text.get(end.name_at + NULL..end.line).unwrap_or_default(),
            user_id: self.users.get(users..end.users).filter(|_| end.has_user),
            is_login: end.is_login,
        })
    }
}

#[cfg(test)]
mod tests {
    use django_session::{Codec, Decoder};

    use super::*;
    use crate::sessions::describe::summary;

    #[test]
    fn the_name_is_put_into_its_field_whatever_the_texts_before_it_are() {
        let codec = Codec::default();
        let mut decoder = Decoder::new(&codec);
        let mut lines = Lines::default();
        let hostile =
            ["plain", "\"username\":null,", "\\\"username\\\":null", "\u{202e}\"username\":null"];
        for text in hostile {
            let session = summary(&decoder.decode("eyJfYXV0aF91c2VyX2lkIjoiNDIifQ:1a:b"));
            assert!(lines.add(&ListedSession {
                schema: Some(text.into()),
                session_key: text.into(),
                expires: Some(text.into()),
                size: 1,
                username: None,
                session,
            }));
        }
        assert_eq!(lines.iter().count(), hostile.len());
        for (text, line) in hostile.iter().zip(lines.iter()) {
            let whole = [line.before, b"\"anna\"", line.after].concat();
            let json: serde_json::Value = serde_json::from_slice(&whole).unwrap();
            assert_eq!((&json["username"], &json["user_id"]), (&"anna".into(), &"42".into()));
            assert_eq!((&json["session_key"], &json["schema"]), (&(*text).into(), &(*text).into()));
            assert_eq!(
                (line.user_id, line.is_login, line.after.last()),
                (Some("42"), true, Some(&b'\n'))
            );
        }
    }
}
