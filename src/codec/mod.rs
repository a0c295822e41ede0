//! What Django wrote in `session_data`: layouts, signatures, payloads.
//!
//! The formats are a closed set, so this is enums and functions, not traits. Nothing here does I/O,
//! and nothing that a row contains is ever executed: JSON and pickles are read as data by bounded
//! readers of our own.

mod auth;
mod error;
pub(crate) mod json_text;
pub(crate) mod pickle;

pub use auth::Auth;
pub use error::DecodeError;

/// How much one row may cost. A row that exceeds a limit is unreadable, not fatal.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of payload, and of stored text. Django has no such limit, and 8 KB of zlib can hold
    /// 6 MB (measured on a real Django 5.2), so this must exist and must be generous.
    pub payload: usize,
    /// Nesting of lists and objects. Python 3.13 reads JSON about 10,000 levels deep, older
    /// releases fewer than 1,000.
    pub depth: usize,
    /// Values that a pickle may create, push, memoize or put in a container, all told: a pickle
    /// can do each of these with one byte.
    pub pickle_values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload: 8 << 20,
            depth: 10_000,
            pickle_values: 200_000,
        }
    }
}
