//! What must hold whatever is read. Each target takes the bytes that a fuzzer found and panics where a promise is broken.

mod ids;
mod members;
mod sealed;
mod session;
mod url;

use std::sync::LazyLock;

use django_session::{Codec, DEFAULT_KEY_SALT, Keyring, Limits};

/// Gives an input to the target that the environment names.
pub fn run(data: &[u8]) {
    static TARGET: LazyLock<fn(&[u8])> =
        LazyLock::new(|| match &*std::env::var("FUZZ_TARGET").unwrap_or_default() {
            "decode" => session::decode,
            "pickle" => session::pickle,
            "url" => url::url,
            "ids" => ids::ids,
            _ => panic!("FUZZ_TARGET is none of decode, pickle, url, ids"),
        });
    TARGET(data);
}

/// The first signs, both verify.
const SECRETS: [&str; 2] = ["the key of the fuzzer", "an older key of the fuzzer"];

static CODEC: LazyLock<Codec> = LazyLock::new(|| Codec {
    keyring: Keyring::new(SECRETS, DEFAULT_KEY_SALT),
    ..Codec::default()
});

/// The same keys, and limits that small inputs can reach.
static NARROW: LazyLock<Codec> = LazyLock::new(|| Codec {
    keyring: Keyring::new(SECRETS, DEFAULT_KEY_SALT),
    limits: Limits { payload: 2_000, depth: 8, pickle_values: 100 },
    ..Codec::default()
});
