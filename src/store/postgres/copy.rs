//! The binary format of `COPY` (PostgreSQL docs, "COPY", Binary Format).

use std::io::{self, BufRead, ErrorKind};
use std::ops::ControlFlow;

use super::instant::Instant;
use crate::model::{Expiry, Page, Row};
use crate::store::Emit;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// The length of a field that is NULL.
const NULL: i32 = -1;

/// Rows of three columns: key and data as text, expiry as `timestamptz`; or of four, with what the
/// user column says as text.
pub(super) struct CopyRows<R> {
    input: R,
    key: Vec<u8>,
    data: Vec<u8>,
    user: Vec<u8>,
}

impl<R: BufRead> CopyRows<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, key: Vec::new(), data: Vec::new(), user: Vec::new() }
    }

    /// Emits all rows in pages; false if that was broken off.
    pub(super) fn pages(&mut self, emit: &mut Emit<'_>) -> io::Result<bool> {
        self.header()?;
        let mut page = Page::default();
        while self.row(&mut page)? {
            if page.is_full() {
                match emit(page) {
                    ControlFlow::Continue(empty) => page = empty,
                    ControlFlow::Break(()) => return Ok(false),
                }
            }
        }
        Ok(page.is_empty() || emit(page).is_continue())
    }

    fn header(&mut self) -> io::Result<()> {
        let mut signature = [0; SIGNATURE.len()];
        self.input.read_exact(&mut signature)?;
        if signature != SIGNATURE {
            return Err(malformed());
        }
        let _flags = self.int32()?;
        let extension = self.int32()?;
        let mut skipped = Vec::new();
        self.bytes(extension, &mut skipped)
    }

    fn row(&mut self, page: &mut Page) -> io::Result<bool> {
        let mut columns = [0; 2];
        self.input.read_exact(&mut columns)?;
        let columns = i16::from_be_bytes(columns);
        match columns {
            -1 => {
                // Read on to the end, so that the connection is free for the next statement.
                while !self.input.fill_buf()?.is_empty() {
                    let len = self.input.fill_buf()?.len();
                    self.input.consume(len);
                }
                return Ok(false);
            }
            3 | 4 => {}
            _ => return Err(malformed()),
        }
        let (mut key, mut data) = (std::mem::take(&mut self.key), std::mem::take(&mut self.data));
        let key_len = self.int32()?;
        self.bytes(key_len, &mut key)?;
        let data_len = self.int32()?;
        self.bytes(data_len, &mut data)?;
        let expires = self.timestamp()?;
        let mut user = std::mem::take(&mut self.user);
        let user_len = if columns == 4 { self.int32()? } else { NULL };
        self.bytes(user_len, &mut user)?;
        let shown = String::from_utf8_lossy(&user);
        page.push(Row {
            key: &String::from_utf8_lossy(&key),
            data: &String::from_utf8_lossy(&data),
            expires,
            user: (user_len != NULL).then_some(&*shown),
        });
        drop(shown);
        (self.key, self.data, self.user) = (key, data, user);
        self.data.shrink_to(1 << 20);
        Ok(true)
    }

    fn timestamp(&mut self) -> io::Result<Expiry> {
        match self.int32()? {
            8 => {}
            -1 => return Ok(Expiry::Unreadable),
            _ => return Err(malformed()),
        }
        let mut micros = [0; 8];
        self.input.read_exact(&mut micros)?;
        Ok(Expiry::At(Instant::from_wire(i64::from_be_bytes(micros)).0))
    }

    fn int32(&mut self) -> io::Result<i32> {
        let mut bytes = [0; 4];
        self.input.read_exact(&mut bytes)?;
        Ok(i32::from_be_bytes(bytes))
    }

    /// A field of this length; NULL, which is -1, is as good as empty.
    fn bytes(&mut self, len: i32, out: &mut Vec<u8>) -> io::Result<()> {
        out.resize(usize::try_from(len).unwrap_or(0), 0);
        self.input.read_exact(out)
    }
}

fn malformed() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "not what COPY (FORMAT binary) sends")
}
