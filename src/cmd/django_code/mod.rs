//! `django-code`: prints a Django app by which the site itself fills the user column. If a database is given, the type of the
//! column is read from it.

mod names;

use std::io::{ErrorKind, Write};
use std::path::Path;

use super::Command;
use crate::cli::{ColumnType, DjangoCode};
use crate::context::Ctx;
use crate::error::{Error, Exit};
use crate::files::{Folder, as_operator};
use crate::sessions::site_users::users;
use crate::settings::probe;
use crate::store::{BACKENDS, Store, UserColumn, UserType};

/// The files of the app: path in its folder, and text.
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

impl Command for DjangoCode {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        if self.probe {
            out.write_all(probe(BACKENDS).as_bytes())?;
            return Ok(Exit::Done);
        }
        if let Some(key) = ctx.global.user_keys.iter().find(|key| *key != "_auth_user_id") {
            return Err(Error::usage(
                format!(
                    "the app writes what Django's login() puts into a session, and not the key {key:?}"
                ),
                "leave --user-key out, and change `user_of` in the app's models.py",
            ));
        }
        let (label, column) = (names::label(&self.app)?, names::column(&self.column)?);
        let column_type = match self.column_type {
            Some(column_type) => column_type,
            None => column_type(ctx, column)?,
        };
        let app = App { name: &self.app, label, column, column_type };
        match &self.output {
            Some(folder) => {
                as_operator(|| app.write(folder))?;
                ctx.talk.note(&format!(
                    "what to do with the app is said in {}",
                    folder.join("README.md").display()
                ));
            }
            None => app.print(out)?,
        }
        Ok(Exit::Done)
    }
}

/// The type that the column has or should have, from the database. A database that was not named on the
/// command line may be unreachable.
fn column_type(ctx: &Ctx<'_>, column: &str) -> Result<ColumnType, Error> {
    const TEXT: &str = "the app takes the column for text; --type says otherwise";
    let is_named = ctx.global.database.is_some() || ctx.project.is_some();
    let store = match ctx.open() {
        Err(Error::Usage { .. }) if !is_named => {
            ctx.talk.note(&format!("no database was asked: {TEXT}"));
            return Ok(ColumnType::Text);
        }
        opened => opened?,
    };
    match in_database(ctx, &*store, column) {
        Err(error @ Error::Store(_)) if !is_named => {
            ctx.talk.warning(&format!("{error}: {TEXT}"));
            Ok(ColumnType::Text)
        }
        found => found,
    }
}

fn in_database(ctx: &Ctx<'_>, store: &dyn Store, column: &str) -> Result<ColumnType, Error> {
    let mut reader = store.reader()?;
    let kind = match reader.user_column(column)? {
        Some(UserColumn { width: Some(_), .. }) => {
            return Err(Error::usage(
                format!("column \"{column}\" is narrower than what the app writes into it"),
                "make it bigint or text, or let `sessctl backfill` add another --column",
            ));
        }
        Some(found) => found.kind,
        None => {
            let users = users(ctx, &mut *reader).ok();
            let key = users.map(|users| reader.user_key(&users)).transpose()?.flatten();
            key.and_then(|key| key.kind()).unwrap_or(UserType::Text)
        }
    };
    Ok(match kind {
        UserType::Text => ColumnType::Text,
        UserType::Bigint => ColumnType::Bigint,
        UserType::Uuid => ColumnType::Uuid,
    })
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
        let made = Folder::make_new(folder).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Error::usage(
                format!("{} exists already", folder.display()),
                "nothing is overwritten: name a folder that does not exist yet",
            ),
            _ => Error::cannot_write(folder, error),
        })?;
        let cannot = |path| move |error| Error::cannot_write(&folder.join(path), error);
        let migrations = made.make_folder("migrations").map_err(cannot("migrations"))?;
        for (path, template) in FILES {
            let (folder, name) = match path.split_once('/') {
                Some((_, name)) => (&migrations, name),
                None => (&made, path),
            };
            folder.write_new(name, self.fill(template).as_bytes()).map_err(cannot(path))?;
        }
        Ok(())
    }

    /// Names contain no braces, so a name cannot look like a placeholder.
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
