use std::path::PathBuf;
use std::time::Duration;

/// How fast batches may go, and when they must end.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Rows in one transaction.
    pub batch_size: BatchSize,
    /// Rest between two batches, at least.
    pub sleep: Duration,
    /// Rest for so many times as long as the batch took.
    pub nice: f64,
    /// End when this is over.
    pub run_time: Option<Duration>,
    /// End after so many rows.
    pub limit: Option<u64>,
    /// Pause while a replica is further behind than this.
    pub max_lag: Option<Duration>,
    /// Pause while this file exists.
    pub pause_file: Option<PathBuf>,
}

/// Rows in one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// Always so many.
    Fixed(usize),
    /// As many as can be done in the time that the store gives a batch.
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
    /// What is left of it after so many rows and so much time.
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

    /// Rows of the batch after one of `rows` that took so long and should have taken `wanted`. It
    /// gets no more than twice as large at a time: the last one may have been lucky. One of fewer
    /// than `most`, the end of a window, tells only that batches are too large.
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

/// Small enough for a slow disk.
const FIRST_BATCH: usize = 250;
/// With fewer, what a commit costs by itself outweighs them, and no batch gets much shorter.
const SMALLEST_BATCH: usize = 100;
const LARGEST_BATCH: usize = 50_000;

/// First wait before a batch is tried again; it doubles with every attempt.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// Longest wait before a batch is tried again.
const LAST_BACKOFF: Duration = Duration::from_secs(5);
/// Attempts at one batch, all told. With the waits between them and the lock timeouts within, that
/// is about a minute: longer than a request, shorter than an operator's patience.
pub(super) const ATTEMPTS: u32 = 12;

/// Attempts where whoever holds a lock will not give it back soon, or where others queue behind us.
pub(super) const FEW_ATTEMPTS: u32 = 3;

/// How long to wait after an attempt that failed; the first is 1.
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
        assert_eq!(next(10_000, 500), 1_000);
    }
}
