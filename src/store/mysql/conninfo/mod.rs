//! Finds out how to connect: from a URL, completed from option files and the environment as MySQL's and MariaDB's
//! clients do, or from what Django passes to its driver.

mod environment;
mod keyword;
mod option_file;
mod parameters;
mod replica;
mod resolve;
#[cfg(test)]
mod tests;
mod tls;
mod url;

use std::collections::BTreeMap;
use std::path::Path;

use self::option_file::{GROUPS_OF_CLIENTS, GROUPS_OF_DRIVERS, OptionFiles};
use self::parameters::{Origin, Parameters};
pub(super) use self::url::SCHEMES;
use super::params::Params;
use crate::store::{SourceError, Surroundings};

/// How to reach a server, and how that was found out.
#[derive(Clone, Debug)]
pub(super) struct Conninfo {
    pub(super) params: Params,
    /// Where its replicas are that were named.
    pub(super) replicas: Vec<Params>,
    /// Whether the URL itself holds a password.
    pub(super) has_password: bool,
    /// What the operator may want to know.
    pub(super) notes: Vec<String>,
}

impl Conninfo {
    /// What a URL says, without its scheme and `://`. What it leaves open, the option file says that it names, or
    /// else those that the clients read, and then the environment.
    pub(super) fn of_url(rest: &str, surroundings: &Surroundings) -> Result<Self, SourceError> {
        let mut parameters = url::parse(rest)?;
        tls::settle_mode(&mut parameters)?;
        parameters.settle_place();
        let has_password = parameters.get("password").is_some();
        let group = parameters.get("read_default_group");
        let files = OptionFiles::new(GROUPS_OF_CLIENTS, group, surroundings);
        let from_files = match parameters.get("read_default_file") {
            Some(file) => files.read_named(Path::new(file))?,
            None => files.read_usual(surroundings)?,
        };
        parameters.complete(from_files);
        let conninfo = Self::complete(parameters, surroundings)?;
        Ok(Self { has_password, ..conninfo })
    }

    /// What Django passes to its driver says, and otherwise the option file that it names, and the environment. Of
    /// what is ignored there is no note: the operator did not write it.
    pub(super) fn of_django(
        options: &BTreeMap<String, String>,
        surroundings: &Surroundings,
    ) -> Result<Self, SourceError> {
        let mut parameters = Parameters::default();
        for (name, value) in options {
            parameters.put(name, value.clone(), Origin::Django)?;
        }
        tls::settle_mode(&mut parameters)?;
        parameters.settle_place();
        let group = parameters.get("read_default_group");
        let files = OptionFiles::new(GROUPS_OF_DRIVERS, group, surroundings);
        let from_files = match parameters.get("read_default_file") {
            Some(file) => files.read_named(Path::new(file))?,
            None if group.is_some() => files.read_usual(surroundings)?,
            None => Parameters::default(),
        };
        parameters.complete(from_files);
        Self::complete(parameters, surroundings)
    }

    fn complete(
        mut parameters: Parameters,
        surroundings: &Surroundings,
    ) -> Result<Self, SourceError> {
        parameters.complete(environment::parameters(surroundings)?);
        let params = resolve::params(&mut parameters, surroundings)?;
        Ok(Self { params, replicas: Vec::new(), has_password: false, notes: parameters.notes })
    }
}
