//! The rights that `logout-user --revoke-tokens` needs on tables of packages.

use tokio_postgres::types::{ToSql, Type};

use super::Subject;
use crate::store::postgres::Postgres;
use crate::store::postgres::client::Client;
use crate::store::postgres::fault::fail;
use crate::store::postgres::grants::printable;
use crate::store::table::quote;
use crate::store::{CREDENTIALS, CredentialPlace, StoreError, Table, Users};

const WHY: &str = "logout-user --revoke-tokens";

/// Which of the tables `$2` exist in the schema `$1`, each with the sequence of a `serial` key. An identity column takes no right
/// to its sequence.
const THERE: &str = "
    SELECT c.relname::text,
           (SELECT pg_catalog.format('%I.%I', n.nspname, s.relname)
            FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
            WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid AND d.deptype = 'a' LIMIT 1)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = ANY($2)";

impl Postgres {
    /// One GRANT for each set of rights.
    pub(super) fn token_grants(
        &self,
        client: &mut Client,
        subject: &Subject,
        users: Option<&Users>,
        role: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        let cannot = |error| fail(error, self.what("see the rights to"));
        let own = client.query_typed_one("SELECT current_user::text", &[]).map_err(cannot)?;
        let own: String = own.try_get(0).map_err(cannot)?;
        let role = quote(role.unwrap_or(&own));
        let mut grants = Vec::new();
        for table in CREDENTIALS {
            let beside = subject.table.schema().unwrap_or_default();
            let schema = match self.credential_place(client, subject.oid, table, users)? {
                CredentialPlace::Beside => beside.to_owned(),
                CredentialPlace::In(schema) => schema,
                CredentialPlace::Unclear(_) => continue,
            };
            let rights = table.rights(quote);
            let names: Vec<&str> = rights.iter().map(|(name, _)| *name).collect();
            let values: [(&(dyn ToSql + Sync), Type); 2] =
                [(&schema, Type::TEXT), (&names, Type::TEXT_ARRAY)];
            let there = client.query_typed(THERE, &values).map_err(cannot)?;
            if there.len() < names.len() {
                continue;
            }
            let usage = format!("GRANT USAGE ON SCHEMA {} TO {role}; -- {WHY}", quote(&schema));
            if schema != beside && !grants.contains(&usage) {
                grants.push(usage);
            }
            for (name, rights) in rights {
                let table = Table::new(Some(schema.clone()), name.into()).quoted();
                grants.push(format!("GRANT {rights} ON {table} TO {role}; -- {WHY}"));
            }
            for row in there {
                let name: String = row.try_get(0).map_err(cannot)?;
                let sequence: Option<String> = row.try_get(1).map_err(cannot)?;
                if let Some(sequence) = sequence.filter(|_| table.list() == Some(&*name)) {
                    grants.push(format!("GRANT USAGE ON SEQUENCE {sequence} TO {role}; -- {WHY}"));
                }
            }
        }
        Ok(grants.iter().map(|grant| printable(grant)).collect())
    }
}
