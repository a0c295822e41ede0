//! How a database of MySQL or MariaDB is named.

use super::MySql;
use super::params::{Endpoint, Params, Tls};
use crate::store::source::percent_decode;
use crate::store::{Backend, Opening, Source, SourceError, Store, Surroundings, Traits};

/// MySQL, MariaDB, and servers with the same protocol.
pub struct MySqlBackend;

pub(super) const TRAITS: Traits =
    Traits { name: "MySQL", naive_clock: true, longest_name: 64, can: &[], why_not: &[] };

impl Backend for MySqlBackend {
    fn traits(&self) -> &'static Traits {
        &TRAITS
    }

    /// Those of dj-database-url and django-environ, and what people write for MariaDB.
    fn schemes(&self) -> &'static [&'static str] {
        &["mysql", "mysql2", "mariadb", "mysql-connector", "mysqlgis"]
    }

    fn example(&self) -> &'static str {
        "mysql://user:password@host:3306/database"
    }

    fn read_url(&self, rest: &str, _: &Surroundings) -> Result<Box<dyn Source>, SourceError> {
        let params = read(rest).ok_or_else(|| {
            SourceError::new(
                "the URL names no server and database",
                "mysql://user:password@host:3306/database",
            )
        })?;
        Ok(Box::new(Named { params, has_password: rest.contains('@') }))
    }
}

fn read(rest: &str) -> Option<Params> {
    let (login, place) = rest.rsplit_once('@')?;
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (server, database) = place.split_once('/')?;
    let (host, port) = server.rsplit_once(':').unwrap_or((server, "3306"));
    Some(Params {
        endpoint: Endpoint::Tcp { host: percent_decode(host)?, port: port.parse().ok()? },
        user: percent_decode(user)?,
        password: Some(percent_decode(password)?).filter(|password| !password.is_empty()),
        database: percent_decode(database)?,
        tls: Tls::default(),
        connect_timeout: None,
    })
}

/// A database that the operator named.
#[derive(Debug)]
struct Named {
    params: Params,
    has_password: bool,
}

impl Source for Named {
    fn place(&self) -> String {
        self.params.place()
    }

    fn password_belongs_in(&self) -> Option<&'static str> {
        self.has_password.then_some("a file that only you may read")
    }

    fn open(&self, opening: Opening) -> Box<dyn Store> {
        let Opening { table, clock, waits, terms } = opening;
        Box::new(MySql::new(self.params.clone(), table, clock, waits, terms))
    }
}
