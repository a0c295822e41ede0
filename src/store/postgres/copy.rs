//! Parses the binary format of `COPY` (PostgreSQL docs, "COPY", Binary Format) into pages of rows.

use std::ops::ControlFlow;

use super::instant::{Instant, Times};
use crate::model::{Data, Page, RawRow};
use crate::store::Emit;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// The bytes up to the end of the header: signature, flags, and the length of an extension.
const HEADER: usize = SIGNATURE.len() + 4 + 4;
/// The number of columns that marks the end.
const TRAILER: i16 = -1;
/// The length of a field that is NULL.
const NULL: i32 = -1;

/// Rows of [`columns_with_data`](super::row::columns_with_data), perhaps with one more column: what the user column says, as
/// text.
#[derive(Default)]
pub(super) struct CopyRows {
    page: Page,
    times: Times,
    lack_data: bool,
    /// The beginning of an incomplete row. PostgreSQL sends each row in a message of its own, other servers
    /// may not.
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

/// Why parsing stopped.
pub(super) enum Broken {
    /// The caller ended the scan.
    Enough,
    /// The bytes are not in this format.
    Malformed,
}

/// Why no value can be parsed from the beginning of some bytes.
enum Stuck {
    Incomplete,
    Malformed,
}

impl CopyRows {
    pub(super) fn new(times: Times) -> Self {
        Self { times, ..Self::default() }
    }

    /// Parses a message, and emits each page that is full.
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

    /// Whether rows came without data, and were skipped.
    pub(super) fn lack_data(&self) -> bool {
        self.lack_data
    }

    /// Emits the last page. Fails if the stream ended early.
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

    /// Parses complete rows; returns the bytes of the incomplete one.
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
        let data = field(bytes)?;
        let expires = match field(bytes)? {
            None => None,
            Some(micros) => Some(Instant::from_wire(i64::from_be_bytes(fixed(micros)?))),
        };
        let expires = self.times.expiry(expires);
        let user = if columns == 4 { field(bytes)? } else { None };
        match data.map(Data::Text) {
            Some(data) => self.page.push_raw(RawRow { key, data, expires, user }),
            None => self.lack_data = true,
        }
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

/// A field; `None` if it is NULL.
fn field<'b>(bytes: &mut &'b [u8]) -> Result<Option<&'b [u8]>, Stuck> {
    match i32::from_be_bytes(array(bytes)?) {
        NULL => Ok(None),
        len => split(bytes, usize::try_from(len).map_err(|_| Stuck::Malformed)?).map(Some),
    }
}

/// A field of a type with a fixed length.
fn fixed<const N: usize>(field: &[u8]) -> Result<[u8; N], Stuck> {
    field.try_into().map_err(|_| Stuck::Malformed)
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
    use crate::model::Row;

    /// A key, another field, and an expiry.
    type Fields<'f> = (&'f str, Option<&'f [u8]>, Option<i64>);

    fn stream<const N: usize>(rows: [Fields<'_>; N]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0; 4]);
        bytes.extend([0, 0, 0, 2, b'?', b'?']);
        for (key, second, expires) in rows {
            bytes.extend(3_i16.to_be_bytes());
            let expires = expires.map(i64::to_be_bytes);
            for field in [Some(key.as_bytes()), second, expires.as_ref().map(|bytes| &bytes[..])] {
                let len = field.map_or(NULL, |field| i32::try_from(field.len()).unwrap());
                bytes.extend(len.to_be_bytes());
                bytes.extend(field.unwrap_or_default());
            }
        }
        bytes.extend(TRAILER.to_be_bytes());
        bytes
    }

    /// Two rows with data and two without.
    fn sent() -> Vec<u8> {
        stream([
            ("a", Some("données".as_bytes()), Some(0)),
            ("b", None, None),
            ("c", Some(b""), None),
            ("d", None, Some(0)),
        ])
    }

    fn read<'b>(messages: impl Iterator<Item = &'b [u8]>) -> Option<Vec<String>> {
        let mut rows = Vec::new();
        let mut emit = |page: Page| {
            let said = |row: Row<'_>| format!("{} {:?} {}", row.key, row.data, row.expires);
            rows.extend(page.rows().map(said));
            ControlFlow::Continue(Page::default())
        };
        let mut copy = CopyRows::default();
        for message in messages {
            if copy.take(message, &mut emit).is_break() {
                return None;
            }
        }
        assert!(copy.lack_data() || copy.place != Place::End);
        copy.finish(&mut emit).is_continue().then_some(rows)
    }

    #[test]
    fn rows_are_whole_wherever_messages_end() {
        let sent = sent();
        for len in 1..=sent.len() {
            let meant = ["a Text(\"données\") 2000-01-01T00:00:00Z", "c Text(\"\") unreadable"];
            assert_eq!(read(sent.chunks(len)).unwrap(), meant, "{len}");
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
