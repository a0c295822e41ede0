//! How to reach a server over a network: names, sockets that are not waited on for ever, and TLS. Stores with a driver of
//! their own use it; it knows no database.

mod credentials;
mod der;
mod names;
#[cfg(test)]
mod tests;
mod tls;
mod tls_failure;
mod verify;
mod wire;

pub(crate) use self::credentials::{client, in_file, system, trust};
pub(crate) use self::der::end_point;
pub(crate) use self::names::{Unfound, look_up};
pub(crate) use self::tls::{Encrypted, Encryption, Shake};
pub(crate) use self::tls_failure::{TlsFailure, Words};
pub(crate) use self::verify::Trust;
pub(crate) use self::wire::{Address, Keepalives, Wait, Wire};
