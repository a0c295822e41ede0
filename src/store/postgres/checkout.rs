//! Connections that readers and writers reuse.

use super::Postgres;
use super::catalog::{Found, Right};
use super::client::Client;
use crate::store::StoreError;
use crate::store::checkout::{self, Reusable};
use crate::store::waits::Work;

pub(super) type Checkout<'s> = checkout::Checkout<'s, Client>;

impl Reusable for Client {
    fn is_sound(&self) -> bool {
        self.is_free()
    }
}

impl Postgres {
    /// Takes the idle connection or opens one, and reads about the table.
    pub(super) fn check_out(&self, right: Right) -> Result<(Checkout<'_>, Found), StoreError> {
        self.idle.check_out(
            || self.connect(),
            |client| {
                client.wait_for(Work::Batch);
                self.find(client, right)
            },
        )
    }

    pub(super) fn checkout(&self, client: Client) -> Checkout<'_> {
        self.idle.lend(client)
    }
}
