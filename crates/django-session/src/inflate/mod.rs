//! A decoder of deflate streams that is fast for small ones. For 200 bytes zlib spends most of its time on filling tables that
//! are made for megabytes; the tables here are as small as the stream's codes are short.
//!
//! What is not accepted here is no verdict: zlib decides then. So whatever is rare (stored blocks, codes that are not
//! complete, other windows than 32 KB) is left to it, and so is everything that is broken.

#![allow(
    clippy::cast_possible_truncation,
    clippy::inline_always,
    reason = "bits are cut out of wider words, and what is in the inner loops is to be there"
)]

mod bits;
mod code;
mod header;
mod symbols;
#[cfg(test)]
mod tests;

use zlib_rs::adler32::adler32;

use bits::Bits;
use header::Header;
use symbols::{DISTANCES, DistanceCode, Ended, LITERALS, LiteralCode, ROOM, inflate_block};

/// Tables that are used for one stream after another.
pub(super) struct Inflate(Box<Tables>);

struct Tables {
    header: Header,
    dynamic: Codes,
    fixed: Codes,
}

struct Codes {
    literals: LiteralCode,
    distances: DistanceCode,
}

impl Codes {
    fn new() -> Self {
        Self { literals: LiteralCode::new(), distances: DistanceCode::new() }
    }
}

impl Inflate {
    pub(super) fn new() -> Self {
        let mut tables =
            Box::new(Tables { header: Header::new(), dynamic: Codes::new(), fixed: Codes::new() });
        let Codes { literals, distances } = &mut tables.fixed;
        (0..288).for_each(|symbol| literals.lengths.push(symbol, fixed_length(symbol)));
        (0..32).for_each(|symbol| distances.lengths.push(symbol, 5));
        let _ = literals.build(&LITERALS);
        let _ = distances.build(&DISTANCES);
        Self(tables)
    }

    /// Writes what `zlib` (RFC 1950) inflates to over the beginning of `out`, which grows where it
    /// must, and says how many bytes that is: at most `limit`. Shows the beginning to `is_enough`
    /// now and then, and goes no further if it is.
    pub(super) fn inflate(
        &mut self,
        zlib: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
        is_enough: impl Fn(&[u8]) -> bool,
    ) -> Option<Inflated> {
        let (header, deflated) = zlib.split_first_chunk()?;
        // A window of 32 KB, no dictionary, and a multiple of 31.
        if header[0] != 0x78 || header[1] & 0x20 != 0 || u16::from_be_bytes(*header) % 31 != 0 {
            return None;
        }
        let mut bits = Bits::new(deflated);
        let Inflated::Whole(len) = self.blocks(&mut bits, out, limit, is_enough)? else {
            return Some(Inflated::Enough);
        };
        let checksum = adler32(1, out.get(..len)?);
        let expected = u32::from_be_bytes(bits.trailer()?);
        (len <= limit && checksum == expected).then_some(Inflated::Whole(len))
    }

    fn blocks(
        &mut self,
        bits: &mut Bits<'_>,
        out: &mut Vec<u8>,
        limit: usize,
        is_enough: impl Fn(&[u8]) -> bool,
    ) -> Option<Inflated> {
        let Tables { header, dynamic, fixed } = &mut *self.0;
        out.resize(out.len().max(SMALLEST), 0);
        let mut at = 0;
        let mut looks = LOOKS.into_iter();
        let mut open = looks.next().map_or(out.len(), |look| look + ROOM);
        loop {
            bits.refill()?;
            let is_last = bits.take(1) == 1;
            let is_fixed = match bits.take(2) {
                1 => true,
                2 => {
                    let Codes { literals, distances } = &mut *dynamic;
                    header.read(bits, &mut literals.lengths, &mut distances.lengths)?;
                    literals.build(&LITERALS)?;
                    false
                }
                _ => return None,
            };
            // A beginning that is enough has mostly no distances yet.
            let mut distances_too = is_fixed;
            loop {
                let codes = if is_fixed { &*fixed } else { &*dynamic };
                let codes = (&codes.literals, distances_too.then_some(&codes.distances));
                match inflate_block(bits, codes, out.get_mut(..open)?, &mut at)? {
                    Ended::Block => break,
                    Ended::Literals => {
                        dynamic.distances.build(&DISTANCES)?;
                        distances_too = true;
                        continue;
                    }
                    Ended::Full if open < out.len() => {
                        if is_enough(out.get(..at)?) {
                            return Some(Inflated::Enough);
                        }
                        open = looks.next().map_or(out.len(), |look| look + ROOM);
                        continue;
                    }
                    Ended::Full => {}
                }
                if at > limit {
                    return None;
                }
                let len = (out.len() * 2).min(limit.saturating_add(ROOM));
                // Of itself a vector would go far beyond the limit.
                out.reserve_exact(len.saturating_sub(out.len()));
                out.resize(len, 0);
                open = out.len();
            }
            if is_last {
                return bits.is_whole().then_some(Inflated::Whole(at));
            }
        }
    }
}

/// What came of a stream.
#[derive(Debug, PartialEq)]
pub(super) enum Inflated {
    /// So many bytes, and the checksum is theirs.
    Whole(usize),
    /// Its beginning was enough, and nothing is known of the rest.
    Enough,
}

/// What there is room for from the beginning.
const SMALLEST: usize = 8 << 10;
/// After so many bytes the beginning is shown: most logins are at the very beginning, or behind a few articles.
const LOOKS: [usize; 4] = [26, 64, 128, 320];

/// RFC 1951 §3.2.6.
fn fixed_length(symbol: u32) -> u32 {
    match symbol {
        144..256 => 9,
        256..280 => 7,
        _ => 8,
    }
}
