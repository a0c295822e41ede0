//! Reuses one idle connection between readers and writers. Connecting takes longer than a small command.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A pooler, proxy or firewall may silently drop a connection that was idle for longer.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10);

/// A connection that may be used again.
pub(super) trait Reusable {
    /// Whether it can be reused: no request failed, and nothing is under way.
    fn is_sound(&self) -> bool;
}

/// The idle connection, if there is one, and since when it is idle.
pub(super) struct Idle<C>(Mutex<Option<(C, Instant)>>);

impl<C> Default for Idle<C> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<C: Reusable> Idle<C> {
    /// Takes the idle connection or opens one, and looks at the table with it.
    pub(super) fn check_out<T, E>(
        &self,
        connect: impl FnOnce() -> Result<C, E>,
        look: impl Fn(&mut C) -> Result<T, E>,
    ) -> Result<(Checkout<'_, C>, T), E> {
        if let Some(mut connection) = self.take() {
            // If this fails, a new connection is tried: it reports again what is wrong with the table, and replaces an old
            // connection that broke.
            if let Ok(found) = look(&mut connection) {
                return Ok((self.lend(connection), found));
            }
        }
        let mut connection = connect()?;
        let found = look(&mut connection)?;
        Ok((self.lend(connection), found))
    }

    /// Takes it, unless it may be forgotten.
    fn take(&self) -> Option<C> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        idle.filter(|(_, since)| since.elapsed() < FORGOTTEN_AFTER)
            .map(|(connection, _)| connection)
    }

    /// Has a connection come here once it is not used any more.
    pub(super) fn lend(&self, connection: C) -> Checkout<'_, C> {
        Checkout { idle: self, connection: Some(connection) }
    }

    fn put(&self, connection: C) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *idle = Some((connection, Instant::now()));
    }
}

/// A connection in use. When it is dropped, it becomes the idle connection, unless it failed.
pub(super) struct Checkout<'s, C: Reusable> {
    idle: &'s Idle<C>,
    connection: Option<C>,
}

impl<C: Reusable> Deref for Checkout<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        match &self.connection {
            Some(connection) => connection,
            None => unreachable!("it is given back when it is dropped"),
        }
    }
}

impl<C: Reusable> DerefMut for Checkout<'_, C> {
    fn deref_mut(&mut self) -> &mut C {
        match &mut self.connection {
            Some(connection) => connection,
            None => unreachable!("it is given back when it is dropped"),
        }
    }
}

impl<C: Reusable> Drop for Checkout<'_, C> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(C::is_sound) {
            self.idle.put(connection);
        }
    }
}
