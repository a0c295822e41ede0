//! Sends requests and reads replies, of which no server can make more than is allowed.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::failure::Failure;
use super::resp::{Head, Reply, head};

/// Most bytes of the replies to one pipeline. The largest that is asked for is 16 MiB of values.
const MOST: usize = 32 << 20;
/// Most bytes of a line.
const MOST_LINE: usize = 64 << 10;
const PIECE: usize = 32 << 10;

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream, and what was read of it and not yet used.
pub(super) struct Channel {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    /// How many bytes of the buffer are used.
    used: usize,
    /// How many bytes the server may still send.
    left: usize,
}

impl Channel {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, buffer: Vec::new(), used: 0, left: 0 }
    }

    /// Sends requests, and reads that many replies.
    pub(super) async fn ask(
        &mut self,
        requests: &[u8],
        replies: usize,
    ) -> Result<Vec<Reply>, Failure> {
        self.left = MOST;
        self.stream.write_all(requests).await?;
        self.stream.flush().await?;
        let mut all = Vec::new();
        while all.len() < replies {
            all.push(self.reply().await?);
        }
        Ok(all)
    }

    /// A reply. What is asked for holds lists in one list, and no deeper ones.
    async fn reply(&mut self) -> Result<Reply, Failure> {
        let length = match self.part().await? {
            Ok(reply) => return Ok(reply),
            Err(length) => length,
        };
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(match self.part().await? {
                Ok(reply) => reply,
                Err(length) => self.flat_list(length).await?,
            });
        }
        Ok(Reply::List(list))
    }

    async fn flat_list(&mut self, length: usize) -> Result<Reply, Failure> {
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(self.part().await?.map_err(|_| Failure::Protocol)?);
        }
        Ok(Reply::List(list))
    }

    /// A reply, or the length of a list whose items follow.
    async fn part(&mut self) -> Result<Result<Reply, usize>, Failure> {
        let line = self.line().await?;
        match head(&line).ok_or(Failure::Protocol)? {
            Head::Whole(reply) => Ok(Ok(reply)),
            Head::List(length) => Ok(Err(length)),
            Head::Bytes(length) if length > MOST => Err(Failure::TooMuch(MOST)),
            Head::Bytes(length) => {
                let mut bytes = self.take(length + 2).await?;
                if bytes.split_off(length) != b"\r\n" {
                    return Err(Failure::Protocol);
                }
                Ok(Ok(Reply::Bytes(Some(bytes))))
            }
        }
    }

    /// A line without its end.
    async fn line(&mut self) -> Result<Vec<u8>, Failure> {
        let mut seen = 0;
        loop {
            let unused = self.buffer.get(self.used..).unwrap_or_default();
            let from = seen.min(unused.len());
            let end =
                unused.get(from..).unwrap_or_default().windows(2).position(|two| two == b"\r\n");
            if let Some(end) = end {
                let mut line = self.take(from + end + 2).await?;
                line.truncate(from + end);
                return Ok(line);
            }
            if unused.len() > MOST_LINE {
                return Err(Failure::Protocol);
            }
            seen = unused.len().saturating_sub(1);
            self.fill().await?;
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        while self.buffer.len() - self.used < length {
            self.fill().await?;
        }
        let taken = self.buffer.get(self.used..self.used + length).unwrap_or_default().to_vec();
        self.used += length;
        Ok(taken)
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        self.buffer.drain(..self.used);
        self.used = 0;
        self.buffer.reserve(PIECE);
        let read = self.stream.read_buf(&mut self.buffer).await?;
        if read == 0 {
            return Err(Failure::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        self.left = self.left.checked_sub(read).ok_or(Failure::TooMuch(MOST))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of these bytes, in pieces of this size.
    fn replies(bytes: &'static [u8], piece: usize, count: usize) -> Result<Vec<Reply>, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { panic!("no runtime") };
        runtime.block_on(async move {
            let (ours, mut theirs) = tokio::io::duplex(piece);
            let mut channel = Channel::new(Box::new(ours));
            tokio::spawn(async move {
                // Whoever is not listened to any longer has said enough.
                let _ = theirs.write_all(bytes).await;
            });
            channel.ask(b"", count).await
        })
    }

    #[test]
    fn replies_are_the_same_however_they_come() {
        let bytes = b"*2\r\n$1\r\n0\r\n*2\r\n$3\r\na\r\n\r\n$-1\r\n:7\r\n-ERR no\r\n";
        let text = |text: &str| Reply::Bytes(Some(text.as_bytes().to_vec()));
        for piece in [1, 2, 3, 7, 64] {
            let came = replies(bytes, piece, 3);
            let expected = vec![
                Reply::List(vec![text("0"), Reply::List(vec![text("a\r\n"), Reply::Bytes(None)])]),
                Reply::Number(7),
                Reply::Text(Err("ERR no".into())),
            ];
            assert_eq!(came.ok(), Some(expected), "{piece}");
        }
    }

    #[test]
    fn what_is_no_reply_ends_the_conversation() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"$3\r\nabcd\r\n",
            b"*1\r\n*1\r\n*1\r\n:1\r\n",
            b"$5\r\nab",
            b"",
        ] {
            assert!(replies(bytes, 8, 1).is_err(), "{bytes:?}");
        }
        let huge = replies(b"$99999999999\r\n", 8, 1);
        assert!(matches!(huge, Err(Failure::TooMuch(_))));
        // A list is as long as what comes of it, whatever it says.
        assert!(replies(b"*999999999999\r\n:1\r\n", 8, 1).is_err());
    }
}
