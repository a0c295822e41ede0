//! zlib (RFC 1950), bounded. Python's `zlib.decompress` wants the header and the checksum, and
//! ignores bytes after the stream; so does this.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};

use super::inflate::{Inflate, Inflated};
use super::{DecodeError, KEPT_BUFFER};

/// `data` as zlib, if that is shorter even with the dot that marks it (Django 5.2
/// `signing.Signer.sign_object`).
pub(super) fn deflate(data: &[u8]) -> Option<Vec<u8>> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(data).ok()?;
    let deflated = zlib.finish().ok()?;
    (deflated.len() + 1 < data.len()).then_some(deflated)
}

/// A reusable inflater: what it needs is allocated once.
pub(super) struct Inflater {
    fast: Inflate,
    zlib: Decompress,
    /// What was inflated last, and more behind it.
    out: Vec<u8>,
}

impl Inflater {
    pub(super) fn new() -> Self {
        Self { fast: Inflate::new(), zlib: Decompress::new(true), out: Vec::new() }
    }

    /// What `data` inflates to, at most `limit` bytes; `None` if its beginning is enough.
    pub(super) fn inflate(
        &mut self,
        data: &[u8],
        limit: usize,
        is_enough: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<&[u8]>, DecodeError> {
        if self.out.capacity() > KEPT_BUFFER {
            self.out.truncate(KEPT_BUFFER);
            self.out.shrink_to(KEPT_BUFFER);
        }
        let len = match self.fast.inflate(data, &mut self.out, limit, is_enough) {
            Some(Inflated::Whole(len)) => len,
            Some(Inflated::Enough) => return Ok(None),
            None => self.inflate_by_zlib(data, limit)?,
        };
        self.out.get(..len).map(Some).ok_or(DecodeError::Zlib)
    }

    /// Whether the beginning is enough of a stream of which `data` is the beginning.
    pub(super) fn begins(&mut self, data: &[u8], is_enough: impl Fn(&[u8]) -> bool) -> bool {
        let inflated = self.fast.inflate(data, &mut self.out, KEPT_BUFFER, is_enough);
        inflated == Some(Inflated::Enough)
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.out.capacity()
    }

    /// What flate2 makes of it is the verdict on everything that the fast way leaves.
    fn inflate_by_zlib(&mut self, data: &[u8], limit: usize) -> Result<usize, DecodeError> {
        let Self { zlib, out, .. } = self;
        zlib.reset(true);
        out.clear();
        out.reserve(data.len().saturating_mul(4).clamp(512, limit));
        loop {
            let read = usize::try_from(zlib.total_in()).map_err(|_| DecodeError::TooLarge)?;
            let rest = data.get(read..).unwrap_or_default();
            let before = out.len();
            let status = zlib
                .decompress_vec(rest, out, FlushDecompress::Finish)
                .map_err(|_| DecodeError::Zlib)?;
            if status == Status::StreamEnd {
                return if out.len() > limit { Err(DecodeError::TooLarge) } else { Ok(out.len()) };
            }
            if out.len() > limit {
                return Err(DecodeError::TooLarge);
            }
            if out.len() < out.capacity() && out.len() == before {
                return Err(DecodeError::Zlib);
            }
            if out.len() == out.capacity() {
                out.reserve(out.len().min(limit.saturating_sub(out.len()) + 1).max(512));
            }
        }
    }
}
