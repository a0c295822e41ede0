//! Streams that no compressor would write: any codes, any symbols, and some that are wrong.

/// `SplitMix64`: numbers that are the same everywhere and for ever.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    /// True once in so many times.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    bits: u64,
    count: u32,
}

impl Writer {
    fn write(&mut self, bits: usize, count: u32) {
        self.bits |= (bits as u64) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push((self.bits & 255) as u8);
            self.bits >>= 8;
            self.count -= 8;
        }
    }

    fn align(&mut self) {
        self.write(0, self.count.wrapping_neg() % 8);
    }
}

/// A code: of each symbol, how long its code is, and the code, ready to be written.
struct Code(Vec<(u32, usize)>);

impl Code {
    fn of(lengths: &[u32]) -> Self {
        let mut next = [0_usize; 17];
        for length in 1..16 {
            let count = lengths.iter().filter(|other| **other as usize == length).count();
            next[length + 1] = (next[length] + count) << 1;
        }
        let code = |length: &u32| {
            let code = next[*length as usize];
            next[*length as usize] += usize::from(*length > 0);
            let reversed = (code as u32).reverse_bits().checked_shr(32 - length).unwrap_or(0);
            (*length, reversed as usize)
        };
        Self(lengths.iter().map(code).collect())
    }

    fn write(&self, symbol: usize, out: &mut Writer) {
        let (length, code) = self.0[symbol];
        out.write(code, length);
    }

    fn used(&self) -> Vec<usize> {
        (0..self.0.len()).filter(|symbol| self.0[*symbol].0 > 0).collect()
    }
}

/// The lengths of a complete code for some of the symbols, these among them; once in a while they
/// are not quite that.
fn lengths(random: &mut Random, symbols: usize, these: &[usize], longest: u32) -> Vec<u32> {
    let mut lengths = vec![0; symbols];
    let leaves = if random.once_in(12) { these.len() } else { these.len() + random.below(symbols) };
    let leaves = leaves.clamp(2, symbols);
    let mut code = vec![1, 1];
    while code.len() < leaves {
        let at = if random.once_in(3) { 0 } else { random.below(code.len()) };
        if code[at] < longest {
            code[at] += 1;
            code.push(code[at]);
        }
    }
    let mut wanted = these.to_vec();
    while wanted.len() < code.len() {
        let symbol = random.below(symbols);
        let symbol = (symbol..symbols).chain(0..symbol).find(|symbol| !wanted.contains(symbol));
        wanted.push(symbol.unwrap());
    }
    for (length, symbol) in code.into_iter().zip(wanted) {
        lengths[symbol] = length;
    }
    if random.once_in(16) {
        let symbol = random.below(symbols);
        lengths[symbol] = random.below(longest as usize + 1) as u32;
    }
    lengths
}

/// A raw stream of a few blocks.
pub(super) fn stream(random: &mut Random) -> Vec<u8> {
    let mut out = Writer::default();
    let mut written = 0;
    let blocks = 1 + random.below(3);
    for block in 1..=blocks {
        out.write(usize::from(block == blocks), 1);
        match random.below(12) {
            0 => stored(random, &mut out, &mut written),
            1 if random.once_in(8) => out.write(3, 2),
            1..5 => {
                out.write(1, 2);
                let length = |symbol| match symbol {
                    0..144 | 280.. => 8,
                    144..256 => 9,
                    _ => 7,
                };
                let literals: Vec<_> = (0..288).map(length).collect();
                symbols(random, &Code::of(&literals), &Code::of(&[5; 32]), &mut out, &mut written);
            }
            _ => {
                out.write(2, 2);
                let (literals, distances) = dynamic(random, &mut out);
                symbols(random, &literals, &distances, &mut out, &mut written);
            }
        }
    }
    out.align();
    out.bytes
}

fn stored(random: &mut Random, out: &mut Writer, written: &mut usize) {
    out.write(0, 2);
    out.align();
    let len = random.below(40);
    out.write(len, 16);
    out.write(if random.once_in(8) { len } else { !len & 0xffff }, 16);
    (0..len).for_each(|_| out.write(random.below(256), 8));
    *written += len;
}

