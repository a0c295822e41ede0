//! How a database of MySQL or MariaDB is named: by a URL, or a Django project.

use std::collections::BTreeMap;

use super::MySql;
use super::conninfo::{Conninfo, SCHEMES};
use crate::store::{
    Backend, Capability, FromDjango, Opening, Source, SourceError, Store, Surroundings, Traits,
};

/// MySQL, MariaDB, and servers with the same protocol.
pub struct MySqlBackend;

pub(super) const TRAITS: Traits = Traits {
    name: "MySQL",
    naive_clock: true,
    longest_name: 64,
    names_replicas: true,
    can: &[
        Capability::Expiry,
        Capability::UserColumn,
        Capability::Users,
        Capability::Rewrite,
        Capability::References,
        Capability::Truncate,
        Capability::Schemas,
        Capability::Grants,
        Capability::Replicas,
    ],
    why_not: &[],
};

impl Backend for MySqlBackend {
    fn traits(&self) -> &'static Traits {
        &TRAITS
    }

    fn schemes(&self) -> &'static [&'static str] {
        &SCHEMES
    }

    fn example(&self) -> &'static str {
        "mysql://user:password@host:3306/database"
    }

    fn read_url(
        &self,
        rest: &str,
        surroundings: &Surroundings,
    ) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(Conninfo::of_url(rest, surroundings)?))
    }

    fn django(&self) -> Option<&dyn FromDjango> {
        Some(self)
    }
}

impl FromDjango for MySqlBackend {
    fn vendor(&self) -> &'static str {
        "mysql"
    }

    fn probe(&self) -> &'static str {
        include_str!("django.py")
    }

    fn read(
        &self,
        parameters: &BTreeMap<String, String>,
        surroundings: &Surroundings,
    ) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(Conninfo::of_django(parameters, surroundings)?))
    }
}

impl Source for Conninfo {
    fn place(&self) -> String {
        self.params.place()
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn password_belongs_in(&self) -> Option<&'static str> {
        self.has_password.then_some("MYSQL_PWD or ~/.my.cnf")
    }

    fn add_replica(&mut self, rest: &str, surroundings: &Surroundings) -> Result<(), SourceError> {
        self.add_replica_of_url(rest, surroundings)
    }

    fn open(&self, opening: Opening) -> Box<dyn Store> {
        let Opening { table, referring, clock, waits, terms } = opening;
        let store = MySql::new(self.params.clone(), table, clock, waits, terms);
        Box::new(store.with_replicas(self.replicas.clone()).with_referring(referring))
    }
}
