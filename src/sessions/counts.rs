//! Counts how often values occur, to show the most frequent ones. It forgets rare values, so its memory does
//! not grow with the table.

use std::cmp::Reverse;
use std::collections::HashMap;

/// Values and how often each occurred, up to a limit. The counts of one page, several of which wait to be
/// merged, have a lower limit than those of the table.
#[derive(Default)]
pub(crate) struct Counts {
    by_value: HashMap<String, Count>,
    /// Bytes of all values.
    bytes: usize,
    /// Whether other counts are merged into this one.
    is_sum: bool,
    /// Whether rare values were forgotten.
    pub(crate) forgot: bool,
}

/// The count of one value.
#[derive(Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) times: u64,
    pub(crate) bytes: u64,
}

/// Most values that are kept, and their bytes. Beyond that, the less frequent half is forgotten.
const MOST: usize = 100_000;
const MOST_BYTES: usize = 8 << 20;
const MOST_BYTES_OF_PAGE: usize = 512 << 10;
/// Longer values are cut to this many characters.
const MOST_CHARS: usize = 100;

/// The part of a value that is kept and shown.
pub(crate) fn beginning(value: &str) -> &str {
    let end = value.char_indices().nth(MOST_CHARS).map_or(value.len(), |(end, _)| end);
    value.get(..end).unwrap_or_default()
}

impl Counts {
    pub(crate) fn add(&mut self, value: &str, times: u64, bytes: u64) {
        let value = beginning(value);
        if !self.by_value.contains_key(value) {
            let most_bytes = if self.is_sum { MOST_BYTES } else { MOST_BYTES_OF_PAGE };
            if self.by_value.len() >= MOST || self.bytes + value.len() > most_bytes {
                self.forget();
            }
            self.bytes += value.len();
            self.by_value.insert(value.to_owned(), Count::default());
        }
        if let Some(count) = self.by_value.get_mut(value) {
            count.times += times;
            count.bytes += bytes;
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.is_sum = true;
        self.forgot |= other.forgot;
        for (value, count) in other.by_value {
            self.add(&value, count.times, count.bytes);
        }
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.by_value.keys().map(String::as_str)
    }

    /// How often a value occurred, as far as that was counted.
    pub(crate) fn times(&self, value: &str) -> u64 {
        self.by_value.get(beginning(value)).map_or(0, |count| count.times)
    }

    /// The `most` values with the highest `rank`; equal ranks are sorted by name.
    pub(crate) fn top(self, most: usize, rank: impl Fn(&Count) -> u64) -> Vec<(String, Count)> {
        let mut all: Vec<_> = self.by_value.into_iter().collect();
        all.sort_by(|(a, one), (b, other)| rank(other).cmp(&rank(one)).then_with(|| a.cmp(b)));
        all.truncate(most);
        all
    }

    fn forget(&mut self) {
        let mut times: Vec<u64> = self.by_value.values().map(|count| count.times).collect();
        times.sort_unstable_by_key(|times| Reverse(*times));
        let bound = times.get(times.len() / 2).copied().unwrap_or(0);
        self.by_value.retain(|_, count| count.times > bound);
        self.by_value.shrink_to(self.by_value.len());
        self.bytes = self.by_value.keys().map(String::len).sum();
        self.forgot = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_often_is_not_forgotten() {
        let mut counts = Counts::default();
        for n in 0..300_000_u64 {
            counts.add(&n.to_string(), 1, 0);
            if n % 100 == 0 {
                counts.add("often", 1, 7);
            }
        }
        assert!(counts.forgot && counts.by_value.len() <= MOST);
        let top = counts.top(1, |count| count.times);
        assert!(
            matches!(&*top, [(value, count)] if value == "often" && count.times == 3_000 && count.bytes == 21_000)
        );
    }
}
