//! A connection to the private MariaDB server, for what tests do behind sessctl's back.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row, Value};
use tokio::runtime::{Builder, Runtime};

/// A connection on which SQL means what it means elsewhere: double quotes are for names, a backslash is itself.
pub(crate) struct MySqlClient {
    conn: Option<Conn>,
    runtime: Runtime,
}

impl MySqlClient {
    pub(crate) fn connect(url: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let opts = OptsBuilder::from_opts(Opts::from_url(url).unwrap())
            .prefer_socket(false)
            .max_allowed_packet(Some(64 << 20));
        let conn = runtime.block_on(Conn::new(opts)).unwrap();
        let mut client = Self { conn: Some(conn), runtime };
        client.execute(
            "SET NAMES utf8mb4, sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_TRANS_TABLES'",
        );
        client
    }

    /// Runs one statement or several.
    pub(crate) fn execute(&mut self, sql: &str) {
        self.try_execute(sql).unwrap_or_else(|error| panic!("{error}: {sql:.300}"));
    }

    /// The same, where it may fail.
    pub(crate) fn try_execute(&mut self, sql: &str) -> mysql_async::Result<()> {
        let conn = self.conn.as_mut().unwrap();
        self.runtime.block_on(conn.query_drop(sql))
    }

    /// The first column, as text.
    pub(crate) fn column(&mut self, sql: &str) -> Vec<String> {
        let conn = self.conn.as_mut().unwrap();
        let rows: Vec<Row> = self.runtime.block_on(conn.query(sql)).unwrap();
        let text = |row: &Row| match row.as_ref(0) {
            Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("{other:?}"),
        };
        rows.iter().map(text).collect()
    }
}

impl Drop for MySqlClient {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            let _ = self.runtime.block_on(conn.disconnect());
        }
    }
}
