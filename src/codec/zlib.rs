//! zlib (RFC 1950), bounded. Python's `zlib.decompress` wants the header and the checksum, and
//! ignores bytes after the stream; so does this.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};

use super::DecodeError;

/// `data` as zlib, if that is shorter even with the dot that marks it (Django 5.2
/// `signing.Signer.sign_object`).
pub(super) fn deflate(data: &[u8]) -> Option<Vec<u8>> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(data).ok()?;
    let deflated = zlib.finish().ok()?;
    (deflated.len() + 1 < data.len()).then_some(deflated)
}

/// A reusable inflater: its window is allocated once.
pub(super) struct Inflater(Decompress);

impl Inflater {
    pub(super) fn new() -> Self {
        Self(Decompress::new(true))
    }

    /// Replaces `out` with what `data` inflates to, at most `limit` bytes.
    pub(super) fn inflate(
        &mut self,
        data: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), DecodeError> {
        self.0.reset(true);
        out.clear();
        out.reserve(data.len().saturating_mul(4).clamp(512, limit));
        loop {
            let read = usize::try_from(self.0.total_in()).map_err(|_| DecodeError::TooLarge)?;
            let rest = data.get(read..).unwrap_or_default();
            let before = out.len();
            let status = self
                .0
                .decompress_vec(rest, out, FlushDecompress::Finish)
                .map_err(|_| DecodeError::Zlib)?;
            if status == Status::StreamEnd {
                return if out.len() > limit { Err(DecodeError::TooLarge) } else { Ok(()) };
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
