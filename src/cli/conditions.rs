//! Options that select sessions by what they are: `--anonymous`, `--match` and the like.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use clap::{Args, ValueEnum};

use super::WHICH;

/// Options that select sessions by what they are. Each narrows the others.
#[derive(Clone, Debug, Default, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch that was typed")]
pub struct Conditions {
    /// Only sessions that name no user.
    #[arg(long, help_heading = WHICH)]
    pub anonymous: bool,
    /// Only sessions that name a user.
    #[arg(long, alias = "authenticated-only", conflicts_with = "anonymous", help_heading = WHICH)]
    pub logged_in: bool,
    /// Only sessions with this value under this key, as in sid=a1b2 or oidc.sid=a1b2: a dot leads further in. It is a text, a
    /// number, true, false or null, as `sessctl show` prints it. May be repeated.
    #[arg(long = "match", value_name = "KEY=VALUE", help_heading = WHICH)]
    pub matches: Vec<String>,
    /// Only rows with more session_data than this, such as 1MB or 500kB.
    #[arg(long, value_name = "SIZE", help_heading = WHICH)]
    pub larger_than: Option<String>,
    /// Only sessions that are serialized so.
    #[arg(long, value_enum, value_name = "NAME", help_heading = WHICH)]
    pub serializer: Option<SerializerName>,
    /// Only sessions that are stored so.
    #[arg(long, value_enum, value_name = "NAME", help_heading = WHICH)]
    pub layout: Option<LayoutName>,
    /// Only sessions that none of the given keys verifies.
    #[arg(long, help_heading = WHICH)]
    pub unverified: bool,
    /// Only sessions that this key signed: 1 is SECRET_KEY, 2 the first of the fallbacks (after a rotation, the old key). Give all keys.
    #[arg(long, value_name = "N", help_heading = WHICH)]
    pub signed_by: Option<usize>,
    /// Only rows that cannot be read.
    #[arg(long, help_heading = WHICH)]
    pub unreadable: bool,
}

impl Conditions {
    /// Their names, for options that take their place.
    pub(super) const NAMES: [&'static str; 9] = [
        "anonymous",
        "logged_in",
        "matches",
        "larger_than",
        "serializer",
        "layout",
        "unverified",
        "signed_by",
        "unreadable",
    ];
}

/// How a session is serialized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SerializerName {
    /// JSONSerializer.
    Json,
    /// PickleSerializer.
    Pickle,
}

/// How a session is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LayoutName {
    /// Django 3.1 and later.
    Signed,
    /// Django 1.3 to 3.0.
    Legacy,
    /// Django 1.2 and earlier.
    Md5,
}
