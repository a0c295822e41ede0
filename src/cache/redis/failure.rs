//! Why a request failed, whether a retry can help, and what the operator can do.

use std::io;

use crate::store::net::TlsFailure;
use crate::store::{Fault, GaveUp, StoreError};

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The name of the host leads nowhere.
    Name(io::Error),
    Io(io::Error),
    Tls(TlsFailure),
    /// It was not waited for any longer.
    GaveUp(GaveUp),
    /// What the server says.
    Server(String),
    /// What answers there does not speak the protocol.
    Protocol,
    /// The answer has more than this many bytes.
    TooMuch(usize),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<GaveUp>()) {
            Some(why) => Self::GaveUp(*why),
            None => Self::Io(error),
        }
    }
}

/// What an error of the server begins with, whether it passes, and what to do.
const REFUSALS: [(&str, Fault, &str); 15] = [
    ("LOADING", Fault::Busy, "the server reads its data from disk: run it again when that is done"),
    ("BUSY", Fault::Busy, "a script keeps the server busy"),
    ("TRYAGAIN", Fault::Busy, ""),
    ("MASTERDOWN", Fault::Busy, "the replica has lost its primary"),
    ("NOAUTH", Fault::Fatal, "put the password into the cache URL: redis://:password@host/1"),
    ("WRONGPASS", Fault::Fatal, "check user and password of the cache URL"),
    ("ERR invalid password", Fault::Fatal, "check the password of the cache URL"),
    ("ERR invalid username-password", Fault::Fatal, "check user and password of the cache URL"),
    (
        "NOPERM",
        Fault::Fatal,
        "the user needs +del +exists +getrange +scan +select on the keys of the entries (ACL SETUSER)",
    ),
    ("READONLY", Fault::Fatal, "this is a replica: name the primary first, as the site does"),
    ("MOVED", Fault::Fatal, CLUSTER),
    ("ASK", Fault::Fatal, CLUSTER),
    ("CROSSSLOT", Fault::Fatal, CLUSTER),
    ("CLUSTERDOWN", Fault::Fatal, CLUSTER),
    (
        "DENIED",
        Fault::Fatal,
        "the server is in protected mode: connect over its socket, or give it a password",
    ),
];
const CLUSTER: &str =
    "it is a cluster, which sessctl does not know: --print-cache-keys prints what to delete there";

impl Failure {
    /// Whether a retry can help.
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::GaveUp(GaveUp::Asked) => Fault::Stopped,
            Self::GaveUp(GaveUp::Silent(_)) | Self::Io(_) => Fault::Lost,
            Self::Tls(failure) if failure.is_lost() => Fault::Lost,
            Self::Name(_) | Self::Tls(_) | Self::Protocol | Self::TooMuch(_) => Fault::Fatal,
            Self::Server(text) => refusal(text).map_or(Fault::Fatal, |(fault, _)| fault),
        }
    }

    /// The error for what was to be done.
    pub(super) fn on(self, what: String) -> StoreError {
        let fault = self.fault();
        let error = StoreError::new(fault, what);
        match self {
            Self::Name(cause) => error.because(cause).hint("check the host of the cache URL"),
            Self::Io(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => {
                error.because("the server closed the connection").hint(REACH)
            }
            Self::Io(cause) => error.because(cause).hint(REACH),
            Self::Tls(failure) => failure.on(fault, error.to_string()),
            Self::GaveUp(why @ GaveUp::Asked) => error.because(why),
            Self::GaveUp(why) => error
                .because(why)
                .hint("is the server at work, or out of reach? --answer-timeout waits longer"),
            Self::Protocol => {
                error.because("what answers there does not speak the protocol of Redis").hint(
                    "is it Redis or Valkey, and its port? With TLS the URL begins with rediss://",
                )
            }
            Self::TooMuch(most) => {
                error.because(format!("the server sent more than {} MB as an answer", most >> 20))
            }
            Self::Server(text) => {
                let hint = refusal(&text).map_or("", |(_, hint)| hint);
                let error = error.because(shown(&text).to_owned());
                if hint.is_empty() { error } else { error.hint(hint) }
            }
        }
    }
}

const REACH: &str = "is the server running, and does it listen there?";

fn refusal(text: &str) -> Option<(Fault, &'static str)> {
    let known = REFUSALS.iter().find(|(begins, ..)| text.starts_with(begins));
    known.map(|(_, fault, hint)| (*fault, *hint))
}

/// What the server says, without the words of the request that it may repeat: keys are logins.
fn shown(text: &str) -> &str {
    text.split_once(", with args").map_or(text, |(before, _)| before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_server_does_not_repeat_keys() {
        let said = "ERR unknown command 'DEL', with args beginning with: ':1:django' ";
        assert_eq!(shown(said), "ERR unknown command 'DEL'");
    }

    #[test]
    fn what_passes_is_known() {
        for (text, fault) in [
            ("LOADING Redis is loading the dataset in memory", Fault::Busy),
            ("READONLY You can't write against a read only replica.", Fault::Fatal),
            ("MOVED 3999 127.0.0.1:6381", Fault::Fatal),
            ("ERR anything", Fault::Fatal),
        ] {
            assert_eq!(Failure::Server(text.into()).fault(), fault, "{text}");
        }
    }
}
