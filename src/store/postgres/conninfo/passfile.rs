//! Reads libpq's password file, with a line `host:port:database:user:password` for each server.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::resolve::SOCKET_FOLDER;
use super::{Conninfo, Place, Secret};
use crate::files;

impl Conninfo {
    /// Gives each host without a password that of the first line for it. A file that others may read is
    /// ignored, as libpq ignores it.
    pub(super) fn read_password(&mut self, file: &Path) {
        let Ok(status) = fs::metadata(file) else { return };
        let ignored = if !status.is_file() {
            "it is no plain file"
        } else if status.permissions().mode() & 0o077 != 0 {
            "others than its owner may read it: chmod 600"
        } else {
            ""
        };
        let text = if ignored.is_empty() {
            files::read(file).map_err(|error| error.to_string())
        } else {
            Err(ignored.to_owned())
        };
        match text {
            Ok(text) => self.take_passwords(&String::from_utf8_lossy(&text)),
            Err(why) => {
                self.notes.push(format!("the password file {} is ignored: {why}", file.display()));
            }
        }
    }

    pub(super) fn take_passwords(&mut self, text: &str) {
        for host in &mut self.hosts {
            let name = match &host.place {
                Place::Socket(folder) if folder == Path::new(SOCKET_FOLDER) => "localhost".into(),
                Place::Socket(folder) => folder.to_string_lossy(),
                Place::Network(name) => name.into(),
            };
            let port = host.port.to_string();
            let sought = [&*name, &port, &self.database, &self.user];
            host.password = text.lines().find_map(|line| password(line, sought)).map(Secret);
        }
    }
}

/// The password in a line, if the line is for this server. A backslash escapes the next character.
fn password(line: &str, sought: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut chars = line.chars();
    for sought in sought {
        let (mut field, mut is_any) = (String::new(), false);
        loop {
            match chars.next()? {
                ':' => break,
                '\\' => field.push(chars.next()?),
                c => {
                    is_any = c == '*' && field.is_empty();
                    field.push(c);
                }
            }
        }
        if !(is_any && field == "*") && field != sought {
            return None;
        }
    }
    let mut password = String::new();
    while let Some(c) = chars.next() {
        password.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    Some(password).filter(|password| !password.is_empty())
}
