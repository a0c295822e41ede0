//! Counts how often values occur, to show the most frequent ones. It forgets rare values, so its memory does
//! not grow with the table.

use std::cmp::Reverse;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use hashbrown::HashTable;

/// Values and how often each occurred, up to a limit. The counts of one page, several of which wait to be
/// merged, have a lower limit than those of the table.
#[derive(Default)]
pub(crate) struct Counts {
    entries: Vec<Entry>,
    /// All values, one behind the other.
    values: String,
    /// The places of the entries, by the hash of their value.
    places: HashTable<usize>,
    /// The place of the value that was counted last.
    last: usize,
    /// Whether other counts are merged into this one.
    is_sum: bool,
    /// Whether rare values were forgotten.
    pub(crate) forgot: bool,
}

struct Entry {
    /// Where its value is.
    begin: usize,
    end: usize,
    hash: u64,
    count: Count,
    /// The place of the value that came behind this one the last time: one session has its keys in the order of the other, and
    /// a comparison costs less than a hash.
    next: usize,
}

/// One for all counts, so that a value which was counted on a page need not be hashed again. Values are hostile: others must not
/// know it.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

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
    if value.len() <= MOST_CHARS {
        return value;
    }
    let end = value.char_indices().nth(MOST_CHARS).map_or(value.len(), |(end, _)| end);
    value.get(..end).unwrap_or_default()
}

impl Counts {
    pub(crate) fn add(&mut self, value: &str, times: u64, bytes: u64) {
        let value = beginning(value);
        let next = self.entries.get(self.last).map_or(0, |last| last.next);
        if self.value(next) == Some(value) {
            self.count(next, times, bytes);
        } else {
            self.add_hashed(value, HASHER.hash_one(value), times, bytes);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.is_sum = true;
        self.forgot |= other.forgot;
        for (place, Entry { hash, count, .. }) in other.entries.iter().enumerate() {
            let value = other.value(place).unwrap_or_default();
            self.add_hashed(value, *hash, count.times, count.bytes);
        }
    }

    fn add_hashed(&mut self, value: &str, hash: u64, times: u64, bytes: u64) {
        let place = self.find(value, hash).unwrap_or_else(|| self.insert(value, hash));
        self.count(place, times, bytes);
    }

    fn find(&self, value: &str, hash: u64) -> Option<usize> {
        self.places.find(hash, |place| self.value(*place) == Some(value)).copied()
    }

    /// The value of the entry in this place.
    fn value(&self, place: usize) -> Option<&str> {
        self.entries.get(place).and_then(|entry| self.values.get(entry.begin..entry.end))
    }

    /// Adds a value that is not there, and returns its place.
    fn insert(&mut self, value: &str, hash: u64) -> usize {
        let most_bytes = if self.is_sum { MOST_BYTES } else { MOST_BYTES_OF_PAGE };
        if self.entries.len() >= MOST || self.values.len() + value.len() > most_bytes {
            self.forget();
        }
        let begin = self.values.len();
        self.values.push_str(value);
        let (end, place) = (self.values.len(), self.entries.len());
        self.entries.push(Entry { begin, end, hash, count: Count::default(), next: place });
        self.index(place);
        place
    }

    /// Makes the entry at this place one that is found. No other is known to come behind it.
    fn index(&mut self, place: usize) {
        let Self { entries, places, .. } = self;
        if let Some(entry) = entries.get_mut(place) {
            entry.next = place;
            let hash = entry.hash;
            places.insert_unique(hash, place, |at| entries.get(*at).map_or(0, |entry| entry.hash));
        }
    }

    fn count(&mut self, place: usize, times: u64, bytes: u64) {
        if let Some(last) = self.entries.get_mut(self.last) {
            last.next = place;
        }
        self.last = place;
        if let Some(Entry { count, .. }) = self.entries.get_mut(place) {
            count.times += times;
            count.bytes += bytes;
        }
    }

    /// The values with their hashes, which are the same in all counts.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.entries.iter().map(|entry| entry.hash)
    }

    /// How often a value occurred, as far as that was counted.
    pub(crate) fn times(&self, value: &str) -> u64 {
        let value = beginning(value);
        let place = self.find(value, HASHER.hash_one(value));
        place.and_then(|place| self.entries.get(place)).map_or(0, |entry| entry.count.times)
    }

    /// The `most` values with the highest `rank`; equal ranks are sorted by name.
    pub(crate) fn top(self, most: usize, rank: impl Fn(&Count) -> u64) -> Vec<(String, Count)> {
        let mut all: Vec<_> = (0..)
            .zip(&self.entries)
            .map(|(place, entry)| (self.value(place).unwrap_or_default(), entry.count))
            .collect();
        all.sort_by(|(a, one), (b, other)| rank(other).cmp(&rank(one)).then_with(|| a.cmp(b)));
        all.truncate(most);
        all.into_iter().map(|(value, count)| (value.to_owned(), count)).collect()
    }

    fn forget(&mut self) {
        let mut times: Vec<u64> = self.entries.iter().map(|entry| entry.count.times).collect();
        times.sort_unstable_by_key(|times| Reverse(*times));
        let bound = times.get(times.len() / 2).copied().unwrap_or(0);
        self.entries.retain(|entry| entry.count.times > bound);
        self.entries.shrink_to_fit();
        let mut values = String::new();
        for entry in &mut self.entries {
            let begin = values.len();
            values.push_str(self.values.get(entry.begin..entry.end).unwrap_or_default());
            (entry.begin, entry.end) = (begin, values.len());
        }
        self.values = values;
        self.places = HashTable::with_capacity(self.entries.len());
        for place in 0..self.entries.len() {
            self.index(place);
        }
        self.last = 0;
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
        assert!(counts.forgot && counts.entries.len() <= MOST);
        let top = counts.top(1, |count| count.times);
        assert!(
            matches!(&*top, [(value, count)] if value == "often" && count.times == 3_000 && count.bytes == 21_000)
        );
    }
}
