//! The tests that need more than this crate: a real database server and real Django sites. `tests/run` sets both up.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "what a test cannot go on without must end it"
)]

mod conformance;
mod corpus;
mod django;
mod errors;
mod flush_all;
mod list;
mod locks;
mod logout_user;
mod purge;
mod role;
mod running;
mod signals;
mod sites;
mod support;
mod without_login;
mod world;
