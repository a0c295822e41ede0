//! Reads the Huffman codes at the start of a deflate block (RFC 1951 §3.2.7).

use super::bits::Bits;
use super::code::{Code, Entry, Lengths, Meaning};

/// The order in which the lengths of the code of lengths come.
const ORDER: [u32; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

// An entry: in bits 0 to 5 how many bits the code and its extra bits have, in bits 8 to 11 how many
// the code has, in bits 16 to 19 a length, in bits 20 to 23 how often it comes at least, in bits 24
// to 30 a mask for the extra bits, which say how much more often.
/// It is the length that came before.
const AGAIN: Entry = 1 << 31;
#[allow(clippy::indexing_slicing, reason = "runs at compile time, where a panic is a build error")]
static MEANING: Meaning<64> = {
    let mut meaning = [0; 64];
    let mut length = 0;
    while length < 16 {
        meaning[length] = 1 << 20 | (length as Entry) << 16;
        length += 1;
    }
    meaning[16] = AGAIN | 3 << 24 | 3 << 20 | 2;
    meaning[17] = 7 << 24 | 3 << 20 | 3;
    meaning[18] = 127 << 24 | 11 << 20 | 7;
    meaning
};

/// Reads the codes.
pub(super) struct Header(HeaderCode);

type HeaderCode = Code<5, 32, 64>;

impl Header {
    pub(super) const fn new() -> Self {
        Self(Code::new())
    }

    /// Reads the lengths of both codes.
    pub(super) fn read(
        &mut self,
        bits: &mut Bits<'_>,
        literals: &mut Lengths<512>,
        distances: &mut Lengths<64>,
    ) -> Option<()> {
        bits.refill()?;
        let literal_symbols = bits.take(5) as u32 + 257;
        let distance_symbols = bits.take(5) as u32 + 1;
        if literal_symbols > 286 || distance_symbols > 30 {
            return None;
        }
        self.read_code(bits)?;
        let code = &self.0;
        let more = read_lengths(bits, code, literals, literal_symbols, Run::NONE)?;
        let more = read_lengths(bits, code, distances, distance_symbols, more)?;
        (more.count == 0).then_some(())
    }

    /// The code that the lengths are written in.
    fn read_code(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        // Three bits for each of them, which are not ready all at once.
        let bits_of = |symbols: u32| 3 * symbols;
        let count = bits.take(4) as u32 + 4;
        bits.refill()?;
        let first = bits.take(bits_of(count.min(14)));
        bits.refill()?;
        let packed = first | bits.take(bits_of(count.saturating_sub(14))) << bits_of(14);
        let lengths = (0..).zip(ORDER).fold(0, |lengths, (at, symbol)| {
            lengths | (packed >> bits_of(at) & 7) << bits_of(symbol)
        });
        let code = &mut self.0;
        code.lengths.unpack(lengths);
        code.build(&MEANING)
    }
}

/// So many more symbols have codes of this length.
#[derive(Clone, Copy)]
struct Run {
    count: u32,
    length: u32,
}

impl Run {
    /// No length came yet.
    const NONE: Self = Self { count: 0, length: 16 };
}

/// Reads the lengths of `symbols` symbols, of which the first may have been read already, with those
/// of another code, and returns what was read with the last.
fn read_lengths<const SYMBOLS: usize>(
    stream: &mut Bits<'_>,
    code: &HeaderCode,
    lengths: &mut Lengths<SYMBOLS>,
    symbols: u32,
    first: Run,
) -> Option<Run> {
    let mut bits = *stream;
    lengths.clear();
    let (mut at, mut last) = (first.count, first.length);
    (0..at.min(symbols)).for_each(|symbol| lengths.push(symbol, last));
    while at < symbols {
        bits.refill()?;
        // Each takes 14 bits at most.
        for _ in 0..4 {
            let entry = code.entry(bits.peek(), &MEANING);
            let extra = (bits.peek() >> (entry >> 8 & 15)) as u32 & entry >> 24 & 127;
            let count = (entry >> 20 & 15) + extra;
            bits.skip(entry);
            if entry & AGAIN == 0 {
                last = entry >> 16 & 15;
                lengths.push(at, last);
            } else if last == Run::NONE.length {
                return None;
            } else {
                lengths.push_few(at, last, count.min(symbols - at));
            }
            at += count;
            if at >= symbols {
                break;
            }
        }
    }
    *stream = bits;
    Some(Run { count: at - symbols, length: last })
}
