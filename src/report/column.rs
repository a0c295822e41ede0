//! The columns of a list of sessions.

/// A column of a table or of CSV. In CSV it is named like its field in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named like the fields of a session")]
pub enum Column {
    Schema,
    SessionKey,
    State,
    UserId,
    Username,
    Backend,
    Behind,
    Signature,
    Key,
    Saved,
    Expires,
    Size,
    Layout,
    Serializer,
    Compressed,
    Error,
    Format,
}

impl Column {
    /// Those of CSV. Their order is a promise to scripts: new ones come last.
    pub const OF_CSV: [Self; 14] = [
        Self::SessionKey,
        Self::State,
        Self::UserId,
        Self::Backend,
        Self::Signature,
        Self::Saved,
        Self::Expires,
        Self::Size,
        Self::Layout,
        Self::Serializer,
        Self::Compressed,
        Self::Error,
        Self::Behind,
        Self::Username,
    ];

    /// Those of a table.
    pub const OF_TABLE: [Self; 8] = [
        Self::SessionKey,
        Self::UserId,
        Self::Username,
        Self::Saved,
        Self::Expires,
        Self::Size,
        Self::Signature,
        Self::Format,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::SessionKey => "session_key",
            Self::State => "state",
            Self::UserId => "user_id",
            Self::Username => "username",
            Self::Backend => "backend",
            Self::Behind => "behind",
            Self::Signature => "signature",
            Self::Key => "key",
            Self::Saved => "saved",
            Self::Expires => "expires",
            Self::Size => "size",
            Self::Layout => "layout",
            Self::Serializer => "serializer",
            Self::Compressed => "compressed",
            Self::Error => "error",
            Self::Format => "format",
        }
    }
}
