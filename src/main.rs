//! The `sessctl` binary.

fn main() {}
