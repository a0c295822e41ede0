//! How long the way to a server takes, so that it is not taken for work.

use std::time::Duration;

/// The way to a server and back. A batch waits for it several times, however few rows it has: were that counted as the batch's
/// work, batches over a long way would be made as small as they can be, and be no shorter.
#[derive(Default)]
pub(super) struct Link {
    /// Of all answers that of which the server had least to do.
    fastest: Option<Duration>,
    under_way: Duration,
}

/// A way that takes so many times what it took when it was fastest is still the way, and not work: it is never as even.
const UNEVEN: u32 = 2;

impl Link {
    /// The server has answered a request.
    pub(super) fn answered(&mut self, took: Duration) {
        let fastest = self.fastest.map_or(took, |fastest| fastest.min(took));
        self.fastest = Some(fastest);
        self.under_way += took.min(fastest.saturating_mul(UNEVEN));
    }

    /// How long the way has taken since this was asked last.
    pub(super) fn time_under_way(&mut self) -> Duration {
        std::mem::take(&mut self.under_way)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_much_longer_than_the_fastest_answer_is_work() {
        let millis = Duration::from_millis;
        let mut link = Link::default();
        assert_eq!(link.time_under_way(), Duration::ZERO);
        for took in [25, 20, 30, 700] {
            link.answered(millis(took));
        }
        assert_eq!(link.time_under_way(), millis(25 + 20 + 30 + 40));
        assert_eq!(link.time_under_way(), Duration::ZERO);
    }
}