/// Lengths as they are written: a symbol and what its extra bits say.
fn runs(random: &mut Random, lengths: &[u32]) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut at = 0;
    while at < lengths.len() {
        let rest = &lengths[at..];
        let same = rest.iter().take_while(|length| **length == rest[0]).count();
        // Once in a while too many at the end.
        let same = if same == rest.len() && random.once_in(40) { same + 3 } else { same };
        let before = at.checked_sub(1).map(|at| lengths[at]);
        let (symbol, least, most) = match rest[0] {
            _ if random.once_in(5) => (0, 1, 1),
            length if before == Some(length) && random.once_in(2) => (16, 3, 6),
            0 if same > 10 => (18, 11, 138),
            0 => (17, 3, 10),
            length if before == Some(length) || random.once_in(500) => (16, 3, 6),
            _ => (0, 1, 1),
        };
        let count = if same < least { 1 } else { same.min(most) - random.below(2) };
        if symbol == 0 || count < least {
            runs.push((rest[0] as usize, 0));
            at += 1;
        } else {
            runs.push((symbol, count - least));
            at += count;
        }
    }
    runs
}

fn dynamic(random: &mut Random, out: &mut Writer) -> (Code, Code) {
    let wrong = random.once_in(60);
    let literal_count = 257 + random.below(if wrong { 32 } else { 30 });
    let distance_count = 1 + random.below(if wrong { 32 } else { 30 });
    let end: &[usize] = if random.once_in(30) { &[] } else { &[256] };
    let literals = lengths(random, literal_count, end, 15);
    let distances = match random.below(12) {
        0 => vec![0; distance_count],
        1 => (0..distance_count).map(|symbol| u32::from(symbol == 0)).collect(),
        _ if distance_count > 1 => lengths(random, distance_count, &[], 15),
        _ => vec![1],
    };
    let both = [&literals[..], &distances].concat();
    let runs = runs(random, &both);
    let mut used: Vec<_> = runs.iter().map(|(symbol, _)| *symbol).collect();
    used.sort_unstable();
    used.dedup();
    let code_lengths = lengths(random, 19, &used, 7);
    let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let count = order.iter().rposition(|symbol| code_lengths[*symbol] > 0).unwrap_or(0) + 1;
    let count = (count.max(4) + random.below(3)).min(19);
    out.write(literal_count - 257, 5);
    out.write(distance_count - 1, 5);
    out.write(count - 4, 4);
    order[..count].iter().for_each(|symbol| out.write(code_lengths[*symbol] as usize, 3));
    let code = Code::of(&code_lengths);
    for (symbol, extra) in runs {
        code.write(symbol, out);
        match symbol {
            16 => out.write(extra, 2),
            17 => out.write(extra, 3),
            18 => out.write(extra, 7),
            _ => {}
        }
    }
    (Code::of(&literals), Code::of(&distances))
}

fn symbols(
    random: &mut Random,
    literals: &Code,
    distances: &Code,
    out: &mut Writer,
    written: &mut usize,
) {
    let (used, far) = (literals.used(), distances.used());
    let long = random.once_in(20);
    for _ in 0..random.below(if long { 3_000 } else { 60 }) {
        let Some(symbol) = used.get(random.below(used.len())).copied() else { break };
        if symbol < 256 {
            literals.write(symbol, out);
            *written += 1;
        } else if symbol > 256 && !far.is_empty() {
            // Mostly such as do not reach before the beginning.
            let least = |distance: usize| match distance {
                0..4 => distance + 1,
                _ => ((2 + distance % 2) << (distance / 2 - 1)) + 1,
            };
            let near: Vec<_> = far.iter().copied().filter(|far| least(*far) <= *written).collect();
            let distance = match near.get(random.below(near.len())) {
                Some(distance) => *distance,
                None if random.once_in(50) => far[random.below(far.len())],
                None => continue,
            };
            literals.write(symbol, out);
            let extra = if (265..285).contains(&symbol) { (symbol - 261) / 4 } else { 0 };
            let more = random.below(1 << extra);
            out.write(more, extra as u32);
            distances.write(distance, out);
            let extra = (distance / 2).saturating_sub(1);
            let room = written.saturating_sub(least(distance)) + usize::from(random.once_in(500));
            out.write(random.below((room + 1).min(1 << extra)), extra as u32);
            *written += 3 + (symbol - 257).min(8) + more;
        }
    }
    if literals.0.get(256).is_some_and(|(length, _)| *length > 0) && !random.once_in(60) {
        literals.write(256, out);
    }
}
