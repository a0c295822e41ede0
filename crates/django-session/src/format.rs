//! Enums for the layout, serializer and signature of a row.

/// How a stored text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Layout {
    /// `["."]data:time:signature`: Django 3.1 and later.
    Signed,
    /// base64 of `hash:payload`: Django 1.3 to 3.0, and 3.1 and 3.2 when told to.
    Legacy,
    /// base64 of payload and MD5: Django 1.2 and earlier.
    Md5,
}

/// Whether Django with one of the given keys would believe a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Signature {
    /// One of the keys made it.
    Valid,
    /// None of the keys made it: Django reads an empty session.
    Invalid,
    /// There was no key to check it with, or the row is too large to be read.
    Unchecked,
}

/// How a payload is serialized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Serializer {
    /// `JSONSerializer`, the default since Django 1.6.
    Json,
    /// `PickleSerializer`, the default before.
    Pickle,
}
