//! `django-code`: an app with which the site fills the user column itself. Needs no database.

mod names;

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::Ctx;
use crate::cli::{ColumnType, DjangoCode};
use crate::error::{Error, Exit};

/// Where each file goes in the app's folder, and its text.
const FILES: [(&str, &str); 8] = [
    ("README.md", include_str!("app/README.md")),
    ("__init__.py", include_str!("app/__init__.py")),
    ("apps.py", include_str!("app/apps.py")),
    ("models.py", include_str!("app/models.py")),
    ("db.py", include_str!("app/db.py")),
    ("cached_db.py", include_str!("app/cached_db.py")),
    ("migrations/__init__.py", include_str!("app/migrations/__init__.py")),
    ("migrations/0001_initial.py", include_str!("app/migrations/0001_initial.py")),
];

pub(super) fn run(ctx: &mut Ctx<'_>, args: &DjangoCode) -> Result<Exit, Error> {
    let app = App {
        name: &args.app,
        label: names::label(&args.app)?,
        column: names::column(&args.column)?,
        column_type: args.column_type,
    };
    match &args.output {
        Some(folder) => {
            app.write(folder)?;
            ctx.talk.note(&format!(
                "what to do with the app is said in {}",
                folder.join("README.md").display()
            ));
        }
        None => app.print(&mut ctx.out)?,
    }
    Ok(Exit::Done)
}

struct App<'a> {
    name: &'a str,
    label: &'a str,
    column: &'a str,
    column_type: ColumnType,
}

impl App<'_> {
    fn print(&self, out: &mut dyn Write) -> Result<(), Error> {
        let folder = self.name.replace('.', "/");
        for (number, (path, template)) in FILES.iter().enumerate() {
            let gap = if number == 0 { "" } else { "\n" };
            write!(out, "{gap}# ==> {folder}/{path}\n{}", self.fill(template))?;
        }
        Ok(())
    }

    fn write(&self, folder: &Path) -> Result<(), Error> {
        if folder.file_name().is_none_or(|name| name != self.label) {
            return Err(Error::usage(
                format!("the app is called \"{}\", and its folder must be so too", self.label),
                "give --output with that folder at its end, or another --app",
            ));
        }
        fs::create_dir(folder).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Error::usage(
                format!("{} exists already", folder.display()),
                "nothing is overwritten: name a folder that does not exist yet",
            ),
            _ => Error::cannot_write(folder, error),
        })?;
        let migrations = folder.join("migrations");
        fs::create_dir(&migrations).map_err(|error| Error::cannot_write(&migrations, error))?;
        for (path, template) in FILES {
            let path = folder.join(path);
            File::create_new(&path)
                .and_then(|mut file| file.write_all(self.fill(template).as_bytes()))
                .map_err(|error| Error::cannot_write(&path, error))?;
        }
        Ok(())
    }

    /// No name holds a brace, so none can be taken for a place to fill.
    fn fill(&self, template: &str) -> String {
        let (column_type, field) = match self.column_type {
            ColumnType::Text => ("text", "TextField"),
            ColumnType::Bigint => ("bigint", "BigIntegerField"),
            ColumnType::Uuid => ("uuid", "UUIDField"),
        };
        template
            .replace("{{app}}", self.name)
            .replace("{{label}}", self.label)
            .replace("{{column}}", self.column)
            .replace("{{type}}", column_type)
            .replace("{{field}}", field)
    }
}
