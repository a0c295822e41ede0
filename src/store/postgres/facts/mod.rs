//! What `doctor` checks on the server. Everything comes from catalogs and statistics that need no right to
//! the table. What the role may not see is reported, and ends no check.

mod activity;
mod indexes;
mod rights;
mod server;
mod shape;
mod snapshots;
mod token_rights;

use std::error::Error as _;

use tokio_postgres::Error;

use self::rights::Rights;
use super::Postgres;
use super::fault::fail;
use crate::model::{Finding, shell_word};
use crate::store::facts::{Facts, not_made, reference_finding};
use crate::store::postgres::client::Client;
use crate::store::table::missing;
use crate::store::{Purpose, StoreError, Table, Users};

/// The table, as the catalog describes it.
struct Subject {
    oid: u32,
    /// The full name.
    table: Table,
    /// `relkind`.
    kind: String,
    owner: String,
    /// Whether its name without a schema finds it.
    visible: bool,
    bytes: i64,
    /// The planner's estimate; negative if there is none.
    rows: f32,
    row_security: RowSecurity,
    /// Whether reading it would run code of other roles with a superuser's rights.
    is_trap: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum RowSecurity {
    Off,
    /// On, but not for this role.
    ForOthers,
    Active,
}

impl Postgres {
    pub(super) fn gather_facts(&self) -> Result<Facts, StoreError> {
        let mut reached = self.reach()?;
        self.refuse_views(&mut reached.client)
            .map_err(|error| fail(error, self.what("look for")))?;
        let mut facts = Facts::default();
        let findings = &mut facts.findings;
        findings.push(made("connection", self.role(&mut reached)));
        findings.push(made("server", server::version(&mut reached.client)));
        findings.push(server::encryption(reached.tls, &reached.host, self.conninfo.tls.mode));
        let client = &mut reached.client;
        findings.push(made("replica", server::replica(client)));
        // If the list cannot be read, the finding is only less detailed.
        let alike = self.find_alike(client).unwrap_or_default();
        match self.subject(client, &alike) {
            Ok(Ok(mut subject)) => self.check(client, &mut subject, &mut facts),
            Ok(Err(finding)) => facts.findings.push(finding),
            Err(error) => facts.findings.push(not_made("table", &error)),
        }
        facts.findings.push(made("snapshots", snapshots::describe(client)));
        facts.findings.push(made("replication", activity::replication(client)));
        Ok(facts)
    }

    pub(super) fn gather_grants(
        &self,
        purposes: &[Purpose],
        users: Option<&Users>,
        role: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        let mut reached = self.reach()?;
        let client = &mut reached.client;
        let Ok(subject) = self.subject(client, &[])? else { return Ok(Vec::new()) };
        let mut find = || {
            let rights = Rights::of(client, &subject)?;
            let users = users.map(|users| rights::known(client, users)).transpose()?.flatten();
            Ok(rights.grants(purposes, users.as_ref(), role))
        };
        let mut grants = find().map_err(|error| fail(error, self.what("see the rights to")))?;
        if purposes.contains(&Purpose::RevokeTokens) {
            grants.extend(self.token_grants(client, &subject, users, role)?);
        }
        Ok(grants)
    }

    fn check(&self, client: &mut Client, subject: &mut Subject, facts: &mut Facts) {
        let findings = &mut facts.findings;
        findings.push(subject.describe());
        findings.extend(self.describe_trust(client, subject));
        let subject = &*subject;
        findings.push(made("columns", shape::columns(client, subject)));
        match indexes::Indexes::of(client, subject.oid) {
            Ok(indexes) => {
                facts.expiry_indexed = indexes.finds_expiry();
                findings.push(made("indexes", indexes.describe(client, subject)));
            }
            Err(error) => findings.push(made("indexes", Err(error))),
        }
        match Rights::of(client, subject) {
            Ok(rights) => findings.push(rights.describe()),
            Err(error) => findings.push(made("privileges", Err(error))),
        }
        findings.push(subject.describe_row_security());
        findings.push(made("triggers", shape::triggers(client, subject)));
        findings.push(self.references(client, subject.oid).map_or_else(
            |error| not_made("foreign-keys", &error),
            |found| reference_finding(&found),
        ));
        findings.push(made("vacuum", activity::vacuum(client, subject)));
        findings.push(made("locks", activity::locks(client, subject.oid)));
    }

    /// The finding about code of other roles that would run with a superuser's rights, if there is such code.
    fn describe_trust(&self, client: &mut Client, subject: &mut Subject) -> Option<Finding> {
        let error = self.demand_trust(client, &[subject.oid], true, String::new).err()?;
        subject.is_trap = true;
        let text = error.source().map(ToString::to_string).unwrap_or_default();
        Some(Finding::problem("superuser", text, error.next_step().unwrap_or_default()))
    }

    /// The session table, or a finding that says why there is none.
    fn subject(
        &self,
        client: &mut Client,
        alike: &[String],
    ) -> Result<Result<Subject, Finding>, StoreError> {
        let found = Subject::named(client, &self.table)
            .map_err(|error| fail(error, self.what("look for")))?;
        let mut found = found.into_iter();
        let (first, others) = (found.next(), found.len());
        Ok(match first {
            Some(subject) if subject.visible || others == 0 => Ok(subject),
            Some(subject) => Err(Finding::problem(
                "table",
                format!(
                    "no table \"{}\" in the search path, but {} in other schemas",
                    self.table,
                    others + 1
                ),
                format!(
                    "name one with --table, such as --table {}",
                    shell_word(&subject.table.to_string())
                ),
            )),
            None => {
                let error = missing(&self.table, &self.server(), alike);
                let hint = error.next_step().unwrap_or_default();
                Err(Finding::problem("table", error.to_string(), hint))
            }
        })
    }
}

/// A finding, or one that says why the check failed.
fn made(check: &'static str, found: Result<Finding, Error>) -> Finding {
    found.unwrap_or_else(|error| {
        // The hints of errors are about the table.
        Finding {
            next_step: None,
            ..not_made(check, &fail(error, "could not be found out".into()))
        }
    })
}
