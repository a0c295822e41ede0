//! Foreign keys of other tables that point at the session table, as far as the account may see them, and the rows that
//! they keep.

use mysql_async::Row;

use super::MySql;
use super::catalog::named;
use super::client::Client;
use super::fault::{Failure, fail};
use super::keys::Named;
use super::row::{number, text};
use super::sql::{quote, quoted};
use crate::store::reference::{columns, hindrances, kept};
use crate::store::{Kept, Reference, StoreError, Table};

/// Those of tables in the same database. Of a table to which the account has no right nothing is listed. InnoDB checks a
/// foreign key at once, so NO ACTION is RESTRICT, and it knows no SET DEFAULT.
const REFERENCES: &str = "
    SELECT k.table_name, k.constraint_name, k.column_name, k.referenced_column_name, r.delete_rule, k.table_schema
    FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r
      ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name
    WHERE k.table_schema = COALESCE(?, DATABASE()) AND k.referenced_table_schema = k.table_schema
      AND k.referenced_table_name = ? ORDER BY k.table_name, k.constraint_name, k.ordinal_position";

/// The alias of the other table in conditions.
const OTHER: &str = "sessctl_other";

impl MySql {
    /// The foreign keys that point at the table.
    pub(super) fn references(&self, client: &mut Client) -> Result<Vec<Reference>, StoreError> {
        let rows = client.query(REFERENCES, named(&self.table));
        let rows = rows.map_err(|failure| fail(failure, self.what("read")))?;
        let schema = rows.first().map(|row| text(row, 5)).unwrap_or_default();
        let mut found: Vec<(String, Reference)> = Vec::new();
        for row in &rows {
            let (table, name) = (text(row, 0), text(row, 1));
            let (column, key, on_delete) = (text(row, 2), text(row, 3), text(row, 4));
            let equal = format!("s.{} = {OTHER}.{}", quote(&key), quote(&column));
            match found.last_mut() {
                Some((last, reference)) if reference.table == table && *last == name => {
                    reference.columns.push(column);
                    let refers = reference.refers.get_or_insert_default();
                    refers.push_str(" AND ");
                    refers.push_str(&equal);
                }
                _ => {
                    let takes_sessions = on_delete == "CASCADE" && table == self.table.name();
                    let hinders = takes_sessions || !["CASCADE", "SET NULL"].contains(&&*on_delete);
                    let reference = Reference {
                        table,
                        columns: vec![column],
                        on_delete,
                        hinders,
                        is_deleted: false,
                        refers: Some(equal),
                    };
                    found.push((name, reference));
                }
            }
        }
        let in_full = |(_, mut reference): (String, Reference)| {
            reference.is_deleted = self.deletes_references(&schema, &reference);
            let table = quoted(&self.table.beside(&reference.table));
            reference.refers = reference
                .refers
                .map(|equal| format!("EXISTS (SELECT 1 FROM {table} {OTHER} WHERE {equal})"));
            reference
        };
        let mut found: Vec<Reference> = found.into_iter().map(in_full).collect();
        for reference in &mut found {
            let other = self.table.beside(&reference.table);
            if !may_read(client, &other, reference)
                .map_err(|failure| fail(failure, self.what("read")))?
            {
                reference.refers = None;
            }
        }
        Ok(found)
    }
}

/// Whether the account may read the columns that refer.
fn may_read(client: &mut Client, other: &Table, reference: &Reference) -> Result<bool, Failure> {
    let columns: Vec<String> = reference.columns.iter().map(|column| quote(column)).collect();
    let sql = format!("SELECT {} FROM {}", columns.join(", "), quoted(other));
    Ok(super::session::refused(client.prepare(&sql))?.is_some())
}

/// Of these rows, those that another table keeps.
pub(super) fn kept_rows(
    client: &mut Client,
    named: &Named,
    references: &[Reference],
) -> Result<Kept, Failure> {
    let mut found = Kept::default();
    let hindrances = hindrances(references);
    let Some(kept) = kept(&hindrances) else { return Ok(found) };
    let each = columns(&hindrances);
    let sql = format!("{} AND {kept}", named.select(&format!("s.session_key{each}")));
    for row in client.query(&sql, named.values.clone())? {
        found.rows.insert(text(&row, 0));
        let by = hindrances.iter().enumerate().filter(|(place, _)| is_true(&row, place + 1));
        found.by.extend(by.map(|(_, (table, _))| (*table).to_owned()));
    }
    Ok(found)
}

fn is_true(row: &Row, at: usize) -> bool {
    number(row, at).is_some_and(|number| number > 0)
}
