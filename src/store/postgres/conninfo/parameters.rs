use std::collections::BTreeMap;

use super::keyword::{self, Fate};
use super::{ConninfoError, NOT_HERE};

/// Parameters by name, as far as they are known by now. What is there stays: sources are asked in
/// the order in which they count.
#[derive(Default)]
pub(super) struct Parameters {
    values: BTreeMap<&'static str, String>,
    /// What the operator may want to know.
    pub(super) notes: Vec<String>,
}

impl Parameters {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Takes a value over whatever was there, an empty one included, as libpq does within one
    /// connection string.
    pub(super) fn put(&mut self, name: &str, value: String) -> Result<(), ConninfoError> {
        let Some(keyword) = keyword::find(name) else {
            return Err(ConninfoError::new(
                format!("\"{name}\" is no connection option"),
                "see the options of libpq; of Django's own, those that docs/connections.md names are ignored",
            ));
        };
        match keyword.fate {
            Fate::Heeded => {
                self.values.insert(keyword.name, value);
            }
            Fate::Only(values) if !value.is_empty() && !values.contains(&&*value) => {
                return Err(ConninfoError::new(
                    format!("the connection option \"{name}\" is not supported with this value"),
                    NOT_HERE,
                ));
            }
            Fate::Ignored | Fate::Only(_) => {}
        }
        Ok(())
    }

    /// Takes what another source says where nothing is known. What an address means is said by the
    /// source that names the host: another one's would lead elsewhere.
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

    /// Adds a setting to those that the session begins with.
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
