//! Runs scans and batches on a store: parallel decoding, pace, retries, deadlines and progress. It uses
//! stores through their traits only, and does not know what a session contains.

mod driver;
mod load;
mod pace;
mod progress;
mod purge;
mod scan;
mod stop_reason;
#[cfg(test)]
mod tests;

pub use driver::{Done, Driver, Work};
pub use pace::{BatchSize, Pace};
pub use progress::{Doing, Event, Pause, Progress, Silent};
pub use purge::{KeptRows, Purge};
pub use scan::{Ended, Scan};
pub use stop_reason::StopReason;
