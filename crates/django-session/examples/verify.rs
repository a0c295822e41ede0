//! Verifies the row that a session cookie names, with a site's `SECRET_KEY` and its fallbacks.
//!
//! The cookie is the row's `session_key`. A service would read the row with a statement like this, in which the database
//! says that the session has not expired:
//!
//! ```sql
//! SELECT session_data FROM django_session WHERE session_key = $1 AND expire_date > now()
//! ```
//!
//! ```sh
//! SECRET_KEY=... SECRET_KEY_FALLBACKS=old,older cargo run --example verify < session_data
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints what it found")]

use std::env;
use std::io::{Read, stdin};
use std::process::ExitCode;

use django_session::{Codec, DEFAULT_KEY_SALT, Decoder, Keyring, Signature, Verdict};

fn main() -> ExitCode {
    let fallbacks = env::var("SECRET_KEY_FALLBACKS").unwrap_or_default();
    let keys = env::var("SECRET_KEY").into_iter();
    let keys = keys.chain(fallbacks.split(',').filter(|key| !key.is_empty()).map(Into::into));
    let codec = Codec { keyring: Keyring::new(keys, DEFAULT_KEY_SALT), ..Codec::default() };
    let mut stored = String::new();
    if codec.keyring.is_empty() || stdin().read_to_string(&mut stored).is_err() {
        eprintln!("set SECRET_KEY, and give a row's session_data on standard input");
        return ExitCode::from(2);
    }
    let mut decoder = Decoder::new(&codec);
    let session = decoder.decode(stored.trim_end());
    match session.verdict(|_| true) {
        Verdict::Login(login) if login.signature == Signature::Valid => {
            println!("user {} (key {:?})", login.user_id.escape_debug(), session.signed_by());
            ExitCode::SUCCESS
        }
        _ => {
            println!("no login that Django would believe");
            ExitCode::FAILURE
        }
    }
}
