//! Connections that readers reuse: to connect and to prepare a session takes a dozen round trips. Writers, which may do more, have
//! their own.

use std::ops::{Deref, DerefMut};

use super::MySql;
use super::client::Client;
use super::session::{Access, Server};
use crate::store::StoreError;
use crate::store::checkout::{self, Reusable};
use crate::store::waits::Work;

pub(super) type Checkout<'s> = checkout::Checkout<'s, Reading>;

/// A connection that can read, and nothing else, and what is at its other end.
pub(super) struct Reading {
    pub(super) client: Client,
    pub(super) server: Server,
}

impl Reusable for Reading {
    fn is_sound(&self) -> bool {
        self.client.is_sound()
    }
}

impl Deref for Reading {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Reading {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl MySql {
    /// Takes the idle connection or opens one, and looks at the table with it.
    pub(super) fn check_out<T>(
        &self,
        look: impl Fn(&mut Client) -> Result<T, StoreError>,
    ) -> Result<(Checkout<'_>, T), StoreError> {
        self.idle.check_out(
            || self.connect_to_read(),
            |reading| {
                reading.wait_for(Work::Batch);
                look(reading)
            },
        )
    }

    pub(super) fn checkout(&self) -> Result<Checkout<'_>, StoreError> {
        Ok(self.idle.lend(self.connect_to_read()?))
    }

    fn connect_to_read(&self) -> Result<Reading, StoreError> {
        let (client, server) = self.connect(Access::Read)?;
        Ok(Reading { client, server })
    }
}
