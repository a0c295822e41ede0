//! A network between sessctl and a server that fails: it cuts, stalls, delays, or hears only one side from then on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// What happens to the connection that is under way when so many bytes have passed in one direction, of all
/// connections taken together. Later connections are left alone.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    None,
    /// Both ends hear that the other is gone.
    Cut {
        from: Side,
        after: u64,
    },
    /// Whoever is spoken to hears that the other has no more to say, and may go on itself.
    HalfClose {
        from: Side,
        after: u64,
    },
    /// All that the server says comes so much later.
    Delay(Duration),
    /// The first connection on which the program says this hears nothing more from then on.
    Silence(&'static str),
    /// The server says the second wherever it says the first, which is as long.
    Replace(&'static str, &'static str),
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Program,
    Server,
}

struct Wire {
    fault: Fault,
    passed: [AtomicU64; 2],
    opened: AtomicU64,
    /// How often the program spoke after the server did.
    round_trips: AtomicU64,
    struck: AtomicBool,
    over: AtomicBool,
}

/// Lives as long as this value; connections that are open then go on.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    wire: Arc<Wire>,
}

impl Proxy {
    /// Between a port of this machine and this server.
    pub(crate) fn to(server: &str, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let wire = Arc::new(Wire {
            fault,
            passed: [0.into(), 0.into()],
            opened: 0.into(),
            round_trips: 0.into(),
            struck: false.into(),
            over: false.into(),
        });
        let (shared, server) = (Arc::clone(&wire), server.to_owned());
        thread::spawn(move || {
            for program in listener.incoming() {
                if shared.over.load(Ordering::SeqCst) {
                    return;
                }
                let (program, server) = (program.unwrap(), TcpStream::connect(&server).unwrap());
                let ends = || (program.try_clone().unwrap(), server.try_clone().unwrap());
                shared.opened.fetch_add(1, Ordering::SeqCst);
                let (silent, heard) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
                for side in [Side::Program, Side::Server] {
                    let (wire, (program, server)) = (Arc::clone(&shared), ends());
                    let (silent, heard) = (Arc::clone(&silent), Arc::clone(&heard));
                    thread::spawn(move || match side {
                        Side::Program => wire.pass(side, program, server, &silent, &heard),
                        Side::Server => wire.pass(side, server, program, &silent, &heard),
                    });
                }
            }
        });
        Self { port, wire }
    }

    /// Bytes that this side has sent so far.
    pub(crate) fn passed(&self, side: Side) -> u64 {
        self.wire.passed[side as usize].load(Ordering::SeqCst)
    }

    /// Connections that were opened so far, and the times that the program waited for an answer.
    pub(crate) fn cost(&self) -> (u64, u64) {
        let Wire { opened, round_trips, .. } = &*self.wire;
        (opened.load(Ordering::SeqCst), round_trips.load(Ordering::SeqCst))
    }

    /// Whether the fault has come about.
    pub(crate) fn struck(&self) -> bool {
        self.wire.struck.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.wire.over.store(true, Ordering::SeqCst);
        // Wakes the one who waits for connections.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Wire {
    /// Hands on what one side says until it has no more to say, or the fault strikes.
    fn pass(
        &self,
        side: Side,
        mut from: TcpStream,
        mut to: TcpStream,
        silent: &AtomicBool,
        heard: &AtomicBool,
    ) {
        let mut bytes = [0; 4096];
        while let Ok(len @ 1..) = from.read(&mut bytes) {
            if heard.swap(side == Side::Server, Ordering::SeqCst) && side == Side::Program {
                self.round_trips.fetch_add(1, Ordering::SeqCst);
            }
            if let (Fault::Delay(delay), Side::Server) = (self.fault, side) {
                thread::sleep(delay);
            }
            if let (Fault::Replace(old, new), Side::Server) = (self.fault, side) {
                let starts = (0..=len.saturating_sub(old.len()))
                    .filter(|start| bytes[*start..].starts_with(old.as_bytes()));
                for start in starts.collect::<Vec<_>>() {
                    bytes[start..start + old.len()].copy_from_slice(new.as_bytes());
                }
            }
            if let (Fault::Silence(text), Side::Program) = (self.fault, side) {
                let said = |bytes: &[u8]| bytes.windows(text.len()).any(|b| b == text.as_bytes());
                if said(&bytes[..len]) && !self.struck.swap(true, Ordering::SeqCst) {
                    silent.store(true, Ordering::SeqCst);
                }
            }
            if side == Side::Server && silent.load(Ordering::SeqCst) {
                continue;
            }
            let before = self.passed[side as usize].fetch_add(len as u64, Ordering::SeqCst);
            let through = self.through(side, before, len);
            if to.write_all(&bytes[..through]).is_err() {
                break;
            }
            if through < len {
                if let Fault::Cut { .. } = self.fault {
                    let _ = from.shutdown(Shutdown::Both);
                    let _ = to.shutdown(Shutdown::Both);
                }
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    }

    /// How many of so many bytes pass after so many.
    fn through(&self, side: Side, before: u64, len: usize) -> usize {
        let (Fault::Cut { from, after } | Fault::HalfClose { from, after }) = self.fault else {
            return len;
        };
        if from != side
            || before + (len as u64) <= after
            || self.struck.swap(true, Ordering::SeqCst)
        {
            return len;
        }
        usize::try_from(after.saturating_sub(before)).unwrap()
    }
}
