//! Reuses one idle connection between readers and writers. Connecting takes longer than a small command.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Postgres;
use super::catalog::{Found, Right};
use super::client::Client;
use crate::store::StoreError;
use crate::store::waits::Work;

/// One that was unused for longer may have been forgotten by what stands in between, and nobody would say so.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10);

/// The connection that nobody uses now, if there is one, and since when.
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

/// A connection that is left to the next use, unless something was wrong with it.
pub(super) struct Checkout<'s> {
    idle: &'s Idle,
    client: Option<Client>,
}

impl Postgres {
    /// A connection, and what there is to know of the table.
    pub(super) fn check_out(&self, right: Right) -> Result<(Checkout<'_>, Found), StoreError> {
        if let Some(mut client) = self.idle.take() {
            client.wait_for(Work::Batch);
            // What is wrong with the table a new connection says again, and what is wrong with the old
            // one does not matter.
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
