//! Reads libpq's environment variables.

use super::keyword::KEYWORDS;
use super::parameters::Parameters;
use super::{SourceError, Surroundings};

/// Variables each of which names a server or database by itself.
pub const VARIABLES: [&str; 4] = ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGSERVICE"];

/// The parameters in the environment.
pub(super) fn parameters(surroundings: &Surroundings) -> Result<Parameters, SourceError> {
    // Without a variable that is not UTF-8 the connection could lead to another server.
    if let Some(name) = surroundings.not_utf8.iter().find(|name| name.starts_with("PG")) {
        return Err(SourceError::new(
            format!("the environment variable {name} is not UTF-8"),
            "set it anew, or unset it",
        ));
    }
    let mut parameters = Parameters::default();
    for keyword in KEYWORDS {
        let Some(variable) = keyword.variable else { continue };
        if let Some(value) = surroundings.variable(variable) {
            parameters
                .put(keyword.name, value.to_owned())
                .map_err(|error| error.of(format!("environment variable {variable}")))?;
        }
    }
    // Older than sslmode; libpq still reads it.
    if surroundings.variable("PGREQUIRESSL") == Some("1") && !parameters.has("sslmode") {
        parameters.put("sslmode", "require".into())?;
    }
    Ok(parameters)
}
