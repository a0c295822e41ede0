//! The socket of a connection. Every wait on it ends at a deadline or when the run is asked to stop.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Sleep, sleep};

use crate::store::waits::{Clock, GaveUp};

/// How often somebody who waits looks whether to go on.
const TICK: Duration = Duration::from_millis(100);
/// A server that is gone is noticed after two minutes, and a firewall in between does not forget a connection on which
/// a server works in silence. The system's own figures are two hours and more.
const IDLE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_secs(10);
const PROBES: u32 = 6;

/// When TCP looks whether the other side is still there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keepalives {
    pub(crate) off: bool,
    pub(crate) idle: Option<Duration>,
    pub(crate) interval: Option<Duration>,
    pub(crate) count: Option<u32>,
    pub(crate) user_timeout: Option<Duration>,
}

/// Where a server is.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp(SocketAddr, Keepalives),
}

impl Address {
    /// Takes up a connection.
    pub(crate) async fn dial(&self, clock: Clock) -> io::Result<Wire> {
        let socket: Box<dyn Socket> = match self {
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Self::Tcp(address, keepalives) => {
                let socket = TcpStream::connect(address).await?;
                socket.set_nodelay(true)?;
                keep_alive(&socket, *keepalives)?;
                Box::new(socket)
            }
        };
        Ok(Wire { socket, wait: Wait::new(clock) })
    }
}

fn keep_alive(socket: &TcpStream, keepalives: Keepalives) -> io::Result<()> {
    if !keepalives.off {
        sockopt::set_socket_keepalive(socket, true)?;
        sockopt::set_tcp_keepidle(socket, keepalives.idle.unwrap_or(IDLE))?;
        sockopt::set_tcp_keepintvl(socket, keepalives.interval.unwrap_or(INTERVAL))?;
        sockopt::set_tcp_keepcnt(socket, keepalives.count.unwrap_or(PROBES))?;
    }
    #[cfg(target_os = "linux")]
    if let Some(timeout) = keepalives.user_timeout {
        let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        sockopt::set_tcp_user_timeout(socket, millis)?;
    }
    Ok(())
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// A clock that wakes who waits.
pub(crate) struct Wait {
    clock: Clock,
    tick: Option<Pin<Box<Sleep>>>,
}

impl Wait {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, tick: None }
    }

    /// Ready when there is a reason to give up.
    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<GaveUp> {
        loop {
            if let Some(why) = self.clock.over() {
                return Poll::Ready(why);
            }
            let tick = self.tick.get_or_insert_with(|| Box::pin(sleep(TICK)));
            if tick.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.tick = None;
        }
    }

    /// Waits for this, but not for ever.
    pub(crate) async fn wait_for<F: Future>(mut self, wanted: F) -> Result<F::Output, GaveUp> {
        let mut wanted = pin!(wanted);
        std::future::poll_fn(|context| {
            // First, since what is waited for may give up for the same reason, and say less of it.
            if let Poll::Ready(why) = self.poll_over(context) {
                return Poll::Ready(Err(why));
            }
            wanted.as_mut().poll(context).map(Ok)
        })
        .await
    }
}

/// A socket that fails when it is not to be waited for any longer, whoever waits.
pub(crate) struct Wire {
    socket: Box<dyn Socket>,
    wait: Wait,
}

impl Wire {
    /// The socket, unless it is to be given up.
    fn socket(&mut self, context: &mut Context<'_>) -> io::Result<Pin<&mut dyn Socket>> {
        // Also where there is always more: a server that never ends keeps us waiting, too.
        match self.wait.poll_over(context) {
            Poll::Ready(why) => Err(io::Error::new(io::ErrorKind::TimedOut, why)),
            Poll::Pending => Ok(Pin::new(&mut *self.socket)),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.socket(context)?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.socket(context)?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket(context)?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket(context)?.poll_shutdown(context)
    }
}
