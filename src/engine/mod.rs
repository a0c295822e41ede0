//! Scans tables and drives batches. Knows stores by their traits only, and nothing of what a
//! session contains.

mod driver;
mod load;
mod pace;
mod progress;
mod purge;
mod scan;
#[cfg(test)]
mod tests;

pub use driver::{Done, Driver, StopReason, Work};
pub use pace::{BatchSize, Pace};
pub use progress::{Doing, Event, Pause, Progress, Silent};
pub use purge::{KeptRows, Purge};
pub use scan::{Ended, Scan};
