//! sessctl administers a Django session table from outside Django.

pub mod codec;
pub mod consent;
pub mod engine;
pub mod model;
pub mod stop;
pub mod store;
