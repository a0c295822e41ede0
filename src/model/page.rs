//! Pages: batches of rows on their way from a database to a worker, in one reusable buffer.

use django_session::{Decoded, Decoder};

use super::Expiry;

/// Most bytes of `session_data` that are read, which bounds the memory of a row. The largest payload that is
/// decoded, 8 MiB, is 11.2 MB of base64.
pub const MOST_DATA_BYTES: usize = 12 << 20;

/// The `session_data` of a row: the whole of it or nothing, never a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data<T> {
    /// As stored.
    Text(T),
    /// It has this many bytes, more than [`MOST_DATA_BYTES`], and stayed in the database.
    TooLarge(usize),
}

impl<T> Data<T> {
    /// The data as stored, unless it is too large.
    pub fn text(self) -> Option<T> {
        match self {
            Self::Text(text) => Some(text),
            Self::TooLarge(_) => None,
        }
    }

    fn map<U>(self, change: impl FnOnce(T) -> U) -> Data<U> {
        match self {
            Self::Text(text) => Data::Text(change(text)),
            Self::TooLarge(bytes) => Data::TooLarge(bytes),
        }
    }
}

impl Data<&str> {
    /// Its size in the database, in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::TooLarge(bytes) => bytes,
        }
    }
}

/// One row, borrowed from its [`Page`].
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// `session_key`: a live credential, which is printed whole only on request.
    pub key: &'a str,
    /// `session_data`.
    pub data: Data<&'a str>,
    /// `expire_date`.
    pub expires: Expiry,
    /// The value of the user column; `None` if there is no such column, it was not read or it is NULL.
    pub user: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// Decodes `session_data`.
    pub fn decode(&self, decoder: &'a mut Decoder<'_>) -> Decoded<'a> {
        match self.data {
            Data::Text(stored) => decoder.decode(stored),
            Data::TooLarge(_) => decoder.too_large(),
        }
    }
}

/// One row as a database returns it. Django writes only UTF-8, other programs may write anything.
#[derive(Clone, Copy, Debug)]
pub struct RawRow<'a> {
    /// [`Row::key`].
    pub key: &'a [u8],
    /// [`Row::data`].
    pub data: Data<&'a [u8]>,
    /// [`Row::expires`].
    pub expires: Expiry,
    /// [`Row::user`].
    pub user: Option<&'a [u8]>,
}

impl<'a> From<Row<'a>> for RawRow<'a> {
    fn from(row: Row<'a>) -> Self {
        let Row { key, data, expires, user } = row;
        let (key, data) = (key.as_bytes(), data.map(str::as_bytes));
        Self { key, data, expires, user: user.map(str::as_bytes) }
    }
}

/// A page of rows: copied once from the driver, and passed from reader to worker and back.
#[derive(Debug)]
pub struct Page {
    text: String,
    slots: Vec<Slot>,
}

impl Default for Page {
    /// An empty page with room for a full page and its last row, unless that is a large one. A buffer that
    /// grows by doubling would take ever more memory during a scan.
    fn default() -> Self {
        let room = PAGE_BYTES + PAGE_BYTES / 8;
        let (text, slots) = (String::with_capacity(room), Vec::with_capacity(PAGE_ROWS));
        Self { text, slots }
    }
}

#[derive(Debug)]
struct Slot {
    key_end: usize,
    /// The end of the data in the buffer, or its size if it is not there.
    data: Data<usize>,
    expires: Expiry,
    user_end: Option<usize>,
}

impl Slot {
    fn data_end(&self) -> usize {
        self.data.text().unwrap_or(self.key_end)
    }

    fn end(&self) -> usize {
        self.user_end.unwrap_or_else(|| self.data_end())
    }
}

/// Rows in a full page. Passing a page on costs as much as decoding a few rows.
const PAGE_ROWS: usize = 1_000;
/// Bytes in a full page, so that large sessions do not pile up in memory.
const PAGE_BYTES: usize = 512 << 10;

impl Page {
    /// Copies a row in.
    pub fn push(&mut self, row: Row<'_>) {
        self.push_raw(row.into());
    }

    /// Copies a row in, without its data if that is too large. Invalid UTF-8 becomes U+FFFD, which cannot be
    /// decoded.
    pub fn push_raw(&mut self, row: RawRow<'_>) {
        let key_end = self.push_text(row.key);
        let data = match row.data {
            Data::Text(data) if is_too_large(data) => Data::TooLarge(data.len()),
            data => data.map(|data| self.push_text(data)),
        };
        let user_end = row.user.map(|user| self.push_text(user));
        self.slots.push(Slot { key_end, data, expires: row.expires, user_end });
    }

