//! zlib (RFC 1950), bounded. Python's `zlib.decompress` wants the header and the checksum, and
//! ignores bytes after the stream; so does this.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};

use super::inflate::{self, Inflate};
use super::{DecodeError, KEPT_BUFFER};

/// `data` as zlib, if that is shorter even with the dot that marks it (Django 5.2
/// `signing.Signer.sign_object`).
pub(super) fn deflate(data: &[u8]) -> Option<Vec<u8>> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(data).ok()?;
    let deflated = zlib.finish().ok()?;
    (deflated.len() + 1 < data.len()).then_some(deflated)
}

/// Gives back what only an unusual row needs.
pub(super) fn shrink(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT_BUFFER {
        buffer.truncate(KEPT_BUFFER);
        buffer.shrink_to(KEPT_BUFFER);
    }
}

/// What came of a stream.
pub(super) enum Inflated<'o> {
    Whole(&'o [u8]),
    /// As many bytes as were allowed; of the rest nothing is known, not even whether it is damaged.
    Beginning(&'o [u8]),
    /// It was shown its beginning, which is enough.
    Enough,
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

    /// Gives back what only an unusual row needs.
    pub(super) fn shrink(&mut self) {
        shrink(&mut self.out);
    }

    /// What `data` inflates to, at most `limit` bytes. `data` may itself be cut.
    pub(super) fn inflate(
        &mut self,
        data: &[u8],
        is_cut: bool,
        limit: usize,
        is_enough: impl Fn(&[u8]) -> bool,
    ) -> Result<Inflated<'_>, DecodeError> {
        let (len, is_whole) = match self.fast.inflate(data, &mut self.out, limit, is_enough) {
            Some(inflate::Inflated::Whole(len)) => (len, true),
            Some(inflate::Inflated::Enough) => return Ok(Inflated::Enough),
            None => self.inflate_by_zlib(data, is_cut, limit)?,
        };
        let inflated = self.out.get(..len).ok_or(DecodeError::Zlib)?;
        Ok(if is_whole { Inflated::Whole(inflated) } else { Inflated::Beginning(inflated) })
    }

    /// Whether the beginning is enough of a stream of which `data` is the beginning.
    pub(super) fn begins(&mut self, data: &[u8], is_enough: impl Fn(&[u8]) -> bool) -> bool {
        let inflated = self.fast.inflate(data, &mut self.out, KEPT_BUFFER, is_enough);
        inflated == Some(inflate::Inflated::Enough)
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.out.capacity()
    }

    /// What flate2 makes of it is the verdict on everything that the fast way leaves: how many bytes, and whether
    /// these are all.
    fn inflate_by_zlib(
        &mut self,
        data: &[u8],
        is_cut: bool,
        limit: usize,
    ) -> Result<(usize, bool), DecodeError> {
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
            if out.len() > limit {
                return Ok((limit, false));
            }
            if status == Status::StreamEnd {
                return Ok((out.len(), true));
            }
            if out.len() < out.capacity() && out.len() == before {
                return if is_cut { Ok((before, false)) } else { Err(DecodeError::Zlib) };
            }
            if out.len() == out.capacity() {
                out.reserve_exact(out.len().min(limit.saturating_sub(out.len()) + 1).max(512));
            }
        }
    }
}
