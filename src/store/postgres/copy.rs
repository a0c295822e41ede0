//! The binary format of `COPY` (PostgreSQL docs, "COPY", Binary Format).

use std::ops::ControlFlow;

use super::instant::Instant;
use crate::model::{Expiry, Page, RawRow};
use crate::store::Emit;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// What stands after the signature: flags, and the length of what a later format may add.
const HEADER: usize = SIGNATURE.len() + 4 + 4;
/// The number of columns that stands after the last row.
const TRAILER: i16 = -1;
/// The length of a field that is NULL.
const NULL: i32 = -1;

/// Rows of three columns: key and data as text, expiry as `timestamptz`; or of four, with what the
/// user column says as text.
#[derive(Default)]
pub(super) struct CopyRows {
    page: Page,
    /// What came of a row that has not come whole. PostgreSQL sends each in a message of its own.
    rest: Vec<u8>,
    place: Place,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Place {
    #[default]
    Header,
    Rows,
    End,
}

/// Why no more rows are wanted.
pub(super) enum Broken {
    /// Whoever reads has enough.
    Enough,
    /// This is not the format.
    Malformed,
}

/// Why nothing can be taken off the front of some bytes.
enum Stuck {
    Incomplete,
    Malformed,
}

impl CopyRows {
    /// Takes what a message brings, and emits a page whenever there is a full one.
    pub(super) fn take(&mut self, message: &[u8], emit: &mut Emit<'_>) -> ControlFlow<Broken> {
        if self.rest.is_empty() {
            let left = self.rows(message, emit)?;
            self.rest.extend_from_slice(left);
        } else {
            let mut bytes = std::mem::take(&mut self.rest);
            bytes.extend_from_slice(message);
            let left = self.rows(&bytes, emit)?.len();
            bytes.drain(..bytes.len() - left);
            self.rest = bytes;
        }
        ControlFlow::Continue(())
    }

    /// Emits the last page. Rows that were announced and did not come are no end.
    pub(super) fn finish(self, emit: &mut Emit<'_>) -> ControlFlow<Broken> {
        if self.place != Place::End {
            return ControlFlow::Break(Broken::Malformed);
        }
        if self.page.is_empty() || emit(self.page).is_continue() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(Broken::Enough)
        }
    }

    /// Takes whole rows; returns the bytes of the one that is not.
    fn rows<'b>(
        &mut self,
        mut bytes: &'b [u8],
        emit: &mut Emit<'_>,
    ) -> ControlFlow<Broken, &'b [u8]> {
        loop {
            let mut rest = bytes;
            let taken = match self.place {
                Place::Header => header(&mut rest).map(|()| self.place = Place::Rows),
                Place::Rows => self.row(&mut rest),
                Place::End => return ControlFlow::Continue(&[]),
            };
            match taken {
                Ok(()) => bytes = rest,
                Err(Stuck::Incomplete) => return ControlFlow::Continue(bytes),
                Err(Stuck::Malformed) => return ControlFlow::Break(Broken::Malformed),
            }
            if self.page.is_full() {
                match emit(std::mem::take(&mut self.page)) {
                    ControlFlow::Continue(empty) => self.page = empty,
                    ControlFlow::Break(()) => return ControlFlow::Break(Broken::Enough),
                }
            }
        }
    }

    fn row(&mut self, bytes: &mut &[u8]) -> Result<(), Stuck> {
        let columns = i16::from_be_bytes(array(bytes)?);
        if columns == TRAILER {
            self.place = Place::End;
            return Ok(());
        }
        if !matches!(columns, 3 | 4) {
            return Err(Stuck::Malformed);
        }
        let key = field(bytes)?.unwrap_or_default();
        let data = field(bytes)?.unwrap_or_default();
        let expires = match field(bytes)? {
            None => Expiry::Unreadable,
            Some(micros) => {
                let micros = micros.try_into().map_err(|_| Stuck::Malformed)?;
                Expiry::At(Instant::from_wire(i64::from_be_bytes(micros)).0)
            }
        };
        let user = if columns == 4 { field(bytes)? } else { None };
        self.page.push_raw(RawRow { key, data, expires, user });
        Ok(())
    }
}

fn header(bytes: &mut &[u8]) -> Result<(), Stuck> {
    let header: [u8; HEADER] = array(bytes)?;
    let extension = header.last_chunk().copied().map_or(0, u32::from_be_bytes);
    if !header.starts_with(SIGNATURE) {
        return Err(Stuck::Malformed);
    }
    split(bytes, usize::try_from(extension).map_err(|_| Stuck::Malformed)?).map(|_| ())
}

/// A field, `None` if it is NULL.
fn field<'b>(bytes: &mut &'b [u8]) -> Result<Option<&'b [u8]>, Stuck> {
    match i32::from_be_bytes(array(bytes)?) {
        NULL => Ok(None),
        len => split(bytes, usize::try_from(len).map_err(|_| Stuck::Malformed)?).map(Some),
    }
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Stuck> {
    let (array, rest) = bytes.split_first_chunk().ok_or(Stuck::Incomplete)?;
    *bytes = rest;
    Ok(*array)
}

fn split<'b>(bytes: &mut &'b [u8], len: usize) -> Result<&'b [u8], Stuck> {
    let (taken, rest) = bytes.split_at_checked(len).ok_or(Stuck::Incomplete)?;
    *bytes = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows, the second of them with NULL for all that may be.
    fn sent() -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0; 4]);
        bytes.extend([0, 0, 0, 2, b'?', b'?']);
        for (key, data, expires) in [("a", "données", Some(0_i64)), ("b", "", None)] {
            bytes.extend(3_i16.to_be_bytes());
            for text in [key, data] {
                bytes.extend(i32::try_from(text.len()).unwrap().to_be_bytes());
                bytes.extend(text.as_bytes());
            }
            bytes.extend(expires.map_or(NULL, |_| 8).to_be_bytes());
            bytes.extend(expires.into_iter().flat_map(i64::to_be_bytes));
        }
        bytes.extend(TRAILER.to_be_bytes());
        bytes
    }

    fn read<'b>(messages: impl Iterator<Item = &'b [u8]>) -> Option<Vec<String>> {
        let mut rows = Vec::new();
        let mut emit = |page: Page| {
            rows.extend(page.rows().map(|row| format!("{} {} {}", row.key, row.data, row.expires)));
            ControlFlow::Continue(Page::default())
        };
        let mut copy = CopyRows::default();
        for message in messages {
            if copy.take(message, &mut emit).is_break() {
                return None;
            }
        }
        copy.finish(&mut emit).is_continue().then_some(rows)
    }

    #[test]
    fn rows_are_whole_wherever_messages_end() {
        let sent = sent();
        for len in 1..=sent.len() {
            let rows = read(sent.chunks(len)).unwrap();
            assert_eq!(rows, ["a données 2000-01-01T00:00:00Z", "b  unreadable"], "{len}");
        }
    }

    #[test]
    fn what_ends_early_or_is_something_else_is_no_end() {
        let sent = sent();
        for end in 0..sent.len() {
            assert_eq!(read([&sent[..end]].into_iter()), None, "{end}");
        }
        for (at, byte) in [(0, b'p'), (HEADER + 2 + 1, 9), (HEADER + 2 + 2, 0x80)] {
            let mut other = sent.clone();
            other[at] = byte;
            assert_eq!(read([&*other].into_iter()), None, "{at}");
        }
    }
}
