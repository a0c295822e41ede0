//! Reads bits of a deflate stream, the lowest of each byte first (RFC 1951 §3.1.1).

/// Passed on by value, so that all of it can be in registers.
#[derive(Clone, Copy)]
pub(super) struct Bits<'d> {
    /// What has not gone into `buffer` yet.
    rest: &'d [u8],
    buffer: u64,
    /// How many bits of `buffer` are known, in its lowest six bits; above them is nothing of
    /// interest. What lies above in `buffer` is right, or zero.
    count: u32,
    /// Bytes of zeros in `buffer` that stand for what is not there.
    missing: u32,
}

impl<'d> Bits<'d> {
    pub(super) fn new(data: &'d [u8]) -> Self {
        Self { rest: data, buffer: 0, count: 0, missing: 0 }
    }

    /// Makes at least 56 bits ready: zeros behind the end, but not many.
    #[inline(always)]
    pub(super) fn refill(&mut self) -> Option<()> {
        if let Some(word) = self.rest.first_chunk() {
            self.buffer |= u64::from_le_bytes(*word) << (self.count & 63);
            let taken = 7 - ((self.count / 8) & 7);
            self.rest = self.rest.get(taken as usize..).unwrap_or_default();
            self.count |= 0b11_1000;
        } else {
            *self = self.refilled_at_the_end()?;
        }
        Some(())
    }

    #[cold]
    fn refilled_at_the_end(mut self) -> Option<Self> {
        self.count &= 63;
        while self.count < 56 {
            if let Some((byte, rest)) = self.rest.split_first() {
                self.buffer |= u64::from(*byte) << self.count;
                self.rest = rest;
            } else {
                self.missing += 1;
            }
            self.count += 8;
        }
        // What is behind the end is never taken from a whole stream.
        (self.missing <= 8).then_some(self)
    }

    /// The bits that come next, without taking them.
    #[inline(always)]
    pub(super) fn peek(&self) -> u64 {
        self.buffer
    }

    /// Takes as many bits as the lowest six of `bits` say, of which there must be enough.
    #[inline(always)]
    pub(super) fn skip(&mut self, bits: u32) {
        self.buffer >>= bits & 63;
        self.count = self.count.wrapping_sub(bits);
    }

    /// The next `bits` as a number, of those that are ready.
    #[inline(always)]
    pub(super) fn take(&mut self, bits: u32) -> u64 {
        let number = self.buffer & ((1 << bits) - 1);
        self.skip(bits);
        number
    }

    /// The four bytes that follow the one of which some bits were taken last.
    pub(super) fn trailer(mut self) -> Option<[u8; 4]> {
        self.skip(self.count % 8);
        self.refill()?;
        let trailer = (self.buffer as u32).to_le_bytes();
        self.skip(32);
        self.is_whole().then_some(trailer)
    }

    /// Whether no bits were taken that are not there.
    pub(super) fn is_whole(&self) -> bool {
        (self.count & 63) >= self.missing * 8
    }
}
