//! Arguments of `django-code`, as clap reads them.

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

/// Print a Django app that fills the user column at login.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct DjangoCode {
    /// Column with the user's id.
    #[arg(long, value_name = "NAME", default_value = "user_id")]
    pub column: String,
    /// Type of the column. Otherwise that of the column in the database, if a database is named or in the environment;
    /// without one, text, which holds any primary key.
    #[arg(long = "type", value_name = "TYPE", value_enum)]
    pub column_type: Option<ColumnType>,
    /// Name of the app, with the packages that it is in.
    #[arg(long, value_name = "[PACKAGE.]NAME", default_value = "session_user")]
    pub app: String,
    /// Write the app into this new folder, which must have its name.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Print instead the program with which --django asks a project: the Django app of the Python package runs it.
    #[arg(long, hide = true, exclusive = true)]
    pub probe: bool,
}

/// The type of the user column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColumnType {
    /// Any id.
    Text,
    /// 64-bit numbers.
    Bigint,
    /// UUIDs.
    Uuid,
}
