use sha2::{Digest, Sha256};

/// What a row had in `session_data` when it was read: a row that changed since is not written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Was {
    /// All of it.
    Text(String),
    /// What is larger is told by its SHA-256: a copy of it would go to the database and be compared there.
    Sha256([u8; 32]),
}

/// Bytes of a text that is compared as a whole.
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
    /// Bytes that it takes up.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.text().map_or(0, str::len)
    }

    /// All of it, if that is not much.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Sha256(_) => None,
        }
    }

    /// The hash, if it is told by that.
    pub fn sha256(&self) -> Option<&[u8]> {
        match self {
            Self::Text(_) => None,
            Self::Sha256(hash) => Some(hash),
        }
    }

    /// Whether a row with this data did not change.
    pub fn is(&self, data: &[u8]) -> bool {
        match self {
            Self::Text(text) => text.as_bytes() == data,
            Self::Sha256(hash) => Sha256::digest(data)[..] == hash[..],
        }
    }
}
