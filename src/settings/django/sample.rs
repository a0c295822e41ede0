//! The login that the project wrote as a sample: sessctl must read it as the project's own `decode()` would.

use django_session::{Codec, Decoder, Verdict};

use super::answer::Project;

/// The user in that sample, as `probe.py` has it.
const SAMPLE_USER: &str = "4207";

impl Project {
    /// Whether sessctl reads a login of this project's as one of the same user. A serializer, an `encode()` or a
    /// `SESSION_KEY` of the site's own may write it in another form.
    pub fn login_is_read(&self, codec: &Codec) -> bool {
        let Some(login) = &self.login else { return false };
        let mut decoder = Decoder::new(codec);
        match decoder.decode(login).verdict(|_| false) {
            Verdict::Login(login) => login.user_id == SAMPLE_USER,
            _ => false,
        }
    }

    /// The session engine and its serializer.
    pub fn written_by(&self) -> (&str, &str) {
        (&self.engine, &self.serializer)
    }
}
