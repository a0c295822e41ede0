//! The pace of batches: their size, the pauses between them, limits and deadlines, and the waits before
//! retries.

use std::path::PathBuf;
use std::time::Duration;

/// How large batches are, how long to pause between them, and when to stop.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Rows in one transaction.
    pub batch_size: BatchSize,
    /// Minimum pause between two batches.
    pub sleep: Duration,
    /// Pause this many times as long as the last batch took.
    pub nice: f64,
    /// Stop after this time.
    pub run_time: Option<Duration>,
    /// Stop after this many rows.
    pub limit: Option<u64>,
    /// Pause while a replica lags more than this.
    pub max_lag: Option<Duration>,
    /// Pause while this file exists.
    pub pause_file: Option<PathBuf>,
}

/// Rows in one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// Always this many rows.
    Fixed(usize),
    /// As many rows as fit into the time that the store allows a batch.
    Adaptive,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            batch_size: BatchSize::Adaptive,
            sleep: Duration::ZERO,
            nice: 0.0,
            run_time: None,
            limit: None,
            max_lag: None,
            pause_file: None,
        }
    }
}

impl Pace {
    /// The pace for the rest of a run that took `elapsed` and changed `rows` so far.
    #[must_use]
    pub fn left(&self, rows: u64, elapsed: Duration) -> Self {
        Self {
            run_time: self.run_time.map(|time| time.saturating_sub(elapsed)),
            limit: self.limit.map(|limit| limit.saturating_sub(rows)),
            ..self.clone()
        }
    }
}

impl BatchSize {
    /// Rows of the first batch.
    pub(super) fn first(self) -> usize {
        match self {
            Self::Fixed(rows) => rows.max(1),
            Self::Adaptive => FIRST_BATCH,
        }
    }

    /// The size of the next batch, after one of `rows` rows that took `took` and should have taken `wanted`.
    /// It at most doubles, since the last batch may have been fast by chance. A batch of fewer than `most`
    /// rows, at the end of a window, can only shrink the size.
    pub(super) fn next(self, most: usize, rows: usize, took: Duration, wanted: Duration) -> usize {
        match self {
            Self::Fixed(rows) => rows.max(1),
            Self::Adaptive if rows < most && took <= wanted => most,
            Self::Adaptive => {
                let per_row = (took.as_nanos() / rows.max(1) as u128).max(1);
                let fitting = usize::try_from(wanted.as_nanos() / per_row).unwrap_or(usize::MAX);
                fitting.min(rows.saturating_mul(2)).clamp(SMALLEST_BATCH, LARGEST_BATCH)
            }
        }
    }
}

/// Size of the first batch: small enough for a slow disk.
const FIRST_BATCH: usize = 250;
/// Smallest adaptive size: below it the cost of the commit dominates, and batches get hardly shorter.
const SMALLEST_BATCH: usize = 100;
const LARGEST_BATCH: usize = 50_000;

/// Wait before the first retry of a batch; it doubles with every attempt.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// Longest wait before a retry.
const LAST_BACKOFF: Duration = Duration::from_secs(5);
/// Most attempts at one batch. With the waits between them and the lock timeouts within them, they take about
/// a minute: longer than a request of the site, shorter than an operator's patience.
pub(super) const ATTEMPTS: u32 = 12;

/// Most attempts where the lock will not be released soon, or where other sessions queue behind our request.
pub(super) const FEW_ATTEMPTS: u32 = 3;

/// How long to wait after the failed attempt with this number; the first is 1.
pub(super) fn backoff(attempt: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
    FIRST_BACKOFF.saturating_mul(doubled).min(LAST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit() {
        assert_eq!(backoff(1), Duration::from_millis(50));
        assert_eq!(backoff(3), Duration::from_millis(200));
        assert_eq!(backoff(u32::MAX), LAST_BACKOFF);
    }

    #[test]
    fn batches_grow_slowly_and_shrink_at_once() {
        let next = |rows, millis| {
            let took = Duration::from_millis(millis);
            BatchSize::Adaptive.next(rows, rows, took, Duration::from_millis(50))
        };
        assert_eq!(next(1_000, 50), 1_000);
        assert_eq!(next(1_000, 1), 2_000);
        assert_eq!(next(1_000, 500), 100);
        assert_eq!(next(1_000, 1_000_000), SMALLEST_BATCH);
        assert_eq!(next(usize::MAX, 0), LARGEST_BATCH);
        let wanted = Duration::from_millis(50);
        assert_eq!(BatchSize::Fixed(7).next(7, 7, Duration::from_secs(9), wanted), 7);
    }

    #[test]
    fn the_end_of_a_window_only_makes_batches_smaller() {
        let next = |rows, millis| {
            let took = Duration::from_millis(millis);
            BatchSize::Adaptive.next(16_000, rows, took, Duration::from_millis(50))
        };
        assert_eq!(next(3, 2), 16_000);
        assert_eq!(next(10_000, 20), 16_000);
        assert_eq!(next(10_000, 50), 16_000);
        assert_eq!(next(10_000, 500), 1_000);
    }

    #[test]
    fn what_is_left_of_a_limit_and_of_a_time_is_what_was_not_used() {
        let second = Duration::from_secs(1);
        let pace = Pace { limit: Some(10), run_time: Some(9 * second), ..Pace::default() };
        let left = |rows, elapsed| {
            let left = pace.left(rows, elapsed);
            (left.limit, left.run_time)
        };
        assert_eq!(left(3, 2 * second), (Some(7), Some(7 * second)));
        assert_eq!(left(11, 10 * second), (Some(0), Some(Duration::ZERO)));
        let endless = Pace::default().left(3, second);
        assert_eq!((endless.limit, endless.run_time), (None, None));
    }
}
