//! The earlier data of a row, by which a write recognizes that the row changed since it was read.

use sha2::{Digest, Sha256};

/// The `session_data` of a row when it was read. A write skips the row if it changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Was {
    /// All of it.
    Text(String),
    /// The SHA-256 of larger data, so that no copy of it has to go to the database to be compared.
    Sha256([u8; 32]),
}

/// Most bytes of data that is compared as a whole.
const MOST_COMPARED: usize = 32 << 10;

impl From<&str> for Was {
    fn from(data: &str) -> Self {
        if data.len() > MOST_COMPARED {
            Self::Sha256(Sha256::digest(data).into())
        } else {
            Self::Text(data.into())
        }
    }
}

impl Was {
    /// The memory that it uses.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.text().map_or(0, str::len)
    }

    /// The data, unless it is kept as a hash.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Sha256(_) => None,
        }
    }

    /// The hash, if it is kept as one.
    pub fn sha256(&self) -> Option<&[u8]> {
        match self {
            Self::Text(_) => None,
            Self::Sha256(hash) => Some(hash),
        }
    }

    /// Its SHA-256 in hexadecimal digits, whichever way it is kept.
    pub(super) fn hex(&self) -> String {
        let hash: [u8; 32] = match self {
            Self::Text(text) => Sha256::digest(text).into(),
            Self::Sha256(hash) => *hash,
        };
        let digits = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
    }

    /// Whether this is the same data.
    pub fn is(&self, data: &[u8]) -> bool {
        match self {
            Self::Text(text) => text.as_bytes() == data,
            Self::Sha256(hash) => Sha256::digest(data)[..] == hash[..],
        }
    }
}
