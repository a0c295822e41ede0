//! Reads the environment variables of MySQL's and MariaDB's clients. None of them names a user or a database.

use super::parameters::{Origin, Parameters};
use super::{SourceError, Surroundings};

/// The variables, and which option each stands for.
const VARIABLES: [(&str, &str); 4] = [
    ("MYSQL_HOST", "host"),
    ("MYSQL_PWD", "password"),
    ("MYSQL_TCP_PORT", "port"),
    ("MYSQL_UNIX_PORT", "socket"),
];

/// What the variables say.
pub(super) fn parameters(surroundings: &Surroundings) -> Result<Parameters, SourceError> {
    let mut parameters = Parameters::default();
    for (variable, name) in VARIABLES {
        // To go on without one that is not UTF-8 could lead to another server.
        if surroundings.not_utf8.contains(variable) {
            return Err(SourceError::new(
                format!("the environment variable {variable} is not UTF-8"),
                "set it anew, or unset it",
            ));
        }
        if let Some(value) = surroundings.variable(variable) {
            parameters.put(name, value.to_owned(), Origin::File)?;
        }
    }
    Ok(parameters)
}
