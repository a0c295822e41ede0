//! The one buffer in which all decoders decode large rows.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A buffer for rows that inflate or decode to megabytes. There is one for all decoders of a codec, so that memory does
/// not depend on the number of workers. It is kept: what is freed in one thread and allocated in the next stays with
/// the allocator, for each thread anew.
#[derive(Debug, Default)]
pub struct Shared(Mutex<Vec<u8>>);

impl Shared {
    /// Waits until no other decoder has it. It has room for payloads of so many bytes: what grows step by step leaves
    /// its smaller selves behind.
    pub(super) fn buffer(&self, payload: usize) -> MutexGuard<'_, Vec<u8>> {
        // Whatever a decoder that panicked left in it is overwritten.
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.clear();
        // Padded base64 with line ends decodes to somewhat more than its estimate.
        buffer.reserve_exact(payload + payload / 8);
        buffer
    }

    /// Whether a decoder has it.
    #[cfg(test)]
    pub(super) fn is_taken(&self) -> bool {
        self.0.try_lock().is_err()
    }
}
