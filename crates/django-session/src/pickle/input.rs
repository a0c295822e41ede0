//! Reads the bytes of a pickle from front to back.

use super::super::DecodeError;
use super::text::Span;

#[derive(Debug)]
pub(super) struct Input<'p> {
    payload: &'p [u8],
    at: usize,
    /// Whether more was asked for than there is.
    is_over: bool,
}

impl<'p> Input<'p> {
    pub(super) fn new(payload: &'p [u8]) -> Self {
        Self { payload, at: 0, is_over: false }
    }

    pub(super) fn rest(&self) -> &'p [u8] {
        self.payload.get(self.at..).unwrap_or_default()
    }

    /// Whether the last that was asked for goes beyond the end.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    fn ends_early(&mut self) -> DecodeError {
        self.is_over = true;
        DecodeError::Pickle
    }

    pub(super) fn take(&mut self, len: usize) -> Result<Span, DecodeError> {
        if len > self.rest().len() {
            return Err(self.ends_early());
        }
        let span = Span::new(self.at, len)?;
        self.at += len;
        Ok(span)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some(array) = self.rest().first_chunk() else { return Err(self.ends_early()) };
        self.at += N;
        Ok(*array)
    }

    pub(super) fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_le_bytes)
    }

    /// Bytes behind a length of one byte.
    pub(super) fn counted1(&mut self) -> Result<Span, DecodeError> {
        let len = self.byte()?;
        self.take(len.into())
    }

    /// Bytes behind a length of four bytes, which some opcodes sign; no payload reaches 2 GB.
    pub(super) fn counted4(&mut self) -> Result<Span, DecodeError> {
        let len = self.u32()?;
        self.take(len as usize)
    }

    pub(super) fn counted8(&mut self) -> Result<Span, DecodeError> {
        let len = self.array().map(u64::from_le_bytes)?;
        self.take(usize::try_from(len).map_err(|_| DecodeError::Pickle)?)
    }

    /// A line without its newline, which must be there.
    pub(super) fn line(&mut self) -> Result<Span, DecodeError> {
        let newline = self.rest().iter().position(|b| *b == b'\n');
        let Some(len) = newline else { return Err(self.ends_early()) };
        let line = self.take(len)?;
        self.at += 1;
        Ok(line)
    }

    /// A line where `_pickle.c` insists on at least one character.
    pub(super) fn filled_line(&mut self) -> Result<Span, DecodeError> {
        let line = self.line()?;
        if line.len() == 0 {
            return Err(DecodeError::Pickle);
        }
        Ok(line)
    }
}
