//! Decodes a Huffman code with a table (RFC 1951 §3.2.2).

/// Bits of the longest code.
const LONGEST: usize = 15;

/// What a symbol means, in the words of those who read the table.
pub(super) type Entry = u32;
/// An entry for each symbol.
pub(super) type Meaning<const SYMBOLS: usize> = [Entry; SYMBOLS];

/// The length of its code goes twice into the entry of a symbol: to be taken, and to be told from
/// the extra bits that follow, which the entry has added to the former already.
const PER_BIT: Entry = 0x0101;
/// Stands for codes that are longer than the table is wide.
const LONG: Entry = 0;

/// `array[at]`, without a check where the number of items is a power of two.
#[inline(always)]
fn get<T: Copy + Default, const N: usize>(array: &[T; N], at: usize) -> T {
    array.get(at % N).copied().unwrap_or_default()
}

#[inline(always)]
fn set<T, const N: usize>(array: &mut [T; N], at: usize, value: T) {
    if let Some(slot) = array.get_mut(at % N) {
        *slot = value;
    }
}

/// The symbols of a code by the lengths of theirs. `SYMBOLS` are at least seven more than there are in the code, and a
/// power of two.
pub(super) struct Lengths<const SYMBOLS: usize> {
    symbols: [[u16; SYMBOLS]; LONGEST + 1],
    counts: [u16; LONGEST + 1],
}

impl<const SYMBOLS: usize> Lengths<SYMBOLS> {
    pub(super) const fn new() -> Self {
        Self { symbols: [[0; SYMBOLS]; LONGEST + 1], counts: [0; LONGEST + 1] }
    }

    pub(super) fn clear(&mut self) {
        self.counts = [0; LONGEST + 1];
    }

    /// The next symbol. One of length 0 has no code.
    #[inline(always)]
    pub(super) fn push(&mut self, symbol: u32, length: u32) {
        self.push_run(symbol, length, 1, 1);
    }

    /// The next `count` symbols, at most eight.
    #[inline(always)]
    pub(super) fn push_few(&mut self, symbol: u32, length: u32, count: u32) {
        self.push_run(symbol, length, count, 8);
    }

    /// Writes `written` of them whatever `count` is, so that there is no loop.
    #[inline(always)]
    fn push_run(&mut self, symbol: u32, length: u32, count: u32, written: u16) {
        let length = length as usize % (LONGEST + 1);
        let counted = get(&self.counts, length);
        if let Some(symbols) = self.symbols.get_mut(length) {
            for more in 0..written {
                set(symbols, usize::from(counted + more), symbol as u16 + more);
            }
        }
        set(&mut self.counts, length, counted + count as u16);
    }

    /// All symbols: the lengths of the first stand in the lowest bits, three for each. Counts are kept out of memory, where
    /// each would wait for the one before.
    #[inline(always)]
    pub(super) fn unpack(&mut self, packed: u64) {
        let mut counts = 0_u64;
        for symbol in 0..64_u16 / 3 {
            let length = packed >> (3 * symbol) & 7;
            if let Some(symbols) = self.symbols.get_mut(length as usize) {
                set(symbols, (counts >> (8 * length)) as usize, symbol);
            }
            counts += 1 << (8 * length);
        }
        self.clear();
        for (count, byte) in self.counts.iter_mut().zip(counts.to_le_bytes()) {
            *count = byte.into();
        }
    }

    fn of(&self, length: usize) -> &[u16] {
        let symbols = self.symbols.get(length).map_or(&[][..], |symbols| symbols);
        symbols.get(..usize::from(get(&self.counts, length))).unwrap_or_default()
    }

    /// Whether every sequence of bits begins with one code and no other.
    fn are_complete(&self) -> bool {
        let counts = self.counts.iter().enumerate().skip(1);
        let taken: u32 =
            counts.map(|(length, count)| u32::from(*count) << (LONGEST - length)).sum();
        taken == 1 << LONGEST
    }
}

