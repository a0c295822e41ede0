//! Reads option files (`my.cnf`) as the clients do: groups of options, and files that they include.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::parameters::{Origin, Parameters};
use super::{SourceError, Surroundings, tls};
use crate::files;

/// The groups that the clients read.
pub(super) const GROUPS_OF_CLIENTS: &[&str] =
    &["client", "client-server", "client-mariadb", "mariadb-client", "mysql"];
/// Those that a driver of Django's reads.
pub(super) const GROUPS_OF_DRIVERS: &[&str] = &["client", "client-server", "client-mariadb"];

/// The files of the whole machine, in the order in which they are read.
const OF_THE_MACHINE: [&str; 2] = ["/etc/my.cnf", "/etc/mysql/my.cnf"];
/// How deep files include each other. The clients stop there, too.
const DEEPEST: usize = 10;

/// Reads files, each of which counts more than those before it.
pub(super) struct OptionFiles {
    groups: Vec<String>,
    parameters: Parameters,
}

impl OptionFiles {
    /// Looks for these groups, and the one that was named. A suffix stands for more groups, as `MYSQL_GROUP_SUFFIX`.
    pub(super) fn new(groups: &[&str], named: Option<&str>, surroundings: &Surroundings) -> Self {
        let mut groups: Vec<String> =
            groups.iter().copied().chain(named).map(str::to_owned).collect();
        if let Some(suffix) = surroundings.variable("MYSQL_GROUP_SUFFIX") {
            let with_suffix: Vec<_> =
                groups.iter().map(|group| format!("{group}{suffix}")).collect();
            groups.extend(with_suffix);
        }
        Self { groups, parameters: Parameters::default() }
    }

    /// Reads the file that was named.
    pub(super) fn read_named(mut self, file: &Path) -> Result<Parameters, SourceError> {
        self.read(file, true, 0)?;
        self.finish()
    }

    /// Reads the files that the clients read where none is named.
    pub(super) fn read_usual(
        mut self,
        surroundings: &Surroundings,
    ) -> Result<Parameters, SourceError> {
        let own = surroundings.home.as_ref().map(|home| home.join(".my.cnf"));
        for file in OF_THE_MACHINE.iter().map(PathBuf::from).chain(own) {
            self.read(&file, false, 0)?;
        }
        self.finish()
    }

    /// What they say.
    pub(super) fn finish(mut self) -> Result<Parameters, SourceError> {
        tls::settle_mode(&mut self.parameters)?;
        Ok(self.parameters)
    }

    fn read(&mut self, file: &Path, is_named: bool, depth: usize) -> Result<(), SourceError> {
        let failed = |what: String, hint: &str| {
            SourceError::new(
                format!("cannot read the option file {}: {what}", file.display()),
                hint,
            )
        };
        let text = match open(file, is_named) {
            Ok(text) => text,
            Err(Closed::Absent) if !is_named => return Ok(()),
            Err(Closed::Ignored(why)) if !is_named => {
                let note = format!("the option file {} is ignored: {why}", file.display());
                self.parameters.notes.push(note);
                return Ok(());
            }
            Err(Closed::Absent) => {
                return Err(failed("it is not there".into(), "read_default_file names it"));
            }
            Err(Closed::Ignored(why)) => return Err(failed(why, "the clients would ignore it")),
        };
        self.take(&text, is_named, depth, file.parent().unwrap_or(Path::new("/")))
            .map_err(|error| error.of(format!("option file {}", file.display())))
    }

