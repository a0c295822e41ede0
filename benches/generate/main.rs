//! Makes a session table to measure on: a million rows in a few seconds, the same ones for the same seed.
//!
//! ```text
//! SECRET_KEY=... cargo run --release --example generate -- sessions.sqlite3
//! SECRET_KEY=... cargo run --release --example generate -- - | psql -c 'COPY django_session FROM STDIN'
//! ```

#![allow(
    missing_docs,
    clippy::doc_markdown,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "what it is given are options, and it may panic"
)]

mod encoder;
mod plan;
mod random;
mod sqlite;

use std::error::Error;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Parser;

use crate::plan::{Expiry, Plan, Session};

/// Make a session table as a site of Django 5.2 fills it: 80% logged in, 20% anonymous, exactly ten
/// sessions of user 42. What has expired did so in 2024, what is live is so until 2045. SECRET_KEY
/// is read from the environment.
#[derive(Parser)]
struct Args {
    /// SQLite file to make; - writes the rows to standard output, for PostgreSQL's COPY FROM STDIN.
    output: PathBuf,
    /// How many sessions.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Share of them that has expired.
    #[arg(long, default_value_t = 0.3)]
    expired: f64,
    /// What expiry has to do with the order of the rows, which is that of creation.
    #[arg(long, value_enum, default_value = "used")]
    expiry: Expiry,
    /// Bytes that the cart of each session takes up in its JSON; a few articles if not given.
    #[arg(long)]
    cart: Option<usize>,
    /// Other sessions for another number.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let secret_key = std::env::var("SECRET_KEY").map_err(|_| "SECRET_KEY is not set")?;
    let plan = Plan::new(args.rows, args.expired, args.expiry, args.seed).with_carts(args.cart);
    if args.output == Path::new("-") {
        let mut out = BufWriter::new(std::io::stdout().lock());
        plan.sessions(&secret_key, |session| write_copy(&mut out, &session))?;
        out.flush()?;
    } else {
        sqlite::write(&args.output, &plan, &secret_key)?;
    }
    Ok(())
}

/// Nothing in a session as Django writes it needs escaping.
fn write_copy(out: &mut impl Write, session: &Session) -> Result<(), Box<dyn Error>> {
    writeln!(out, "{}\t{}\t{}+00", session.key, session.data, session.expire_date())?;
    Ok(())
}
