//! A blocking client over the asynchronous driver. The thread that waits for an answer runs the driver, and every
//! wait ends at a deadline or when the run is asked to stop.

use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, Opts, Params, Row, Value};
use tokio::runtime::Runtime;
use tokio::time::{Sleep, sleep};

use super::fault::Failure;
use crate::store::link::Link;
use crate::store::waits::{Clock, Watch, Work};

/// How often a wait looks whether to go on.
const TICK: Duration = Duration::from_millis(100);
/// How long closing a connection, or ending a statement of it, may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Most bytes of an answer that is held in memory as a whole. A batch has less than half of it.
const MOST_HELD: usize = 96 << 20;
/// Most bytes by which the process may grow while it waits for the next row: the driver bounds each message, and takes
/// any number of them that describe columns.
const MOST_GROWN: usize = 256 << 20;

/// A connection. Dropping it closes it.
pub(super) struct Client {
    /// `None` once it cannot be used any more.
    conn: Option<Conn>,
    runtime: Runtime,
    watch: Arc<Watch>,
    /// What a second connection needs to end a statement of this one.
    opts: Opts,
    link: Link,
}

impl Client {
    /// Logs in. `watch` limits this wait, too.
    pub(super) fn connect(
        runtime: Runtime,
        opts: Opts,
        watch: Arc<Watch>,
    ) -> Result<Self, Box<(Failure, Runtime)>> {
        watch.moved();
        match runtime.block_on(watched(watch.clock(), Conn::new(opts.clone()))) {
            Ok(conn) => Ok(Self { conn: Some(conn), runtime, watch, opts, link: Link::default() }),
            Err(failure) => Err(Box::new((failure, runtime))),
        }
    }

    /// Sets the wait limit for this kind of work.
    pub(super) fn wait_for(&self, work: Work) {
        self.watch.wait_for(work);
    }

    /// Runs a statement without values; ignores what it returns.
    pub(super) fn execute(&mut self, sql: &str) -> Result<u64, Failure> {
        self.run(async |conn: &mut Conn| {
            conn.query_drop(sql).await?;
            Ok(conn.affected_rows())
        })
    }

    /// Runs a prepared statement and returns how many rows it changed.
    pub(super) fn change(&mut self, sql: &str, values: Vec<Value>) -> Result<u64, Failure> {
        self.run(async |conn: &mut Conn| {
            conn.exec_drop(sql, bound(values)).await?;
            Ok(conn.affected_rows())
        })
    }

    /// Runs a prepared statement and returns all rows.
    pub(super) fn query(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, Failure> {
        let (mut rows, mut held) = (Vec::new(), 0);
        let taken = self.stream(sql, values, |row| {
            held += size(&row);
            rows.push(row);
            if held > MOST_HELD { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        match taken {
            ControlFlow::Continue(()) => Ok(rows),
            ControlFlow::Break(()) => Err(Failure::TooMuch(MOST_HELD)),
        }
    }

    /// The first row of a prepared statement, if it has any.
    pub(super) fn first(&mut self, sql: &str, values: Vec<Value>) -> Result<Option<Row>, Failure> {
        Ok(self.query(sql, values)?.into_iter().next())
    }

    /// Has the server check a statement, and what it needs, without running it.
    pub(super) fn prepare(&mut self, sql: &str) -> Result<(), Failure> {
        self.run(async |conn: &mut Conn| conn.prep(sql).await.map(|_| ()))
    }

    /// Passes the rows of a prepared statement on as they arrive, until the callback stops it. Then the connection is of
    /// no more use: the server would have to send the rest first.
    pub(super) fn stream(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        mut take: impl FnMut(Row) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Failure> {
        let watch = Arc::clone(&self.watch);
        let ended = self.run(async |conn: &mut Conn| {
            let mut rows = conn.exec_iter(sql, bound(values)).await?;
            // The first error ends it: after one the driver takes the rows for read to their end.
            while let Some(row) = rows.next().await? {
                if take(row).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                watch.moved();
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if ended.is_break() {
            self.conn = None;
        }
        Ok(ended)
    }

    /// How long the way to the server has taken since this was asked last.
    pub(super) fn time_under_way(&mut self) -> Duration {
        self.link.time_under_way()
    }

    /// Whether it can still be used.
    pub(super) fn is_sound(&self) -> bool {
        self.conn.is_some()
    }

    fn run<T>(
        &mut self,
        request: impl AsyncFnOnce(&mut Conn) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        // Taken out, so that whatever ends the request ends the connection, too.
        let Some(mut conn) = self.conn.take() else {
            return Err(Failure::Driver(Error::Driver(DriverError::ConnectionClosed)));
        };
        self.watch.moved();
        let began = Instant::now();
        let answer = self.runtime.block_on(watched(self.watch.clock(), request(&mut conn)));
        self.link.answered(began.elapsed());
        match &answer {
            Ok(_) | Err(Failure::Driver(Error::Server(_))) => self.conn = Some(conn),
            Err(Failure::GaveUp(_)) => {
                let id = conn.id();
                drop(conn);
                self.kill(id);
            }
            Err(_) => {}
        }
        answer
    }

    /// Ends a connection of ours, over a second one: the server would continue its statement, with its locks, until it has
    /// something to send.
    fn kill(&self, id: u32) {
        let kill = async {
            let mut conn = Conn::new(self.opts.clone()).await?;
            conn.query_drop(format!("KILL {id}")).await?;
            conn.disconnect().await
        };
        // Nothing is left to do if this fails.
        let _ = self.runtime.block_on(async { tokio::time::timeout(GOODBYE, kill).await });
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            let goodbye = async { tokio::time::timeout(GOODBYE, conn.disconnect()).await };
            let _ = self.runtime.block_on(goodbye);
        }
    }
}

fn bound(values: Vec<Value>) -> Params {
    if values.is_empty() { Params::Empty } else { Params::Positional(values) }
}

fn size(row: &Row) -> usize {
    let bytes = |at| match row.as_ref(at) {
        Some(Value::Bytes(bytes)) => bytes.len(),
        _ => 0,
    };
    (0..row.len()).map(bytes).sum::<usize>() + size_of::<Row>() + row.len() * size_of::<Value>()
}

/// Waits for an answer until the clock says that it must not be waited for any longer.
async fn watched<T>(
    mut clock: Clock,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failure> {
    let mut answer = pin!(answer);
    let mut tick: Option<Pin<Box<Sleep>>> = None;
    let (mut since, mut before) = (clock.since(), held());
    std::future::poll_fn(move |context: &mut Context<'_>| {
        if let Poll::Ready(answer) = answer.as_mut().poll(context) {
            return Poll::Ready(answer.map_err(Failure::Driver));
        }
        loop {
            if let Some(why) = clock.over() {
                return Poll::Ready(Err(Failure::GaveUp(why)));
            }
            let next = tick.get_or_insert_with(|| Box::pin(sleep(TICK)));
            if next.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            tick = None;
            if clock.since() != since {
                (since, before) = (clock.since(), held());
            } else if held() > before + MOST_GROWN {
                return Poll::Ready(Err(Failure::TooMuch(MOST_GROWN)));
            }
        }
    })
    .await
}

/// Bytes of memory that this process holds; 0 where the system does not tell as Linux does (proc(5), `/proc/pid/status`).
fn held() -> usize {
    let told = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = told.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
    kilobytes.and_then(|number| number.trim().parse::<usize>().ok()).unwrap_or(0) << 10
}
