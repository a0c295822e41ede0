//! `decode`: reads stored session values from standard input and prints each as a line of JSON. Needs no
//! database.

use std::io::{BufRead, Read, Write};

use django_session::Decoder;

use super::Command;
use crate::cli::Decode;
use crate::context::Ctx;
use crate::error::{Error, Exit};
use crate::sessions::describe::{Described, Detail, describe, write_json};
use crate::settings;

impl Command for Decode {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        ctx.reading_sessions().note_unknown();
        let mut input = settings::open(&self.file)?;
        let mut decoder = Decoder::new(ctx.codec);
        let terminator = if self.null { 0 } else { b'\n' };
        // One byte more than a row may have: what is cut there is too large, not merely broken.
        let longest = ctx.codec.limits.payload * 2;
        let mut value = Vec::new();
        loop {
            if let Some(signal) = ctx.stop.requested() {
                return Ok(Exit::Interrupted(signal));
            }
            value.clear();
            value.shrink_to(1 << 20);
            let read = input
                .by_ref()
                .take(u64::try_from(longest).unwrap_or(u64::MAX))
                .read_until(terminator, &mut value)
                .map_err(|source| settings::cannot_read(&self.file, source))?;
            if read == 0 {
                return Ok(Exit::Done);
            }
            if value.last() == Some(&terminator) {
                value.pop();
                if terminator == b'\n' && value.last() == Some(&b'\r') {
                    value.pop();
                }
            } else if read == longest {
                skip_to(&mut input, terminator)
                    .map_err(|source| settings::cannot_read(&self.file, source))?;
            }
            let stored = String::from_utf8_lossy(&value);
            let stored = decoder.decode(&stored);
            let Described { session, large } = describe(&stored, Detail::Payload);
            write_json(out, &session, large)?;
        }
    }

    fn reads_stdin(&self) -> usize {
        usize::from(settings::is_stdin(&self.file))
    }
}

fn skip_to(input: &mut dyn BufRead, terminator: u8) -> std::io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == terminator);
        let (skip, done) = end.map_or((buffer.len(), buffer.is_empty()), |at| (at + 1, true));
        input.consume(skip);
        if done {
            return Ok(());
        }
    }
}