    /// Takes what the groups say that are looked for.
    pub(super) fn take(
        &mut self,
        text: &str,
        is_named: bool,
        depth: usize,
        folder: &Path,
    ) -> Result<(), SourceError> {
        let mut is_ours = None;
        for (number, line) in (1..).zip(text.lines()) {
            let malformed = |what: &str| {
                SourceError::new(
                    format!("line {number}: {what}"),
                    "expected [group], option, or option=value",
                )
            };
            match Line::of(line).ok_or_else(|| malformed("a group has no \"]\""))? {
                Line::Empty => {}
                Line::Group(name) => is_ours = Some(self.groups.iter().any(|group| group == name)),
                Line::Include(file) => self.include(&[folder.join(file)], is_named, depth)?,
                Line::IncludeFolder(path) => {
                    self.include(&in_folder(&folder.join(path)), is_named, depth)?;
                }
                Line::Option(name, value) => {
                    if is_ours.ok_or_else(|| malformed("an option stands before any group"))? {
                        self.put(name, value)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn include(
        &mut self,
        files: &[PathBuf],
        is_named: bool,
        depth: usize,
    ) -> Result<(), SourceError> {
        if depth == DEEPEST {
            return Err(SourceError::new(
                format!("files include each other more than {DEEPEST} deep"),
                "does one include itself?",
            ));
        }
        // One that is not there is nothing, as for the clients.
        files
            .iter()
            .filter(|file| file.exists())
            .try_for_each(|file| self.read(file, is_named, depth + 1))
    }

    fn put(&mut self, name: &str, value: Option<String>) -> Result<(), SourceError> {
        let name = name
            .strip_prefix("loose")
            .and_then(|name| name.strip_prefix(['-', '_']))
            .unwrap_or(name);
        let off = ["skip", "disable"]
            .iter()
            .find_map(|word| name.strip_prefix(word)?.strip_prefix(['-', '_']));
        match (off, value) {
            (Some(name), None) => self.parameters.put(name, "0".into(), Origin::File),
            // A password to be asked for.
            (None, None) if name == "password" => Ok(()),
            (_, value) => self.parameters.put(name, value.unwrap_or_default(), Origin::File),
        }
    }
}

/// Why a file is not read.
enum Closed {
    Absent,
    Ignored(String),
}

/// The text of a file. What others can write leads root wherever they like: of the files that nobody named, the
/// clients' rule (nobody at all may write) is not enough.
fn open(file: &Path, is_named: bool) -> Result<String, Closed> {
    let ignored = |why: &dyn ToString| Closed::Ignored(why.to_string());
    let opened = match files::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Closed::Absent),
        Err(error) => return Err(ignored(&error)),
    };
    let status = files::Status::of(&opened).map_err(|error| ignored(&error))?;
    if status.everybody_can_write() || (!is_named && status.others_can_write()) {
        return Err(ignored(
            &"others can write it: chmod go-w, and it must be root's or this user's",
        ));
    }
    let text = files::read_all(opened).map_err(|error| ignored(&error))?;
    String::from_utf8(text).map_err(|_| ignored(&"it is not UTF-8"))
}

/// The option files in a folder, by name.
fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension() == Some(OsStr::new("cnf"))).collect();
    files.sort();
    files
}

/// A line of an option file.
#[derive(Debug, PartialEq, Eq)]
enum Line<'t> {
    Empty,
    Group(&'t str),
    Option(&'t str, Option<String>),
    Include(&'t str),
    IncludeFolder(&'t str),
}

impl<'t> Line<'t> {
    /// `None` if a group does not end.
    fn of(line: &'t str) -> Option<Self> {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            return Some(Self::Empty);
        }
        if let Some(group) = line.strip_prefix('[') {
            return group.split_once(']').map(|(name, _)| Self::Group(name.trim()));
        }
        if let Some(path) = line.strip_prefix("!includedir") {
            return Some(Self::IncludeFolder(path.trim()));
        }
        if let Some(path) = line.strip_prefix("!include") {
            return Some(Self::Include(path.trim()));
        }
        let line = without_comment(line).trim_end();
        Some(match line.split_once('=') {
            None => Self::Option(line, None),
            Some((name, value)) => Self::Option(name.trim_end(), Some(unquoted(value.trim()))),
        })
    }
}

/// What stands before a `#` that no quotes enclose.
fn without_comment(line: &str) -> &str {
    let (mut quote, mut is_escaped) = (None, false);
    for (at, c) in line.char_indices() {
        match (c, quote) {
            ('\'' | '"', None) if !is_escaped => quote = Some(c),
            (_, Some(open)) if c == open && !is_escaped => quote = None,
            ('#', None) => return line.get(..at).unwrap_or_default(),
            _ => {}
        }
        is_escaped = quote.is_some() && c == '\\' && !is_escaped;
    }
    line
}

/// A value without the quotes around it, and with its escapes resolved.
fn unquoted(value: &str) -> String {
    let inner =
        ['\'', '"'].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    let mut text = String::new();
    let mut chars = inner.unwrap_or(value).chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('s') => text.push(' '),
            Some(quoted @ ('"' | '\'' | '\\')) => text.push(quoted),
            other => {
                text.push('\\');
                text.extend(other);
            }
        }
    }
    text
}
