//! zlib (RFC 1950), bounded. Python's `zlib.decompress` wants the header and the checksum, and
//! ignores bytes after the stream; so does this.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};

use super::base64::Pieces;
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

/// What came of a stream.
#[derive(Debug, PartialEq)]
pub(super) enum Inflated {
    /// So many bytes.
    Whole(usize),
    /// As many bytes as were allowed; of the rest nothing is known, not even whether it is damaged.
    Beginning(usize),
    /// It was shown its beginning, which is enough.
    Enough,
}

/// A reusable inflater: what it needs is allocated once.
pub(super) struct Inflater {
    fast: Inflate,
    zlib: Decompress,
}

impl Inflater {
    pub(super) fn new() -> Self {
        Self { fast: Inflate::new(), zlib: Decompress::new(true) }
    }

    /// Writes what `data` inflates to over the beginning of `out`, which grows where it must: at most `limit` bytes. `data`
    /// may itself be cut.
    pub(super) fn inflate(
        &mut self,
        data: &[u8],
        out: &mut Vec<u8>,
        is_cut: bool,
        limit: usize,
        is_enough: impl Fn(&[u8]) -> bool,
    ) -> Result<Inflated, DecodeError> {
        match self.fast.inflate(data, out, limit, is_enough) {
            Some(inflate::Inflated::Whole(len)) => Ok(Inflated::Whole(len)),
            Some(inflate::Inflated::Enough) => Ok(Inflated::Enough),
            None => self.inflate_by_zlib(data, out, is_cut, limit),
        }
    }

    /// The same of a stream in base64, which is decoded into `piece` bit by bit: a large one does not stand in memory
    /// beside what it inflates to.
    pub(super) fn inflate_text(
        &mut self,
        text: &[u8],
        (piece, out): (&mut Vec<u8>, &mut Vec<u8>),
        is_cut: bool,
        limit: usize,
    ) -> Result<Inflated, DecodeError> {
        self.zlib.reset(true);
        out.clear();
        out.reserve_exact(limit + 1);
        let (mut pieces, mut ended) = (Pieces::of(text), None);
        // What is no base64 is an error, wherever it is.
        while pieces.next(piece)? {
            let mut rest = &**piece;
            while ended.is_none() && !rest.is_empty() {
                let read = self.zlib.total_in();
                ended = match self.zlib.decompress_vec(rest, out, FlushDecompress::None) {
                    Err(_) => Some(Err(DecodeError::Zlib)),
                    Ok(_) if out.len() > limit => Some(Ok(Inflated::Beginning(limit))),
                    Ok(Status::StreamEnd) => Some(Ok(Inflated::Whole(out.len()))),
                    Ok(_) => None,
                };
                let read = usize::try_from(self.zlib.total_in() - read).unwrap_or_default();
                // Without room there is an end, and with room there is progress.
                if read == 0 && ended.is_none() {
                    ended = Some(Err(DecodeError::Zlib));
                }
                rest = rest.get(read..).unwrap_or_default();
            }
        }
        let unfinished =
            if is_cut { Ok(Inflated::Beginning(out.len())) } else { Err(DecodeError::Zlib) };
        ended.unwrap_or(unfinished)
    }

    /// Whether the beginning is enough of a stream of which `data` is the beginning.
    pub(super) fn begins(
        &mut self,
        data: &[u8],
        out: &mut Vec<u8>,
        is_enough: impl Fn(&[u8]) -> bool,
    ) -> bool {
        let inflated = self.fast.inflate(data, out, KEPT_BUFFER, is_enough);
        inflated == Some(inflate::Inflated::Enough)
    }

    /// What flate2 makes of it is the verdict on everything that the fast way leaves.
    fn inflate_by_zlib(
        &mut self,
        data: &[u8],
        out: &mut Vec<u8>,
        is_cut: bool,
        limit: usize,
    ) -> Result<Inflated, DecodeError> {
        let zlib = &mut self.zlib;
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
                return Ok(Inflated::Beginning(limit));
            }
            if status == Status::StreamEnd {
                return Ok(Inflated::Whole(out.len()));
            }
            if out.len() < out.capacity() && out.len() == before {
                return if is_cut {
                    Ok(Inflated::Beginning(before))
                } else {
                    Err(DecodeError::Zlib)
                };
            }
            if out.len() == out.capacity() {
                out.reserve_exact(out.len().min(limit.saturating_sub(out.len()) + 1).max(512));
            }
        }
    }
}
