//! Collects connection options from several sources. The source that is asked first wins.

use std::collections::BTreeMap;

use super::SourceError;
use super::keyword::{self, Fate};

/// Options by our names, as far as they are known by now. What is there stays: sources are asked in the order in
/// which they count.
#[derive(Default)]
pub(super) struct Parameters {
    values: BTreeMap<&'static str, String>,
    is_placed: bool,
    /// What the operator may want to know.
    pub(super) notes: Vec<String>,
}

/// Whose file or text an option stands in, and what becomes of one that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The operator typed it: it is an error, and what is ignored is noted.
    Url,
    /// Django passes it to its driver: it is an error if it may say who the server must be.
    Django,
    /// It stands in an option file, maybe for another program.
    File,
}

impl Parameters {
    /// The value of an option, unless it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Takes a value in place of what was there: within one source the last one counts.
    pub(super) fn put(
        &mut self,
        name: &str,
        value: String,
        origin: Origin,
    ) -> Result<(), SourceError> {
        let Some(keyword) = keyword::find(name) else {
            let may_matter = ["ssl", "tls"].iter().any(|begin| name.starts_with(begin));
            return match origin {
                Origin::File => Ok(()),
                Origin::Django if !may_matter => Ok(()),
                Origin::Django | Origin::Url => Err(SourceError::new(
                    format!("\"{name}\" is no connection option"),
                    "docs/connections.md has those that are heeded, and those of Django's that are ignored",
                )),
            };
        };
        match keyword.fate {
            Fate::Flag if value.is_empty() => self.set(keyword.name(), "1"),
            Fate::Heeded | Fate::Flag => drop(self.values.insert(keyword.name(), value)),
            Fate::Noted if origin == Origin::Url => self.notes.push(format!(
                "{name} in the database URL is ignored: it says how Django works with its connections"
            )),
            Fate::Refused(hint) if !value.is_empty() => {
                return Err(SourceError::new(
                    format!("the connection option \"{name}\" is not supported"),
                    hint,
                ));
            }
            Fate::Ignored | Fate::Noted | Fate::Refused(_) => {}
        }
        Ok(())
    }

    /// Takes a value that follows from others.
    pub(super) fn set(&mut self, name: &'static str, value: &str) {
        self.values.insert(name, value.to_owned());
    }

    /// From here on no other source says where the server is, if this one names it: a part of another place would lead
    /// elsewhere. `localhost` leaves open where the socket is.
    pub(super) fn settle_place(&mut self) {
        let is_host = self.get("host").is_some_and(|host| !is_local(host));
        self.is_placed = is_host || self.get("socket").is_some();
    }

    /// Whether a source named the place of the server.
    pub(super) fn is_placed(&self) -> bool {
        self.is_placed
    }

    /// Takes what a lower source says where nothing is known.
    pub(super) fn complete(&mut self, lower: Self) {
        for (name, value) in lower.values {
            let leads_elsewhere = self.is_placed && ["host", "socket", "protocol"].contains(&name);
            if !leads_elsewhere && !value.is_empty() && self.get(name).is_none() {
                self.values.insert(name, value);
            }
        }
        self.notes.extend(lower.notes);
    }
}

/// The name by which the clients mean the socket.
pub(super) fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
}

/// Whether an option is on; `None` if nothing says so.
pub(super) fn flag(parameters: &Parameters, name: &str) -> Result<Option<bool>, SourceError> {
    let Some(value) = parameters.get(name) else { return Ok(None) };
    match &*value.to_ascii_lowercase() {
        "1" | "true" | "on" | "yes" => Ok(Some(true)),
        "0" | "false" | "off" | "no" => Ok(Some(false)),
        _ => Err(SourceError::new(
            format!("{name} has a value that is not known"),
            "known are 1 and 0, true and false, on and off",
        )),
    }
}
