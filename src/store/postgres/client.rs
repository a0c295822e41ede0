//! A blocking client over the asynchronous driver. The driver needs a task that polls it: the thread that
//! waits for an answer does this. It takes messages that have already arrived without polling, so that a row
//! costs no extra system call.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use futures_util::future::join3;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio_postgres::types::{BorrowToSql, ToSql, Type};
use tokio_postgres::{Connection, Error, Row, RowStream, SimpleQueryMessage};

use super::connect::{Allowance, Metered};
use super::fault;
use crate::store::link::Link;
use crate::store::net::Wire;
use crate::store::waits::{Watch, Work};

/// How long closing a connection may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Extra time for the server to report that it gave up by itself.
const MARGIN: Duration = Duration::from_secs(5);

/// A connection. Dropping it closes it in good order.
pub(super) struct Client {
    // Dropped first: this ends the connection, which the driver then runs to its end.
    requests: tokio_postgres::Client,
    driver: Driver,
    in_transaction: bool,
    /// A statement that every transaction begins with.
    begins_with: Option<&'static str>,
    version: Option<String>,
}

type Value<'v> = (&'v (dyn ToSql + Sync), Type);

/// A search path without schemas that other roles may write to. In the role's own path, another role could
/// define an operator that matches better than PostgreSQL's, even if `pg_catalog` comes first
/// (CVE-2018-1058).
pub(super) const OUR_PATH: &str = "SET LOCAL search_path = pg_catalog, pg_temp";

/// JIT compilation of a large catalog query takes seconds, its execution milliseconds. Not every server has JIT.
const NOT_COMPILED: &str = "SELECT pg_catalog.set_config('jit', 'off', true) \
                            WHERE pg_catalog.current_setting('jit', true) IS NOT NULL";

