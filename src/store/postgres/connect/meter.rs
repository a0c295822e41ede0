//! Limits how many bytes a server may send. The driver has no limit: it buffers a message until it is
//! complete, and every parameter and notice that the server sends before the login completes.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::{fmt, io};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A message. The largest that is asked for is a row with a session of 12 MiB.
const MOST_OF_A_MESSAGE: u64 = 16 << 20;
/// All that comes until the server lets us in: some 2 KB of a server that means well.
const MOST_BEFORE: u64 = 1 << 20;
/// Parameters after that: the driver keeps them all.
const MOST_OF_PARAMETERS: u64 = 1 << 20;
/// An answer that is held as a whole.
const MOST_OF_AN_ANSWER: u64 = 64 << 20;

/// Type, and length without the type (PostgreSQL docs, "Message Formats").
const HEADER: usize = 5;
const READY_FOR_QUERY: u8 = b'Z';
const PARAMETER_STATUS: u8 = b'S';
const AUTHENTICATION: u8 = b'R';
/// `AuthenticationCleartextPassword`, which comes before the server lets us in.
const CLEARTEXT_PASSWORD: [u8; 4] = [0, 0, 0, 3];

/// What the server may still send in answer to one question.
#[derive(Debug)]
pub(in crate::store::postgres) struct Allowance {
    bytes: AtomicU64,
    /// Whether the server asked for the password as it is.
    asked_in_clear: Arc<AtomicBool>,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl Allowance {
    /// No limit at first. Notes there when the server asks for the password as it is.
    pub(super) fn new(asked_in_clear: Arc<AtomicBool>) -> Self {
        Self { bytes: u64::MAX.into(), asked_in_clear }
    }

    /// The next answer is held as a whole.
    pub(in crate::store::postgres) fn limit(&self) {
        self.bytes.store(MOST_OF_AN_ANSWER, Ordering::Relaxed);
    }

    /// What comes is used up as it comes.
    pub(in crate::store::postgres) fn lift(&self) {
        self.bytes.store(u64::MAX, Ordering::Relaxed);
    }

    /// False if it was too much.
    fn take(&self, bytes: u64) -> bool {
        let left = self.bytes.load(Ordering::Relaxed);
        if left != u64::MAX {
            self.bytes.store(left.saturating_sub(bytes), Ordering::Relaxed);
        }
        left >= bytes
    }
}

/// What was too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::postgres) enum TooMuch {
    Message(u64),
    Before,
    Parameters,
    Answer,
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(len) => write!(
                f,
                "the server announced a message of {len} bytes, and sessctl takes {MOST_OF_A_MESSAGE}"
            ),
            Self::Before => {
                write!(f, "the server sent more than {MOST_BEFORE} bytes before it let us in")
            }
            Self::Parameters => {
                write!(f, "the server sent more than {MOST_OF_PARAMETERS} bytes of parameters")
            }
            Self::Answer => {
                write!(f, "the server sent more than {MOST_OF_AN_ANSWER} bytes in one answer")
            }
        }
    }
}

impl Error for TooMuch {}

/// Follows the messages in what comes.
struct Meter {
    /// Bytes that come before the first message.
    before: usize,
    header: [u8; HEADER],
    has: usize,
    /// What is still to come of the message.
    body: u64,
    /// Of a message that asks for authentication, what came of its kind.
    authentication: Option<Vec<u8>>,
    let_in: bool,
    before_left: u64,
    parameters_left: u64,
    allowance: Arc<Allowance>,
}

impl Meter {
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), TooMuch> {
        let came = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if !self.allowance.take(came) {
            return Err(TooMuch::Answer);
        }
        bytes = bytes.get(self.before.min(bytes.len())..).unwrap_or_default();
        self.before = 0;
        while !bytes.is_empty() {
            let of_body = usize::try_from(self.body).unwrap_or(usize::MAX).min(bytes.len());
            self.note_authentication(bytes.get(..of_body).unwrap_or_default());
            bytes = bytes.get(of_body..).unwrap_or_default();
            self.body -= u64::try_from(of_body).unwrap_or(self.body);
            for (place, byte) in self.header.iter_mut().skip(self.has).zip(bytes) {
                *place = *byte;
            }
            let of_header = (HEADER - self.has).min(bytes.len());
            bytes = bytes.get(of_header..).unwrap_or_default();
            self.has += of_header;
            if !self.let_in {
                let came = u64::try_from(of_body + of_header).unwrap_or(u64::MAX);
                self.before_left = self.before_left.checked_sub(came).ok_or(TooMuch::Before)?;
            }
            if self.has == HEADER {
                self.has = 0;
                self.begin()?;
            }
        }
        Ok(())
    }

    /// Takes the kind of authentication that is asked for, the first four bytes of such a message.
    fn note_authentication(&mut self, body: &[u8]) {
        let Some(mut kind) = self.authentication.take() else { return };
        kind.extend(body.iter().take(CLEARTEXT_PASSWORD.len() - kind.len()));
        if kind == CLEARTEXT_PASSWORD {
            self.allowance.asked_in_clear.store(true, Ordering::Relaxed);
        } else if kind.len() < CLEARTEXT_PASSWORD.len() {
            self.authentication = Some(kind);
        }
    }

    /// A message begins.
    fn begin(&mut self) -> Result<(), TooMuch> {
        let [kind, len @ ..] = self.header;
        // The length counts itself. Of one that is too small the driver says so.
        let len = u64::from(u32::from_be_bytes(len));
        self.body = len.saturating_sub(4);
        if self.body > MOST_OF_A_MESSAGE {
            return Err(TooMuch::Message(len));
        }
        self.let_in |= kind == READY_FOR_QUERY;
        self.authentication = (kind == AUTHENTICATION && !self.let_in).then(Vec::new);
        if self.let_in && kind == PARAMETER_STATUS {
            let left = self.parameters_left.checked_sub(len);
            self.parameters_left = left.ok_or(TooMuch::Parameters)?;
        }
        Ok(())
    }
}

