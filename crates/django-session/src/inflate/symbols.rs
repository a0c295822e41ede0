//! Decodes the symbols of a deflate block into bytes (RFC 1951 §3.2.5).

use super::bits::Bits;
use super::code::{Code, Entry, Meaning};

/// Literals and lengths.
pub(super) type LiteralCode = Code<8, 256, 512>;
pub(super) type DistanceCode = Code<7, 128, 64>;

// An entry: in bits 0 to 5 how many bits the code and its extra bits have, in bits 8 to 11 how many
// the code has, in bits 12 to 14 the kind, in bits 16 to 31 the byte, the least length or distance.
const LITERAL: Entry = 1 << 12;
const END: Entry = 1 << 13;
/// Symbols that must not occur.
const INVALID: Entry = 1 << 14;

#[allow(clippy::indexing_slicing, reason = "runs at compile time, where a panic is a build error")]
pub(super) static LITERALS: Meaning<512> = {
    let mut meaning = [INVALID; 512];
    let mut symbol = 0;
    while symbol < 256 {
        meaning[symbol] = (symbol as Entry) << 16 | LITERAL;
        symbol += 1;
    }
    meaning[256] = END;
    let mut least = 3;
    while symbol < 284 {
        symbol += 1;
        let extra = if symbol < 265 { 0 } else { (symbol as Entry - 261) / 4 };
        meaning[symbol] = least << 16 | extra;
        least += 1 << extra;
    }
    meaning[285] = 258 << 16;
    meaning
};

#[allow(clippy::indexing_slicing, reason = "runs at compile time, where a panic is a build error")]
pub(super) static DISTANCES: Meaning<64> = {
    let mut meaning = [INVALID; 64];
    let (mut symbol, mut least) = (0, 1);
    while symbol < 30 {
        let extra = if symbol < 4 { 0 } else { (symbol as Entry - 2) / 2 };
        meaning[symbol] = least << 16 | extra;
        least += 1 << extra;
        symbol += 1;
    }
    meaning
};

/// How far reading the symbols of a block came.
pub(super) enum Ended {
    Block,
    /// What comes next is no literal, and was not read for want of the other code.
    Literals,
    /// There is no room for what may come next.
    Full,
}

/// What three literals and the longest match take, and some bytes more that are written and do not
/// count.
pub(super) const ROOM: usize = 3 + 258 + 16;

/// Reads symbols and writes what they stand for to `out` from `at` on: literals only, if there is no code of
/// distances.
pub(super) fn inflate_block(
    stream: &mut Bits<'_>,
    (literals, distances): (&LiteralCode, Option<&DistanceCode>),
    out: &mut [u8],
    at: &mut usize,
) -> Option<Ended> {
    let (mut bits, mut end) = (*stream, *at);
    let ended = loop {
        bits.refill()?;
        let Some(room) = out.get_mut(end..).and_then(|rest| rest.first_chunk_mut::<ROOM>()) else {
            break Ended::Full;
        };
        let mut entry = literals.entry(bits.peek(), &LITERALS);
        if entry & LITERAL != 0 {
            room[0] = literal(&mut bits, entry);
            end += 1;
            entry = literals.entry(bits.peek(), &LITERALS);
            if entry & LITERAL != 0 {
                room[1] = literal(&mut bits, entry);
                end += 1;
                entry = literals.entry(bits.peek(), &LITERALS);
                if entry & LITERAL != 0 {
                    room[2] = literal(&mut bits, entry);
                    end += 1;
                    continue;
                }
            }
        }
        let Some(distances) = distances else { break Ended::Literals };
        if entry & (END | INVALID) != 0 {
            if entry & INVALID != 0 {
                return None;
            }
            bits.skip(entry);
            break Ended::Block;
        }
        let length = value(&mut bits, entry);
        bits.refill()?;
        let entry = distances.entry(bits.peek(), &DISTANCES);
        if entry & INVALID != 0 {
            return None;
        }
        let distance = value(&mut bits, entry);
        copy(out, end, distance, length)?;
        end += length;
    };
    (*stream, *at) = (bits, end);
    Some(ended)
}

/// The byte that an entry stands for, and takes it.
#[inline(always)]
fn literal(bits: &mut Bits<'_>, entry: Entry) -> u8 {
    bits.skip(entry);
    (entry >> 16) as u8
}

/// The length or distance that an entry and its extra bits stand for, and takes them.
#[inline(always)]
fn value(bits: &mut Bits<'_>, entry: Entry) -> usize {
    let all = bits.peek() & ((1 << (entry & 63)) - 1);
    bits.skip(entry);
    (entry >> 16) as usize + (all >> (entry >> 8 & 15)) as usize
}

/// Repeats at `at` what stands `distance` before, and may write up to 15 bytes more.
#[inline(always)]
fn copy(out: &mut [u8], at: usize, distance: usize, length: usize) -> Option<()> {
    let from = at.checked_sub(distance)?;
    if distance >= 16 {
        let mut done = 0;
        while done < length {
            let chunk: [u8; 16] = *out.get(from + done..)?.first_chunk()?;
            *out.get_mut(at + done..)?.first_chunk_mut()? = chunk;
            done += 16;
        }
    } else {
        for done in 0..length {
            let byte = *out.get(from + done)?;
            *out.get_mut(at + done)? = byte;
        }
    }
    Some(())
}