impl Client {
    /// A client on a connection that has logged in.
    pub(super) fn new<T>(
        runtime: Runtime,
        requests: tokio_postgres::Client,
        connection: Connection<Metered<Wire>, T>,
        cancel: Cancel,
        watch: Arc<Watch>,
        allowance: Arc<Allowance>,
    ) -> Self
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self {
            version: connection.parameter("server_version").map(str::to_owned),
            requests,
            driver: Driver {
                runtime,
                connection: Some(Box::pin(connection)),
                failed: false,
                cancel,
                watch,
                allowance,
                link: Link::default(),
            },
            in_transaction: false,
            begins_with: None,
        }
    }

    /// Sets the wait limit for this kind of work.
    pub(super) fn wait_for(&self, work: Work) {
        self.driver.watch.wait_for(work);
    }

    /// Sets the wait limit for work that the server itself ends after `patience`.
    pub(super) fn wait_longer_than(&self, patience: Duration) {
        self.driver.watch.set_patience(patience.saturating_add(MARGIN));
    }

    /// The server's version, reported at login: `15.9 (Debian 15.9-0+deb12u1)`.
    pub(super) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Makes every later transaction begin with this statement.
    pub(super) fn begin_with(&mut self, sql: &'static str) {
        self.begins_with = Some(sql);
    }

    /// Runs statements and ignores their results. Statements that begin or end a transaction must start with
    /// BEGIN or end with COMMIT or ROLLBACK.
    pub(super) fn batch_execute(&mut self, sql: &str) -> Result<(), Error> {
        let begins = sql.starts_with("BEGIN");
        self.in_transaction |= begins;
        match self.begins_with.filter(|_| begins) {
            Some(first) => {
                let (begin, rest) = sql.split_once(';').unwrap_or((sql, ""));
                let sql = format!("{begin}; {first}; {rest}");
                self.driver.run(self.requests.batch_execute(&sql))?;
            }
            None => self.driver.run(self.requests.batch_execute(sql))?,
        }
        self.in_transaction &= !sql.ends_with("COMMIT") && !sql.ends_with("ROLLBACK");
        Ok(())
    }

    /// Runs statements and returns their results as text.
    pub(super) fn simple_query(&mut self, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        self.driver.run_held(self.requests.simple_query(sql))
    }

    /// Runs an unnamed statement and returns all rows.
    pub(super) fn query_typed(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Error> {
        let requests = &self.requests;
        self.driver.run_held(in_our_path(
            requests,
            self.in_transaction,
            requests.query_typed(sql, values),
        ))
    }

    /// The same for a statement with exactly one row.
    pub(super) fn query_typed_one(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Row, Error> {
        let (requests, inside) = (&self.requests, self.in_transaction);
        self.driver.run(in_our_path(requests, inside, requests.query_typed_one(sql, values)))
    }

    /// The same for a statement with at most one row.
    pub(super) fn query_typed_opt(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Option<Row>, Error> {
        let (requests, inside) = (&self.requests, self.in_transaction);
        self.driver.run(in_our_path(requests, inside, requests.query_typed_opt(sql, values)))
    }

    /// The same between other statements. Everything is sent at once, so this costs one round trip.
    pub(super) fn query_typed_between(
        &mut self,
        before: &str,
        (sql, values): (&str, &[Value<'_>]),
        after: &str,
    ) -> Result<Row, Error> {
        let requests = &self.requests;
        self.driver.run(async {
            let (opened, row, closed) = join3(
                requests.batch_execute(before),
                requests.query_typed_one(sql, values),
                requests.batch_execute(after),
            )
            .await;
            opened?;
            let row = row?;
            closed.map(|()| row)
        })
    }

    /// The relation that a quoted name finds in the role's search path.
    pub(super) fn resolve(&mut self, name: &str) -> Result<Option<u32>, Error> {
        const RESOLVE: &str = "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid";
        self.driver.run(self.requests.query_typed_one(RESOLVE, &[(&name, Type::TEXT)]))?.try_get(0)
    }

    /// The same for several names; 0 for one that finds nothing.
    pub(super) fn resolve_all(&mut self, names: &[&str]) -> Result<Vec<u32>, Error> {
        const RESOLVE: &str = "SELECT coalesce(pg_catalog.to_regclass(n.name)::pg_catalog.oid, '0'::pg_catalog.oid) \
                               FROM pg_catalog.unnest($1) WITH ORDINALITY AS n (name, place) ORDER BY place";
        let names = [(&names as &(dyn ToSql + Sync), Type::TEXT_ARRAY)];
        let rows = self.driver.run(self.requests.query_typed(RESOLVE, &names))?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    /// The schemas in the search path of the role.
    pub(super) fn search_path(&mut self) -> Result<Vec<String>, Error> {
        const PATH: &str = "SELECT pg_catalog.current_schemas(false)::pg_catalog.text[]";
        self.driver.run(self.requests.query_typed_one(PATH, &[]))?.try_get(0)
    }

    /// The quoted names of relations in the role's search path.
    pub(super) fn names(&mut self, relations: &[u32]) -> Result<BTreeMap<u32, String>, Error> {
        const NAMES: &str = "SELECT r.oid, r.oid::pg_catalog.regclass::pg_catalog.text \
                             FROM pg_catalog.unnest($1) AS r (oid)";
        let named = [(&relations as &(dyn ToSql + Sync), Type::OID_ARRAY)];
        let rows = self.driver.run_held(self.requests.query_typed(NAMES, &named))?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Runs an unnamed statement and returns how many rows it changed.
    pub(super) fn execute_typed(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, Error> {
        self.driver.run(self.requests.execute_typed(sql, values))
    }

    /// Runs an unnamed statement and returns its rows as they arrive.
    pub(super) fn query_typed_raw<P: BorrowToSql>(
        &mut self,
        sql: &str,
        values: impl IntoIterator<Item = (P, Type)>,
    ) -> Result<Rows<'_>, Error> {
        let rows = self.driver.run(self.requests.query_typed_raw(sql, values))?;
        Ok(Rows { rows: Box::pin(rows), driver: &mut self.driver })
    }

    /// Passes every message of a `COPY ... TO STDOUT` on as it arrives, until the callback stops it.
    pub(super) fn copy_out<B>(
        &mut self,
        sql: &str,
        mut take: impl FnMut(&[u8]) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, Error> {
        let (requests, watch) = (&self.requests, Arc::clone(&self.driver.watch));
        self.driver.run(async move {
            let mut messages = pin!(requests.copy_out(sql).await?);
            while let Some(message) = messages.try_next().await? {
                if let ControlFlow::Break(why) = take(&message) {
                    return Ok(ControlFlow::Break(why));
                }
                watch.moved();
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// How long the way to the server has taken since this was asked last.
    pub(super) fn time_under_way(&mut self) -> Duration {
        self.driver.link.time_under_way()
    }

    /// Whether it can be reused: no request failed, and no transaction is open.
    pub(super) fn is_free(&self) -> bool {
        !self.driver.failed && self.driver.connection.is_some() && !self.in_transaction
    }

    /// Asks the server, over a second connection, to cancel the current statement.
    pub(super) fn cancel(&self) {
        (self.driver.cancel)(&self.driver.runtime);
    }
}

/// Runs a statement that names operators and functions without schemas. Outside of a transaction it runs in
/// one with a search path of ours; everything is sent at once, so this costs no further round trip. Inside of
/// a transaction the role's search path stays, since triggers may need it; statements there name operators,
/// functions and types in full.
async fn in_our_path<T>(
    requests: &tokio_postgres::Client,
    in_transaction: bool,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    if in_transaction {
        return answer.await;
    }
    let begin = format!("BEGIN ISOLATION LEVEL READ COMMITTED; {OUR_PATH}; {NOT_COMPILED}");
    let (opened, answer, closed) =
        join3(requests.batch_execute(&begin), answer, requests.batch_execute("COMMIT")).await;
    let answer = answer?;
    opened.and(closed).map(|()| answer)
}

/// Rows as they arrive.
pub(super) struct Rows<'c> {
    rows: Pin<Box<RowStream>>,
    driver: &'c mut Driver,
}

impl Rows<'_> {
    /// The next row; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Row>, Error> {
        self.driver.wait(self.rows.try_next())
    }
}

/// Polls the driver's connection.
struct Driver {
    runtime: Runtime,
    /// `None` once it has ended.
    connection: Option<Running>,
    failed: bool,
    cancel: Cancel,
    watch: Arc<Watch>,
    allowance: Arc<Allowance>,
    link: Link,
}

/// Asks the server, over a second connection, to cancel a statement. Waits only briefly.
pub(super) type Cancel = Box<dyn Fn(&Runtime) + Send>;

type Running = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

impl Driver {
    /// Runs a request whose whole answer is buffered.
    fn run_held<T>(&mut self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.allowance.limit();
        let answered = self.run(answer);
        self.allowance.lift();
        answered
    }

    /// Runs a request.
    fn run<T>(&mut self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let began = Instant::now();
        let answered = self.wait(answer);
        self.link.answered(began.elapsed());
        answered
    }

    /// Waits for an answer, or for more of one.
    fn wait<T>(&mut self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let mut answer = pin!(answer);
        let connection = &mut self.connection;
        self.watch.moved();
        let answered = self.runtime.block_on(poll_fn(|context| {
            if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                return Poll::Ready(answer);
            }
            match poll_connection(connection, context) {
                Poll::Pending => Poll::Pending,
                // The server may have sent the reason before it closed the connection, and the answer has it.
                Poll::Ready(Err(error)) => match answer.as_mut().poll(context) {
                    Poll::Ready(Err(said)) if said.as_db_error().is_none() => {
                        Poll::Ready(Err(error))
                    }
                    Poll::Ready(answer) => Poll::Ready(answer),
                    Poll::Pending => Poll::Ready(Err(error)),
                },
                // The connection ended, so the answer is complete or failed.
                Poll::Ready(Ok(())) => answer.as_mut().poll(context),
            }
        }));
        if let Err(error) = &answered {
            self.failed = true;
            // Otherwise the server might continue the statement, with its locks, until it notices that the
            // client is gone.
            if fault::gave_up(error).is_some() {
                (self.cancel)(&self.runtime);
            }
        }
        answered
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let connection = &mut self.connection;
        self.watch.set_patience(GOODBYE);
        self.watch.moved();
        // The client is being dropped, so an error does not matter.
        let _ = self.runtime.block_on(poll_fn(|context| poll_connection(connection, context)));
    }
}

fn poll_connection(
    connection: &mut Option<Running>,
    context: &mut Context<'_>,
) -> Poll<Result<(), Error>> {
    let Some(running) = connection else {
        return Poll::Ready(Ok(()));
    };
    let polled = running.as_mut().poll(context);
    if polled.is_ready() {
        *connection = None;
    }
    polled
}
