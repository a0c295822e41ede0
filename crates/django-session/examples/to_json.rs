//! Writes sessions as JSON, whatever serialized them: pickles too.
//!
//! ```sh
//! psql -Atc "SELECT session_data FROM django_session" | cargo run --example to_json
//! ```

#![allow(clippy::print_stdout, reason = "an example prints what it found")]

use std::io::{BufRead, stdin};

use django_session::{Codec, Decoder};

fn main() -> std::io::Result<()> {
    let codec = Codec::default();
    let mut decoder = Decoder::new(&codec);
    for line in stdin().lock().lines() {
        match decoder.decode(&line?).payload().and_then(|payload| payload.json()) {
            Ok(json) => println!("{json}"),
            Err(why) => println!("unreadable: {why}"),
        }
    }
    Ok(())
}
