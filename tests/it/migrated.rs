//! Databases as Django's `migrate` leaves them. To make one takes as long as a short test, so `migrate` runs once for all
//! sites that are set up alike, and each gets a copy.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use crate::mysql_server::MySqlDatabase;
use crate::site::Site;
use crate::support::{Database, fresh_database, mysql_url};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    MySql,
}

/// One that no test changes.
pub(crate) enum Migrated {
    /// The file.
    Sqlite(Vec<u8>),
    Postgres(Database),
    MySql(MySqlDatabase),
}

impl Migrated {
    /// The one for sites of this kind with these variables. It is there when this returns.
    pub(crate) fn of(kind: Kind, release: &str, variables: &[(&str, &str)]) -> Arc<OnceLock<Self>> {
        static ALL: Mutex<BTreeMap<String, Arc<OnceLock<Migrated>>>> = Mutex::new(BTreeMap::new());
        let alike = format!("{kind:?} {release} {variables:?}");
        let mut all = ALL.lock().unwrap();
        let number = all.len();
        let one = Arc::clone(all.entry(alike).or_default());
        drop(all);
        one.get_or_init(|| Self::make(&format!("migrated_{number}"), kind, release, variables));
        one
    }

    fn make(name: &str, kind: Kind, release: &str, variables: &[(&str, &str)]) -> Self {
        let mut site = Site::without_database(name, kind, release, variables);
        let file = site.sqlite_file();
        let mut migrate = |url: &str| {
            site.use_database((url.to_owned(), Box::new(())));
            site.python(
                "from django.core.management import call_command as c; c('migrate', run_syncdb=True, verbosity=0)",
            );
        };
        match kind {
            Kind::Sqlite => {
                migrate(&sqlite_url(&file));
                Self::Sqlite(std::fs::read(file).unwrap())
            }
            Kind::Postgres => {
                let database = fresh_database(name);
                migrate(&database.url);
                Self::Postgres(database)
            }
            Kind::MySql => {
                let database = MySqlDatabase::create(&mysql_url(), name);
                migrate(&database.url);
                Self::MySql(database)
            }
        }
    }

    /// A copy with this name, or in this file; its URL for a site, and a guard that it lives as long as.
    pub(crate) fn copy(&self, name: &str, file: &Path) -> (String, Box<dyn Any>) {
        match self {
            Self::Sqlite(bytes) => {
                std::fs::write(file, bytes).unwrap();
                (sqlite_url(file), Box::new(()))
            }
            Self::Postgres(database) => {
                let copy = database.copy(name);
                (copy.url.clone(), Box::new(copy))
            }
            Self::MySql(database) => {
                let copy = database.copy(name);
                (copy.url.clone(), Box::new(copy))
            }
        }
    }
}

fn sqlite_url(file: &Path) -> String {
    format!("sqlite:///{}", file.display())
}

/// Every table with its columns, indexes, constraints and rows, but for the times of migrations; and the next id.
const DESCRIBE: &str = "
from pprint import pprint
from django.contrib.contenttypes.models import ContentType
from django.db import connection
with connection.cursor() as cursor:
    look = connection.introspection
    for table in sorted(look.table_names(cursor)):
        print(table)
        pprint(look.get_table_description(cursor, table))
        pprint(look.get_constraints(cursor, table))
        pprint(look.get_sequences(cursor, table))
        cursor.execute(f'SELECT * FROM {table}')
        pprint(sorted(row[:3] for row in cursor.fetchall()))
print(ContentType.objects.create(app_label='a', model='b').pk)
";

#[test]
fn a_copy_is_what_migrate_makes() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MySql] {
        let copy = Site::new("copied", kind, "5.2", &[]).python(DESCRIBE);
        let original = Migrated::make("migrated_itself", kind, "5.2", &[]);
        let mut site = Site::without_database("original", kind, "5.2", &[]);
        let (url, _guard) = match &original {
            Migrated::Sqlite(_) => original.copy("", &site.sqlite_file()),
            Migrated::Postgres(database) => (database.url.clone(), Box::new(()) as Box<dyn Any>),
            Migrated::MySql(database) => (database.url.clone(), Box::new(()) as Box<dyn Any>),
        };
        site.use_database((url, Box::new(())));
        assert!(copy.lines().count() > 100);
        assert_eq!(copy, site.python(DESCRIBE), "{kind:?}");
    }
}
