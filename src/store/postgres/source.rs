//! How a PostgreSQL database is named: by a URL, `key=value` pairs, the environment, or a Django project.

use std::collections::BTreeMap;

use super::conninfo::{SCHEMES, VARIABLES};
use super::{Conninfo, Postgres};
use crate::store::{
    Backend, Capability, FromDjango, Opening, Source, SourceError, Store, Surroundings, Traits,
};

/// PostgreSQL, and servers with the same protocol.
pub struct PostgresBackend;

pub(super) const TRAITS: Traits = Traits {
    name: "PostgreSQL",
    naive_clock: false,
    longest_name: 63,
    names_replicas: false,
    can: Capability::ALL,
    why_not: &[],
};

impl Backend for PostgresBackend {
    fn traits(&self) -> &'static Traits {
        &TRAITS
    }

    fn schemes(&self) -> &'static [&'static str] {
        &SCHEMES
    }

    fn example(&self) -> &'static str {
        "postgres://user:password@host:5432/database"
    }

    fn read_url(
        &self,
        rest: &str,
        surroundings: &Surroundings,
    ) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(Conninfo::of_url(rest, surroundings)?))
    }

    fn read_text(
        &self,
        text: &str,
        surroundings: &Surroundings,
    ) -> Result<Option<Box<dyn Source>>, SourceError> {
        if !Conninfo::is_pairs(text) {
            return Ok(None);
        }
        Ok(Some(Box::new(Conninfo::of_pairs(text, surroundings)?)))
    }

    fn variables(&self) -> &'static [&'static str] {
        &VARIABLES
    }

    fn read_environment(
        &self,
        surroundings: &Surroundings,
    ) -> Result<Option<Box<dyn Source>>, SourceError> {
        if !VARIABLES.iter().any(|name| surroundings.has(name)) {
            return Ok(None);
        }
        Ok(Some(Box::new(Conninfo::of_environment(surroundings)?)))
    }

    fn django(&self) -> Option<&dyn FromDjango> {
        Some(self)
    }
}

impl FromDjango for PostgresBackend {
    fn vendor(&self) -> &'static str {
        "postgresql"
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
        Self::place(self)
    }

    fn notes(&self) -> Vec<String> {
        Self::notes(self).to_vec()
    }

    fn password_belongs_in(&self) -> Option<&'static str> {
        self.has_password().then_some("PGPASSWORD or ~/.pgpass")
    }

    fn open(&self, opening: Opening) -> Box<dyn Store> {
        let Opening { table, referring, waits, terms, .. } = opening;
        let store = Postgres::new(self.clone(), table).with_referring(referring);
        Box::new(store.waiting(waits).on(terms))
    }
}