/// The lengths, a table of `SIZE` made of them, which is `1 << BITS`, and a slow way for longer codes.
pub(super) struct Code<const BITS: u32, const SIZE: usize, const SYMBOLS: usize> {
    pub(super) lengths: Lengths<SYMBOLS>,
    table: [Entry; SIZE],
    /// The first of the prefixes, of as many bits as the table is wide, that longer codes have.
    first_long: u32,
}

impl<const BITS: u32, const SIZE: usize, const SYMBOLS: usize> Code<BITS, SIZE, SYMBOLS> {
    pub(super) const fn new() -> Self {
        assert!(SIZE == 1 << BITS && BITS <= WIDEST);
        Self { lengths: Lengths::new(), table: [LONG; SIZE], first_long: 0 }
    }

    /// Makes the table. Refuses lengths of which no code can be made, and incomplete ones.
    pub(super) fn build(&mut self, meaning: &Meaning<SYMBOLS>) -> Option<()> {
        let lengths = &self.lengths;
        if !lengths.are_complete() {
            return None;
        }
        // Written from the left in as many bits as the table is wide.
        let mut code = 0_u32;
        for length in 1..=BITS {
            for symbol in lengths.of(length as usize) {
                let entry = get(meaning, usize::from(*symbol)) + PER_BIT * length;
                set(&mut self.table, reversed::<BITS>(code), entry);
                code += 1 << (BITS - length);
            }
            if length < BITS && code > 0 {
                repeat(&mut self.table, length);
            }
        }
        self.first_long = code;
        for code in code..1 << BITS {
            set(&mut self.table, reversed::<BITS>(code), LONG);
        }
        Some(())
    }

    /// The entry of the code that these bits begin with, of which there must be 15.
    #[inline(always)]
    pub(super) fn entry(&self, bits: u64, meaning: &Meaning<SYMBOLS>) -> Entry {
        let entry = get(&self.table, bits as usize);
        if entry == LONG { self.long(bits, meaning) } else { entry }
    }

    #[cold]
    #[inline(never)]
    fn long(&self, bits: u64, meaning: &Meaning<SYMBOLS>) -> Entry {
        let mut code = reversed::<BITS>(bits as u32 & ((1 << BITS) - 1));
        // The first code of each length, in as many bits.
        let mut first = self.first_long as usize;
        for length in BITS as usize + 1..=LONGEST {
            code = code << 1 | (bits >> (length - 1)) as usize & 1;
            first <<= 1;
            let symbols = self.lengths.of(length);
            if let Some(symbol) = symbols.get(code.wrapping_sub(first)) {
                return get(meaning, usize::from(*symbol)) + PER_BIT * length as u32;
            }
            first += symbols.len();
        }
        LONG
    }
}

/// Copies the first `1 << bits` entries behind themselves.
fn repeat(table: &mut [Entry], bits: u32) {
    // What is of a size that is known takes a few moves and no call.
    match bits {
        1 => copy::<2>(table),
        2 => copy::<4>(table),
        3 => copy::<8>(table),
        4 => copy::<16>(table),
        5 => copy::<32>(table),
        _ => table.copy_within(..1 << bits, 1 << bits),
    }
}

#[inline(always)]
fn copy<const LEN: usize>(table: &mut [Entry]) {
    if let Some((first, rest)) = table.split_first_chunk_mut::<LEN>()
        && let Some(next) = rest.first_chunk_mut()
    {
        *next = *first;
    }
}

const WIDEST: u32 = 8;
/// Numbers of so many bits with their bits in the opposite order.
#[allow(clippy::indexing_slicing, reason = "runs at compile time, where a panic is a build error")]
static REVERSED: [u16; 1 << WIDEST] = {
    let mut reversed = [0; 1 << WIDEST];
    let mut number = 0;
    while number < 1 << WIDEST {
        reversed[number] = (number as u16).reverse_bits() >> (16 - WIDEST);
        number += 1;
    }
    reversed
};

#[inline(always)]
fn reversed<const BITS: u32>(code: u32) -> usize {
    usize::from(get(&REVERSED, (code << (WIDEST - BITS)) as usize))
}
