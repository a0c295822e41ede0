//! Why a stored row cannot be read.

use std::fmt;

/// Why one stored value could not be read.
///
/// A bad row is data, not a failure of the tool: commands count these per kind and go on. The
/// variants carry no text from the row, so that an error can be printed without leaking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DecodeError {
    /// Not in any layout that Django has written.
    UnknownLayout,
    /// The base64 text ends in the middle of a group.
    Base64,
    /// The save time of a signed value is missing or is not base 62.
    SaveTime,
    /// The zlib stream is damaged, cut short or fails its checksum.
    Zlib,
    /// The stored text, or what it inflates to, exceeds [`Limits::payload`](super::Limits::payload).
    TooLarge,
    /// Nested deeper, or built of more values, than [`Limits`](super::Limits) allow.
    TooComplex,
    /// Begins like JSON, but Python's `json.loads` would reject it.
    Json,
    /// Begins like a pickle, but `pickle.loads` would reject it.
    Pickle,
    /// Neither JSON nor a pickle: a serializer of the site's own.
    UnknownSerializer,
    /// A pickle that none of the keys verifies: what it holds is not written out.
    Unverified,
    /// The key of the login is there, but holds nothing that names a user.
    UserId,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownLayout => "not in any layout that Django writes",
            Self::Base64 => "broken base64",
            Self::SaveTime => "the save time is not base 62",
            Self::Zlib => "broken zlib stream",
            Self::TooLarge => "too large to read",
            Self::TooComplex => "too deep or too complex to read",
            Self::Json => "not valid JSON",
            Self::Pickle => "not a valid pickle",
            Self::UnknownSerializer => "neither JSON nor pickle",
            Self::Unverified => "a pickle that no key verifies is not written out",
            Self::UserId => "the key of the login holds no user id",
        })
    }
}

impl std::error::Error for DecodeError {}

/// Why a session cannot be written anew without its login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NotKept {
    /// None of the keys made its signature, or no key was given.
    Unverified,
    /// A pickle, the work of a serializer of the site's own, JSON that is no object, or in
    /// [`Layout::Md5`](crate::Layout::Md5), whose readers know pickles only.
    NotAnObject,
    /// The payload cannot be read, or what stays of it could not be.
    Unreadable(DecodeError),
}

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unverified => f.write_str("no key verifies its signature"),
            Self::NotAnObject => f.write_str("not a JSON object"),
            Self::Unreadable(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for NotKept {}

impl From<DecodeError> for NotKept {
    fn from(why: DecodeError) -> Self {
        match why {
            DecodeError::UnknownSerializer => Self::NotAnObject,
            _ => Self::Unreadable(why),
        }
    }
}
