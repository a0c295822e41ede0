//! Commands that need no database.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::examples;

/// Arguments of `decode`.
#[derive(Debug, Args)]
#[command(before_long_help = examples::DECODE)]
pub struct Decode {
    /// File with one value a line; - is standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
    /// Values end with NUL, not with a line end: rows of Django 1.4 and before contain line ends.
    #[arg(short = '0', long)]
    pub null: bool,
}

/// Arguments of `django-code`.
#[derive(Debug, Args)]
#[command(before_long_help = examples::DJANGO_CODE)]
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

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(before_long_help = examples::COMPLETIONS)]
pub struct Completions {
    /// The shell.
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(before_long_help = examples::MAN)]
pub struct Man {
    /// Write sessctl.1, sessctl-logout-user.1 and so on into this folder.
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
