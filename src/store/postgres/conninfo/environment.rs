//! libpq's environment variables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::ConninfoError;
use super::keyword::KEYWORDS;
use super::parameters::Parameters;

/// What is known of the process itself.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The name of the user that it runs as, if the system knows one.
    pub user: Option<String>,
    /// That user's home folder.
    pub home: Option<PathBuf>,
    /// The environment, as far as it is for libpq: `PG...`.
    pub variables: BTreeMap<String, String>,
    /// The names of those that are not UTF-8. They are an error wherever the others are asked: to go on without them
    /// could lead to another server.
    pub not_utf8: BTreeSet<String>,
}

impl Surroundings {
    /// Whether the environment alone says which server or database is meant.
    pub fn name_a_database(&self) -> bool {
        ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGSERVICE"]
            .iter()
            .any(|name| self.variable(name).is_some() || self.not_utf8.contains(*name))
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// What the variables say.
    pub(super) fn parameters(&self) -> Result<Parameters, ConninfoError> {
        if let Some(name) = self.not_utf8.first() {
            return Err(ConninfoError::new(
                format!("the environment variable {name} is not UTF-8"),
                "set it anew, or unset it",
            ));
        }
        let mut parameters = Parameters::default();
        for keyword in KEYWORDS {
            let Some(variable) = keyword.variable else { continue };
            if let Some(value) = self.variable(variable) {
                parameters
                    .put(keyword.name, value.to_owned())
                    .map_err(|error| error.of(format!("environment variable {variable}")))?;
            }
        }
        // Older than sslmode, and still heeded by libpq.
        if self.variable("PGREQUIRESSL") == Some("1") && !parameters.has("sslmode") {
            parameters.put("sslmode", "require".into())?;
        }
        Ok(parameters)
    }
}
