//! Resolves a host name, and gives up on a name server that does not answer.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::store::waits::{GaveUp, Waits};

/// Why a name leads nowhere.
#[derive(Debug)]
pub(crate) enum Unfound {
    /// What the system says.
    Name(io::Error),
    /// It was not waited for any longer.
    GaveUp(GaveUp),
}

/// The addresses of a host. The system cannot be asked to give up: a thread that a name server keeps waiting is left
/// to itself.
pub(crate) fn look_up(name: &str, port: u16, waits: &Waits) -> Result<Vec<SocketAddr>, Unfound> {
    const PATIENCE: Duration = Duration::from_secs(30);
    const TICK: Duration = Duration::from_millis(100);
    let (send, receive) = channel();
    let asked = (name.to_owned(), port);
    thread::spawn(move || {
        let found = asked.to_socket_addrs().map(Iterator::collect);
        // Nobody may be waiting any more.
        let _ = send.send(found);
    });
    let mut clock = waits.watch(PATIENCE).clock();
    loop {
        match receive.recv_timeout(TICK) {
            Ok(found) => return found.map_err(Unfound::Name),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(why) = clock.over() {
                    return Err(Unfound::GaveUp(why));
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Unfound::Name(io::Error::other("nobody looked it up")));
            }
        }
    }
}
