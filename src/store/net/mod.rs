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

pub(super) use self::credentials::{client, in_file, system, trust};
pub(super) use self::der::end_point;
pub(super) use self::names::{Unfound, look_up};
pub(super) use self::tls::{Encrypted, Encryption, Shake};
pub(super) use self::tls_failure::{TlsFailure, Words};
pub(super) use self::verify::Trust;
pub(super) use self::wire::{Address, Keepalives, Wait, Wire};