/// A stream of messages that fails when the server sends too much.
pub(in crate::store::postgres) struct Metered<S> {
    stream: S,
    meter: Meter,
}

impl<S> Metered<S> {
    /// So many bytes come before the first message.
    pub(super) fn new(stream: S, before: usize, allowance: Arc<Allowance>) -> Self {
        let meter = Meter {
            before,
            header: [0; HEADER],
            has: 0,
            body: 0,
            authentication: None,
            let_in: false,
            before_left: MOST_BEFORE,
            parameters_left: MOST_OF_PARAMETERS,
            allowance,
        };
        Self { stream, meter }
    }

    pub(super) fn get_ref(&self) -> &S {
        &self.stream
    }

    /// What was metered, to be metered further in.
    pub(super) fn into_parts(self) -> (S, Arc<Allowance>) {
        (self.stream, self.meter.allowance)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if !matches!(read, Poll::Ready(Ok(()))) {
            return read;
        }
        let came = buffer.filled().get(before..).unwrap_or_default();
        Poll::Ready(this.meter.take(came).map_err(io::Error::other))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: usize) -> Vec<u8> {
        let mut message = vec![kind];
        message.extend(u32::try_from(body + 4).unwrap().to_be_bytes());
        message.resize(HEADER + body, b'x');
        message
    }

    /// What a server says, in pieces of this length.
    fn said(pieces: usize, said: &[u8], allowance: &Arc<Allowance>) -> Result<(), TooMuch> {
        let mut metered = Metered::new((), 1, Arc::clone(allowance));
        said.chunks(pieces).try_for_each(|piece| metered.meter.take(piece))
    }

    #[test]
    fn a_server_is_followed_wherever_its_messages_are_torn() {
        let mut server = b"N".to_vec();
        for (kind, body) in [(b'R', 4), (b'S', 20), (b'Z', 1), (b'D', 3 << 20), (b'C', 0)] {
            server.extend(message(kind, body));
        }
        let mut huge = server.clone();
        huge.extend([b'D', 0x2a, 0, 0, 0]);
        let free = Arc::new(Allowance::default());
        for pieces in [1, 2, 3, 4, 5, 7, 4096, server.len()] {
            assert_eq!(said(pieces, &server, &free), Ok(()), "{pieces}");
            assert_eq!(said(pieces, &huge, &free), Err(TooMuch::Message(0x2a00_0000)), "{pieces}");
        }
        let small = Arc::new(Allowance { bytes: (2 << 20).into(), ..Allowance::default() });
        assert_eq!(said(4096, &server, &small), Err(TooMuch::Answer));
    }

    #[test]
    fn what_the_driver_keeps_is_bounded() {
        let free = Arc::new(Allowance::default());
        let flood = message(b'S', 1000).repeat(2000);
        let before = [b"N", &*flood].concat();
        assert_eq!(said(4096, &before, &free), Err(TooMuch::Before));
        let after = [b"N", &*message(b'Z', 1), &*flood].concat();
        assert_eq!(said(4096, &after, &free), Err(TooMuch::Parameters));
        let notices = [b"N", &*message(b'Z', 1), &*message(b'N', 1000).repeat(2000)].concat();
        assert_eq!(said(4096, &notices, &free), Ok(()));
    }

    #[test]
    fn it_is_noted_that_the_password_is_asked_for_as_it_is() {
        for (asked, kind) in [(true, 3), (false, 5), (false, 10), (false, 0)] {
            let server =
                [b"N", &*message(b'S', 3), b"R\0\0\0\x08\0\0\0", &[kind], &message(b'Z', 1)]
                    .concat();
            for pieces in [1, 2, 3, 5, server.len()] {
                let allowance = Arc::new(Allowance::default());
                assert_eq!(said(pieces, &server, &allowance), Ok(()));
                assert_eq!(allowance.asked_in_clear.load(Ordering::Relaxed), asked, "{kind}");
            }
        }
    }
}
