//! Finds out which cache stands in front of the session table, if sessctl is to delete entries there: from the command line or
//! from the environment.

use super::Project;
use super::database::is_scheme;
use super::django::SiteCache;
use crate::cache::{BACKENDS, Named, Shape, Source};
use crate::error::Error;

const OPTION: &str = "--cache";
const VARIABLE: &str = "SESSCTL_CACHE_URL";

/// The cache whose entries are to be deleted.
pub struct Cache {
    /// The first takes what is written; a site may read from any.
    pub(crate) servers: Vec<Box<dyn Source>>,
    pub(crate) shape: Shape,
    /// What named it, for messages.
    pub(crate) named_by: &'static str,
    /// Whether the project named it.
    pub(crate) is_of_project: bool,
    /// A warning about how it was named.
    pub(crate) warning: Option<String>,
}

/// The cache that was typed, else the project's, else that of the environment. With a project, that says what keys look like.
pub fn cache(typed: Option<&str>, project: Option<&Project>) -> Result<Option<Cache>, Error> {
    if let (None, Some(project)) = (typed, project)
        && let Some(SiteCache { servers, shape }) = project.cache()?
    {
        return Ok(Some(Cache {
            servers,
            shape,
            named_by: "--django",
            is_of_project: true,
            warning: None,
        }));
    }
    let (named_by, text) = match typed {
        Some(text) if text.trim().is_empty() => {
            return Err(Error::usage(
                format!("{OPTION} was given an empty text"),
                "is the variable behind it set?",
            ));
        }
        Some(text) => (OPTION, text.to_owned()),
        None => match std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
            None => return Ok(None),
            Some(value) => (VARIABLE, value.into_string().map_err(|_| not_utf8())?),
        },
    };
    read_all(&text, named_by, project).map(Some)
}

fn not_utf8() -> Error {
    Error::usage(format!("{VARIABLE} is not UTF-8"), "set it anew, or unset it")
}

fn read_all(text: &str, named_by: &'static str, project: Option<&Project>) -> Result<Cache, Error> {
    let named: Result<Vec<Named>, Error> = text.trim().split([',', ';']).map(read).collect();
    let named = named?;
    let first = |of: fn(&Named) -> &Option<String>| named.iter().find_map(|one| of(one).clone());
    let (key_prefix, version) = (first(|one| &one.key_prefix), first(|one| &one.version));
    let shape = match project {
        Some(_) if key_prefix.is_some() || version.is_some() => {
            return Err(Error::usage(
                format!("{named_by}: with --django the project says what keys look like"),
                "leave key_prefix and version out of the URL",
            ));
        }
        Some(project) => Shape::of_project(project.around_cache_keys(named_by)?),
        None => Shape::of_django(key_prefix.as_deref(), version.as_deref()),
    };
    let servers: Vec<_> = named.into_iter().map(|named| named.source).collect();
    let shows_password = named_by == OPTION && servers.iter().any(|one| one.has_password());
    let warning = shows_password.then(|| {
        format!(
            "every user of this machine can see a password on a command line; better: {VARIABLE}"
        )
    });
    Ok(Cache { servers, shape, named_by, is_of_project: false, warning })
}

fn read(url: &str) -> Result<Named, Error> {
    let known = || {
        let schemes = BACKENDS.iter().flat_map(|backend| backend.schemes());
        let all: Vec<String> = schemes.map(|scheme| format!("{scheme}://")).collect();
        all.join(", ")
    };
    let Some((scheme, rest)) = url.trim().split_once("://").filter(|(scheme, _)| is_scheme(scheme))
    else {
        return Err(Error::usage("the cache is no URL", format!("known are {}", known())));
    };
    let is_of = |known: &&str| scheme.eq_ignore_ascii_case(known);
    let backend = BACKENDS.iter().find(|backend| backend.schemes().iter().any(is_of));
    let Some(backend) = backend else {
        return Err(Error::usage(
            format!("caches of the kind \"{}\" are not supported", scheme.to_ascii_lowercase()),
            format!("known are {}; --print-cache-keys prints the keys for any other", known()),
        ));
    };
    Ok(backend.read_url(scheme, rest)?)
}
