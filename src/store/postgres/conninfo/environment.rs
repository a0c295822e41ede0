//! Reads libpq's environment variables.

use super::keyword::KEYWORDS;
use super::parameters::Parameters;
use super::{SourceError, Surroundings};

/// Each of these says by itself which server or database is meant.
pub const VARIABLES: [&str; 4] = ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGSERVICE"];

/// What the variables say.
pub(super) fn parameters(surroundings: &Surroundings) -> Result<Parameters, SourceError> {
    // To go on without one that is not UTF-8 could lead to another server.
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
    // Older than sslmode, and still heeded by libpq.
    if surroundings.variable("PGREQUIRESSL") == Some("1") && !parameters.has("sslmode") {
        parameters.put("sslmode", "require".into())?;
    }
    Ok(parameters)
}
