//! The canonical spelling of user ids.

use std::borrow::Cow;

/// The one spelling that stands for a user id: UUIDs in lower case without hyphens.
pub(super) fn canonical(user_id: &str) -> Cow<'_, str> {
    uuid_digits(user_id).map_or(Cow::Borrowed(user_id), Cow::Owned)
}

/// The digits of a UUID, of one with or without hyphens in either case: 32 in lower case.
pub fn uuid_digits(text: &str) -> Option<String> {
    let is_uuid = match text.len() {
        32 => text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        36 => text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        }),
        _ => false,
    };
    is_uuid.then(|| text.replace('-', "").to_ascii_lowercase())
}
