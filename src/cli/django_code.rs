//! What is typed of `django-code`.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use std::path::PathBuf;

use clap::{Args, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  sessctl django-code
  sessctl django-code --column user_id --type bigint --app mysite.session_user --output mysite/session_user";

/// Print a Django app with which the site itself says in the table whose a session is.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct DjangoCode {
    /// Column with the user's id.
    #[arg(long, value_name = "NAME", default_value = "user_id")]
    pub column: String,
    /// What the column holds. Otherwise what it is in the database, if one is named or in the environment; without, text,
    /// which holds any primary key.
    #[arg(long = "type", value_name = "TYPE", value_enum)]
    pub column_type: Option<ColumnType>,
    /// Name of the app, with the packages that it is in.
    #[arg(long, value_name = "[PACKAGE.]NAME", default_value = "session_user")]
    pub app: String,
    /// Write the app into this new folder, which must have its name.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// What a user column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColumnType {
    /// Any id.
    Text,
    /// 64-bit numbers.
    Bigint,
    /// UUIDs.
    Uuid,
}
