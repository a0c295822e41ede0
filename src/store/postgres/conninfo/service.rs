//! Reads libpq's service files: a section `[name]` with a `keyword=value` on each line.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::parameters::Parameters;
use super::{SourceError, Surroundings};
use crate::files;

/// The folder of Debian's service file for the whole machine.
const SYSTEM_FOLDER: &str = "/etc/postgresql-common";

/// The parameters of a service.
pub(super) fn load(service: &str, surroundings: &Surroundings) -> Result<Parameters, SourceError> {
    let named = surroundings.variable("PGSERVICEFILE").map(PathBuf::from);
    let is_named = named.is_some();
    let own = named.or_else(|| Some(surroundings.home.as_ref()?.join(".pg_service.conf")));
    let folder = surroundings.variable("PGSYSCONFDIR").unwrap_or(SYSTEM_FOLDER);
    let system = Path::new(folder).join("pg_service.conf");
    for (file, must_exist) in own.into_iter().map(|own| (own, is_named)).chain([(system, false)]) {
        let text = match files::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && !must_exist => continue,
            Err(error) => {
                return Err(SourceError::new(
                    format!("cannot read the service file {}: {error}", file.display()),
                    "see PGSERVICEFILE and PGSYSCONFDIR",
                ));
            }
        };
        let parameters = find(service, &text)
            .map_err(|error| error.of(format!("service file {}", file.display())))?;
        if let Some(parameters) = parameters {
            return Ok(parameters);
        }
    }
    Err(SourceError::new(
        format!("there is no service \"{service}\""),
        "services are in the file that PGSERVICEFILE names, in ~/.pg_service.conf, or in pg_service.conf in PGSYSCONFDIR",
    ))
}

pub(super) fn find(service: &str, text: &str) -> Result<Option<Parameters>, SourceError> {
    let mut lines = text.lines().map(str::trim);
    let heading = format!("[{service}]");
    if !lines.any(|line| line == heading) {
        return Ok(None);
    }
    let mut parameters = Parameters::default();
    for line in lines.take_while(|line| !line.starts_with('[')) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let malformed = |what: &str| {
            SourceError::new(
                format!("cannot understand the service \"{service}\": {what}"),
                "expected one keyword=value a line, keywords as in a connection string",
            )
        };
        let (name, value) =
            line.split_once('=').ok_or_else(|| malformed("there is a line without \"=\""))?;
        if name == "service" {
            return Err(malformed("it names another service"));
        }
        // As in libpq, the first one counts, and spaces around "=" are no part of the syntax.
        if !parameters.has(name) {
            parameters.put(name, value.to_owned())?;
        }
    }
    Ok(Some(parameters))
}
