//! Says who is logged in by a row. No key is needed: `session_data` is signed, not encrypted. Without a key nobody knows whether
//! Django would believe the row.
//!
//! ```sh
//! psql -Atc "SELECT session_data FROM django_session" | cargo run --example who_is_it
//! ```

#![allow(clippy::print_stdout, reason = "an example prints what it found")]

use std::io::{BufRead, stdin};

use django_session::{Codec, Decoder, Verdict};

fn main() -> std::io::Result<()> {
    let codec = Codec::default();
    let mut decoder = Decoder::new(&codec);
    for line in stdin().lock().lines() {
        match decoder.decode(&line?).verdict(|_| false) {
            Verdict::Login(login) => println!("user {}", login.user_id.escape_debug()),
            Verdict::Anonymous { .. } => println!("anonymous"),
            Verdict::Unreadable(why) | Verdict::Damaged(why) => println!("unreadable: {why}"),
        }
    }
    Ok(())
}
