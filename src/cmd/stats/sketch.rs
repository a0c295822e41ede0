//! Estimates how many different values occur, and which are the most frequent, in memory that does not grow
//! with the table.

use std::collections::{BTreeMap, BTreeSet};

/// Counts different values: exactly up to a limit, and to about a hundredth beyond it (Bar-Yossef and others,
/// "Counting Distinct Elements in a Data Stream", 2002).
pub(super) struct Distinct {
    smallest: BTreeSet<u64>,
}

const HASHES: usize = 16_384;

impl Distinct {
    pub(super) fn new() -> Self {
        Self { smallest: BTreeSet::new() }
    }

    /// Adds a value by its hash.
    pub(super) fn add(&mut self, hash: u64) {
        let is_full = self.smallest.len() >= HASHES;
        if is_full && self.smallest.last().is_some_and(|last| hash >= *last) {
            return;
        }
        if self.smallest.insert(hash) && is_full {
            self.smallest.pop_last();
        }
    }

    pub(super) fn is_exact(&self) -> bool {
        self.smallest.len() < HASHES
    }

    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    pub(super) fn count(&self) -> u64 {
        match self.smallest.last() {
            Some(last) if !self.is_exact() => {
                ((HASHES - 1) as f64 * (u64::MAX as f64 / *last as f64)) as u64
            }
            _ => self.smallest.len() as u64,
        }
    }
}

/// Counts of sizes, in steps of a sixteenth of their power of two, for percentiles.
#[derive(Default)]
pub(super) struct Sizes {
    steps: BTreeMap<usize, u64>,
    rows: u64,
    pub(super) total: u64,
    pub(super) largest: usize,
}

const STEPS: usize = 16;

impl Sizes {
    pub(super) fn add(&mut self, size: usize) {
        *self.steps.entry(step(size)).or_default() += 1;
        self.rows += 1;
        self.total += size as u64;
        self.largest = self.largest.max(size);
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (step, rows) in other.steps {
            *self.steps.entry(step).or_default() += rows;
        }
        self.rows += other.rows;
        self.total += other.total;
        self.largest = self.largest.max(other.largest);
    }

    /// The size that `percent` of the rows do not exceed, rounded up to the end of its step.
    pub(super) fn percentile(&self, percent: u64) -> usize {
        let mut left = (self.rows * percent).div_ceil(100);
        for (step, rows) in &self.steps {
            left = left.saturating_sub(*rows);
            if left == 0 {
                return step.min(&self.largest).to_owned();
            }
        }
        self.largest
    }
}

impl Sizes {
    /// Rows by size, in powers of two.
    pub(super) fn by_power(&self) -> BTreeMap<usize, u64> {
        let mut powers = BTreeMap::new();
        for (step, rows) in &self.steps {
            *powers.entry(step.next_power_of_two()).or_default() += rows;
        }
        powers
    }
}

/// The end of the step that a size is in.
fn step(size: usize) -> usize {
    let width = (size.next_power_of_two() / 2 / STEPS).max(1);
    size.div_ceil(width) * width
}

/// A day in a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Day {
    /// Days since 1970-01-01, in UTC.
    On(i64),
    /// A day beyond the limit of days.
    Other,
    /// In the year 9999 or later, which is how Django stores "never".
    Never,
    /// The day is unknown.
    Unknown,
}

/// Rows of a day.
#[derive(Clone, Copy, Default)]
pub(super) struct DayRows {
    pub(super) rows: u64,
    pub(super) anonymous: u64,
}

/// Rows by day.
#[derive(Default)]
pub(super) struct Days(pub(super) BTreeMap<Day, DayRows>);

/// Ten years; a forged row can name any day.
const MOST_DAYS: usize = 3_650;

impl Days {
    pub(super) fn add(&mut self, day: Day, more: DayRows) {
        let has_room = self.0.len() < MOST_DAYS || self.0.contains_key(&day);
        let day = if has_room || !matches!(day, Day::On(_)) { day } else { Day::Other };
        let rows = self.0.entry(day).or_default();
        rows.rows += more.rows;
        rows.anonymous += more.anonymous;
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (day, rows) in other.0 {
            self.add(day, rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    #[test]
    fn distinct_values_are_counted_exactly_and_then_nearly() {
        for (values, tolerance) in [(0, 0), (1, 0), (16_383, 0), (500_000_u64, 25_000)] {
            let (mut distinct, hasher) = (Distinct::new(), RandomState::new());
            for value in (0..values).chain(0..values / 2) {
                distinct.add(hasher.hash_one(value.to_string()));
            }
            assert!(distinct.count().abs_diff(values) <= tolerance, "{}", distinct.count());
            assert_eq!(distinct.is_exact(), tolerance == 0);
        }
    }

    #[test]
    fn percentiles_are_right_to_a_sixteenth() {
        let mut sizes = Sizes::default();
        for size in 1..=10_000 {
            sizes.add(size);
        }
        for (percent, truth) in [(1, 100), (50, 5_000), (90, 9_000), (99, 9_900), (100, 10_000)] {
            let estimate = sizes.percentile(percent);
            assert!(
                estimate >= truth && estimate <= truth + truth / STEPS + 1,
                "{percent}: {estimate}"
            );
        }
        assert_eq!(Sizes::default().percentile(50), 0);
    }
}
