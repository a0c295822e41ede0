#![doc = include_str!("../README.md")]
//!
//! # How it is built
//!
//! The formats are a closed set, so this is enums and functions, not traits. JSON and pickles are read as data by bounded
//! readers of its own.

mod auth;
mod base64;
mod decoded;
mod decoder;
mod envelope;
mod error;
mod escape;
mod format;
mod id_field;
mod identities;
mod inflate;
mod json;
mod json_text;
mod keyring;
mod login_keys;
mod path;
mod payload;
mod pickle;
mod shared;
mod signed_id;
mod spelling;
#[cfg(test)]
mod tests;
mod user_ids;
mod verdict;
mod zlib;

pub use auth::Auth;
pub use decoded::Decoded;
pub use decoder::{Decoder, PageDecoder};
pub use error::{DecodeError, NotKept};
pub use escape::needs_escape;
pub use format::{Layout, Serializer, Signature};
pub use id_field::IdField;
pub use keyring::{DEFAULT_KEY_SALT, Keyring};
pub use login_keys::LoginKeys;
pub use payload::Payload;
pub use shared::Shared;
pub use spelling::uuid_digits;
pub use user_ids::{MOST_ID_BYTES, UserIds};
pub use verdict::{Login, Verdict};

/// Bytes of a buffer that each decoder has for itself. Rows that need more share one, in turn.
const KEPT_BUFFER: usize = 1 << 20;

/// Everything that is the same for all rows; shared by the workers.
#[derive(Debug, Default)]
pub struct Codec {
    /// Keys that rows are verified with; with none, every row is [`Signature::Unchecked`].
    pub keyring: Keyring,
    /// What one row may cost.
    pub limits: Limits,
    /// Where a session says whose it is.
    pub login: LoginKeys,
    /// Whether the site's `SessionStore` has an `encode` of its own.
    pub encode: Encode,
    /// What decoders share.
    pub shared: Shared,
}

/// What the `encode` of a site's `SessionStore` is: it says whether a text in none of Django's layouts may be a session
/// ([`Verdict::Unreadable`]) or is [`Verdict::Damaged`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encode {
    /// Django's own: such a text is no session.
    #[default]
    Django,
    /// Not known: such a text is no session if it begins as Django's layouts do, and was cut off or damaged.
    Unknown,
    /// The site's own: any text may be a session.
    Own,
}

/// How much one row may cost. A row that exceeds a limit is unreadable, not fatal.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of payload. Django has no such limit, and 8 KB of zlib can hold 6 MB (measured on a
    /// real Django 5.2), so this must exist and must be generous.
    pub payload: usize,
    /// Nesting of lists and objects. Python 3.13 reads JSON about 10,000 levels deep, older
    /// releases fewer than 1,000.
    pub depth: usize,
    /// Values that a pickle may create, push, memoize or put in a container, all told: a pickle
    /// can do each of these with one byte.
    pub pickle_values: usize,
}

impl Limits {
    /// An error if a payload of this many bytes is too large.
    fn allow(&self, bytes: usize) -> Result<(), DecodeError> {
        if bytes > self.payload { Err(DecodeError::TooLarge) } else { Ok(()) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { payload: 8 << 20, depth: 10_000, pickle_values: 200_000 }
    }
}
