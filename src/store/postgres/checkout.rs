//! Reuses one idle connection between readers and writers. Connecting takes longer than a small command.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Postgres;
use super::catalog::{Found, Right};
use super::client::Client;
use crate::store::StoreError;
use crate::store::waits::Work;

/// A pooler or firewall may silently drop a connection that was idle for longer.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10);

/// The idle connection, if there is one, and since when it is idle.
#[derive(Default)]
pub(super) struct Idle(Mutex<Option<(Client, Instant)>>);

impl Idle {
    fn put(&self, client: Client) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *idle = Some((client, Instant::now()));
    }

    fn take(&self) -> Option<Client> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        idle.filter(|(_, since)| since.elapsed() < FORGOTTEN_AFTER).map(|(client, _)| client)
    }
}

/// A connection in use. When it is dropped, it becomes the idle connection, unless it failed.
pub(super) struct Checkout<'s> {
    idle: &'s Idle,
    client: Option<Client>,
}

impl Postgres {
    /// Takes the idle connection or opens one, and reads about the table.
    pub(super) fn check_out(&self, right: Right) -> Result<(Checkout<'_>, Found), StoreError> {
        if let Some(mut client) = self.idle.take() {
            client.wait_for(Work::Batch);
            // If this fails, a new connection is tried: it reports again what is wrong with the table, and
            // replaces an old connection that broke.
            if let Ok(found) = self.find(&mut client, right) {
                return Ok((self.checkout(client), found));
            }
        }
        let mut client = self.connect()?;
        let found = self.find(&mut client, right)?;
        Ok((self.checkout(client), found))
    }

    pub(super) fn checkout(&self, client: Client) -> Checkout<'_> {
        Checkout { idle: &self.idle, client: Some(client) }
    }
}

impl Deref for Checkout<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        match &self.client {
            Some(client) => client,
            None => unreachable!("it is given back when it is dropped"),
        }
    }
}

impl DerefMut for Checkout<'_> {
    fn deref_mut(&mut self) -> &mut Client {
        match &mut self.client {
            Some(client) => client,
            None => unreachable!("it is given back when it is dropped"),
        }
    }
}

impl Drop for Checkout<'_> {
    fn drop(&mut self) {
        if let Some(client) = self.client.take().filter(Client::is_sound) {
            self.idle.put(client);
        }
    }
}
