//! Where a replica is: what its URL leaves open is as for the database that it follows.

use std::path::Path;

use super::parameters::{Origin, Parameters};
use super::{Conninfo, SourceError, Surroundings, resolve, tls, url};
use crate::store::mysql::params::Params;

impl Conninfo {
    /// Adds the replica at this URL, without its scheme and `://`.
    pub(in crate::store::mysql) fn add_replica_of_url(
        &mut self,
        rest: &str,
        surroundings: &Surroundings,
    ) -> Result<(), SourceError> {
        let mut parameters = url::parse(rest)?;
        tls::settle_mode(&mut parameters)?;
        parameters.settle_place();
        if !parameters.is_placed() {
            return Err(SourceError::new(
                "--replica names neither a host nor a socket",
                "expected mysql://host:3306",
            ));
        }
        if parameters.get("password").is_some() {
            return Err(SourceError::new(
                "--replica holds a password, which every user of this machine can see",
                "leave the account out, which is then that of the database; the password of another belongs in MYSQL_PWD",
            ));
        }
        // A password goes with its account only.
        let password = match parameters.get("user") {
            Some(_) => surroundings.variable("MYSQL_PWD"),
            None => self.params.password.as_deref(),
        };
        // The account may have no right to a database there.
        let database = parameters.get("database").unwrap_or_default().to_owned();
        parameters.complete(as_typed(&self.params, password)?);
        let params = resolve::params(&mut parameters, surroundings)?;
        self.notes.append(&mut parameters.notes);
        self.replicas.push(Params { database, ..params });
        Ok(())
    }
}

/// What says the same as these parameters, but for the place.
fn as_typed(params: &Params, password: Option<&str>) -> Result<Parameters, SourceError> {
    let tls = &params.tls;
    let path = |file: Option<&Path>| file.map(|file| file.to_string_lossy().into_owned());
    let flag = |on: bool| on.then(|| "1".to_owned());
    let mut typed = Parameters::default();
    for (name, value) in [
        ("user", Some(params.user.clone())),
        ("password", password.map(str::to_owned)),
        ("database", Some(params.database.clone())),
        ("ssl_mode", Some(tls::word(tls.mode).to_owned())),
        ("ssl_ca", path(tls.ca.as_deref())),
        ("ssl_cert", path(tls.cert.as_deref())),
        ("ssl_key", path(tls.key.as_deref())),
        ("get_server_public_key", flag(tls.allow_sent_key)),
        ("enable_cleartext_plugin", flag(tls.allow_cleartext)),
    ] {
        if let Some(value) = value {
            typed.put(name, value, Origin::File)?;
        }
    }
    Ok(typed)
}
