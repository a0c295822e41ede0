use std::time::Duration;

/// How fast batches may go.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Rows in one transaction.
    pub batch_size: usize,
    /// Rest after each batch but the last.
    pub sleep: Duration,
}

/// First wait before a batch is tried again; it doubles with every attempt.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// Longest wait before a batch is tried again.
const LAST_BACKOFF: Duration = Duration::from_secs(5);
/// Attempts at one batch, all told. With the waits between them and the lock timeouts within, that
/// is about a minute: longer than a request, shorter than an operator's patience.
pub(super) const ATTEMPTS: u32 = 12;

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
}