    /// Appends a text, and returns its end.
    fn push_text(&mut self, bytes: &[u8]) -> usize {
        if bytes.len() > PAGE_BYTES {
            // Reserve the same size for every large page, so that the allocator reuses the same memory.
            self.text.reserve_exact(MOST_DATA_BYTES + PAGE_BYTES);
        }
        match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => self.text.push_str(text),
            Err(_) => self.text.push_str(&String::from_utf8_lossy(bytes)),
        }
        self.text.len()
    }

    /// Whether the page is full.
    pub fn is_full(&self) -> bool {
        self.slots.len() >= PAGE_ROWS || self.text.len() >= PAGE_BYTES
    }

    /// The rows in the order in which they came.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let starts = std::iter::once(0).chain(self.slots.iter().map(Slot::end));
        self.slots.iter().zip(starts).map(|(slot, start)| Row {
            key: self.text.get(start..slot.key_end).unwrap_or_default(),
            data: slot.data.map(|end| self.text.get(slot.key_end..end).unwrap_or_default()),
            expires: slot.expires,
            user: slot.user_end.and_then(|end| self.text.get(slot.data_end()..end)),
        })
    }

    /// Keeps the page for the rows at these places, if there are any, and leaves an empty one.
    pub fn leave(&mut self, places: Vec<usize>) -> Leftover {
        let page = if places.is_empty() { None } else { Some(std::mem::take(self)) };
        Leftover { page, places }
    }

    /// A copy of the row at this place.
    pub fn copy(&self, place: usize) -> Leftover {
        let mut page = Self::default();
        let rows = self.rows().skip(place).take(1);
        rows.for_each(|row| page.push(row));
        Leftover { places: (0..page.len()).collect(), page: Some(page) }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes of text in the page.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Removes the rows. Keeps the memory, unless one huge row made it huge.
    pub fn clear(&mut self) {
        if self.text.capacity() > 2 * PAGE_BYTES {
            *self = Self::default();
        }
        self.text.clear();
        self.slots.clear();
    }
}

/// Whether data is left in the database. Invalid bytes would become three times as large as UTF-8.
fn is_too_large(data: &[u8]) -> bool {
    data.len() > MOST_DATA_BYTES
        || (data.len() > PAGE_BYTES && simdutf8::basic::from_utf8(data).is_err())
}

/// Rows that are decoded later, one at a time: together, with what they inflate to, they might not fit into
/// memory. They stay in their page, since copying a large row is expensive.
#[derive(Debug, Default)]
pub struct Leftover {
    page: Option<Page>,
    /// In their order.
    places: Vec<usize>,
}

impl Leftover {
    /// The rows in the order in which they came.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let mut places = self.places.iter().copied().peekable();
        let rows = self.page.iter().flat_map(Page::rows).enumerate();
        rows.filter(move |(at, _)| places.next_if_eq(at).is_some()).map(|(_, row)| row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given_back(rows: &[(&str, Data<&str>, Option<&str>)]) {
        let mut page = Page::default();
        for (key, data, user) in rows.iter().copied() {
            page.push(Row { key, data, expires: Expiry::MISSING, user });
        }
        let back: Vec<_> = page.rows().map(|row| (row.key, row.data, row.user)).collect();
        assert_eq!(back, rows);
        page.clear();
        assert_eq!(page.rows().count(), 0);
    }

    #[test]
    fn a_page_gives_back_what_it_was_given() {
        given_back(&[
            ("a", Data::Text("1"), None),
            ("", Data::Text(""), Some("")),
            ("large", Data::TooLarge(usize::MAX), None),
            ("large, too", Data::TooLarge(0), Some("42")),
            ("ключ", Data::Text("данные"), Some("7")),
            ("b", Data::Text(""), None),
        ]);
    }

    #[test]
    fn what_is_too_large_does_not_get_in() {
        let text = "x".repeat(MOST_DATA_BYTES + 1);
        let mut page = Page::default();
        for data in [&text[1..], &text] {
            let expires = Expiry::MISSING;
            page.push(Row { key: "k", data: Data::Text(data), expires, user: None });
        }
        let sizes: Vec<_> = page.rows().map(|row| (row.data.bytes(), row.data.text())).collect();
        assert_eq!(sizes, [(text.len() - 1, Some(&text[1..])), (text.len(), None)]);
        assert_eq!(page.bytes(), text.len() + 1);
    }
}
