/// `SplitMix64`: numbers that are the same everywhere and for ever.
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of one row, whatever rows were made before it.
    pub(crate) fn of_row(seed: u64, row: u64) -> Self {
        let mut seeds = Self(seed);
        Self(seeds.next().wrapping_add(Self(row).next()))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// In `0.0..1.0`.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// So many letters and digits, each of the first `digits` of them.
    pub(crate) fn text(&mut self, digits: u64, length: usize) -> String {
        const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        (0..length).map(|_| char::from(DIGITS[self.below(digits) as usize])).collect()
    }
}
