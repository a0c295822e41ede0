use std::error::Error;
use std::path::Path;

use rusqlite::{Connection, params};

use crate::plan::Plan;

/// What `manage.py migrate` of Django 5.2 makes.
const TABLE: &str = r#"
    CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" datetime NOT NULL);
    CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date");"#;
/// If it fails the file is worth nothing, so nothing is kept safe meanwhile.
const FAST: &str =
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000;";

/// Makes the file. The indexes grow with the table, as those of a site do.
pub(crate) fn write(file: &Path, plan: &Plan, secret_key: &str) -> Result<(), Box<dyn Error>> {
    let mut connection = Connection::open(file)?;
    connection.execute_batch(FAST)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLE)?;
    {
        let mut insert = transaction.prepare("INSERT INTO django_session VALUES (?1, ?2, ?3)")?;
        plan.sessions(secret_key, |session| {
            insert.execute(params![session.key, session.data, session.expire_date()])?;
            Ok(())
        })?;
    }
    transaction.commit()?;
    Ok(())
}
