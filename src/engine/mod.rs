//! Scans tables and drives batches. Knows stores by their traits only, and nothing of what a
//! session contains.

mod driver;
mod pace;
mod progress;
mod scan;
#[cfg(test)]
mod tests;

pub use driver::{Driver, Halted, Tally, Why};
pub use pace::Pace;
pub use progress::{Event, Progress, Silent};
pub use scan::{Ended, Scan};
