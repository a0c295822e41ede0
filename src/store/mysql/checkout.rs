//! Reuses one idle connection between readers. To connect and to prepare a session takes a dozen round trips.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::MySql;
use super::client::Client;
use super::session::{Access, Server};
use crate::store::StoreError;
use crate::store::waits::Work;

/// A proxy or firewall may silently drop a connection that was idle for longer.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10);

/// The idle connection, if there is one, and since when it is idle. It can read, and nothing else.
#[derive(Default)]
pub(super) struct Idle(Mutex<Option<(Client, Server, Instant)>>);

impl Idle {
    fn put(&self, client: Client, server: Server) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *idle = Some((client, server, Instant::now()));
    }

    fn take(&self) -> Option<(Client, Server)> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (client, server, since) = idle?;
        (since.elapsed() < FORGOTTEN_AFTER).then_some((client, server))
    }
}

/// A connection that reads. When it is dropped, it becomes the idle connection, unless it failed.
pub(super) struct Checkout<'s> {
    idle: &'s Idle,
    open: Option<(Client, Server)>,
}

impl MySql {
    /// Takes the idle connection or opens one, and reads about the table.
    pub(super) fn check_out<T>(
        &self,
        find: impl Fn(&mut Client) -> Result<T, StoreError>,
    ) -> Result<(Checkout<'_>, T), StoreError> {
        if let Some((mut client, server)) = self.idle.take() {
            client.wait_for(Work::Batch);
            // If this fails, a new connection is tried: it reports again what is wrong with the table, and replaces an old
            // connection that broke.
            if let Ok(found) = find(&mut client) {
                return Ok((self.checkout(client, server), found));
            }
        }
        let (mut client, server) = self.connect(Access::Read)?;
        let found = find(&mut client)?;
        Ok((self.checkout(client, server), found))
    }

    pub(super) fn checkout(&self, client: Client, server: Server) -> Checkout<'_> {
        Checkout { idle: &self.idle, open: Some((client, server)) }
    }
}

impl Checkout<'_> {
    /// The connection, and what is at its other end.
    pub(super) fn parts(&mut self) -> (&mut Client, &Server) {
        match &mut self.open {
            Some((client, server)) => (client, server),
            None => unreachable!("it is given back when it is dropped"),
        }
    }
}

impl Deref for Checkout<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        match &self.open {
            Some((client, _)) => client,
            None => unreachable!("it is given back when it is dropped"),
        }
    }
}

impl DerefMut for Checkout<'_> {
    fn deref_mut(&mut self) -> &mut Client {
        match &mut self.open {
            Some((client, _)) => client,
            None => unreachable!("it is given back when it is dropped"),
        }
    }
}

impl Drop for Checkout<'_> {
    fn drop(&mut self) {
        if let Some((client, server)) = self.open.take().filter(|(client, _)| client.is_sound()) {
            self.idle.put(client, server);
        }
    }
}
