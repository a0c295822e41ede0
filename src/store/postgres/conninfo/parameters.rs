//! Collects connection parameters from several sources. The source that is asked first wins.

use std::collections::BTreeMap;

use super::keyword::{self, Fate};
use super::{NOT_HERE, SourceError};

/// The parameters that are known so far, by name. A later source does not replace them: sources are read in the
/// order of their precedence.
#[derive(Default)]
pub(super) struct Parameters {
    values: BTreeMap<&'static str, String>,
    /// Notes for the operator.
    pub(super) notes: Vec<String>,
}

impl Parameters {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Sets a value, and replaces an earlier one: within one connection string the last one counts.
    pub(super) fn put(&mut self, name: &str, value: String) -> Result<(), SourceError> {
        let Some(keyword) = keyword::find(name) else {
            return Err(SourceError::new(
                format!("\"{name}\" is no connection option"),
                "docs/connections.md lists the options that are known, and those of Django's that are ignored",
            ));
        };
        match keyword.fate {
            Fate::Supported => {
                self.values.insert(keyword.name, value);
            }
            Fate::Only(values) if !value.is_empty() && !values.contains(&&*value) => {
                let with = if values.is_empty() { "" } else { " with this value" };
                return Err(SourceError::new(
                    format!("the connection option \"{name}\" is not supported{with}"),
                    NOT_HERE,
                ));
            }
            Fate::Ignored | Fate::Only(_) => {}
        }
        Ok(())
    }

    /// Takes the parameters of a lower source that are not known yet. Its host and its address belong together: the
    /// address must not be used for another host.
    pub(super) fn complete(&mut self, lower: Self) {
        let host_is_named = self.has("host") || self.has("hostaddr");
        for (name, value) in lower.values {
            let leads_elsewhere = host_is_named && matches!(name, "host" | "hostaddr");
            if !leads_elsewhere && !value.is_empty() {
                self.values.entry(name).or_insert(value);
            }
        }
        self.notes.extend(lower.notes);
    }

    /// Adds a setting for the start of the session.
    pub(super) fn add_setting(&mut self, name: &str, value: &str) {
        let value = value.replace('\\', "\\\\").replace(' ', "\\ ");
        self.add_options(&format!("-c {name}={value}"));
    }

    /// Adds command-line options of the server.
    pub(super) fn add_options(&mut self, more: &str) {
        let options = self.values.entry("options").or_default();
        if !options.is_empty() {
            options.push(' ');
        }
        options.push_str(more);
    }
}

pub(super) fn number(parameters: &Parameters, name: &str) -> Result<Option<i64>, SourceError> {
    match parameters.get(name).map(str::trim).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            SourceError::new(format!("the value of {name} is no number"), "for example: 10")
        }),
    }
}

pub(super) fn flag(
    parameters: &Parameters,
    name: &str,
    default: bool,
) -> Result<bool, SourceError> {
    Ok(number(parameters, name)?.map_or(default, |number| number != 0))
}

/// The meaning of a value out of a fixed list.
pub(super) fn one_of<T: Copy>(
    parameters: &Parameters,
    name: &str,
    meanings: &[(&str, T)],
    default: T,
) -> Result<T, SourceError> {
    let Some(value) = parameters.get(name).filter(|value| !value.is_empty()) else {
        return Ok(default);
    };
    meanings.iter().find(|(text, _)| *text == value).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known: Vec<&str> =
            meanings.iter().map(|(text, _)| *text).filter(|text| !text.is_empty()).collect();
        SourceError::new(
            format!("{name} has a value that is not known"),
            format!("known are {}", known.join(", ")),
        )
    })
}
