//! Which rows a scan asks for, as SQL and as a last check.

use mysql_async::{Row, Value};

use super::MySql;
use super::catalog::Found;
use super::row::{bytes, columns, push};
use super::sql::quote;
use super::user_column::{condition, shown};
use crate::model::{Data, Page};
use crate::store::{ByUser, Filter, StoreError, WallClock};

/// Which rows a scan asks for, with the values of the statement.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    parts: Vec<String>,
    pub(super) values: Vec<Value>,
    /// What no collation may decide.
    key_prefix: Option<String>,
    user: Option<ByUser>,
}

impl Conditions {
    pub(super) fn of(filter: &Filter, store: &MySql, found: &Found) -> Result<Self, StoreError> {
        let (key_prefix, user) = (filter.key_prefix.clone(), filter.user.clone());
        let mut conditions = Self { key_prefix, user, ..Self::default() };
        if let Some(now) = filter.live_at {
            let bound = super::comparable(store.clock.live_bound(now), now)?;
            conditions.add("s.expire_date > CAST(? AS DATETIME(6))".into(), bound.into());
        }
        // Of letters in either case, and only to read fewer rows. A column that is not Unicode cannot be compared with other letters.
        if let Some(prefix) = filter.key_prefix.as_ref().filter(|prefix| prefix.is_ascii()) {
            let mut like: String = prefix
                .chars()
                .flat_map(|c| ['|'].into_iter().filter(move |_| "|%_".contains(c)).chain([c]))
                .collect();
            like.push('%');
            conditions.add("s.session_key LIKE ? ESCAPE '|'".into(), like.into());
        }
        let user = filter.user.as_ref();
        let user = user.and_then(|by| condition(by, found.column(&by.column.name)));
        if let Some((part, values)) = user {
            conditions.parts.push(part);
            conditions.values.extend(values);
        }
        Ok(conditions)
    }

    pub(super) fn add(&mut self, part: String, value: Value) {
        self.parts.push(part);
        self.values.push(value);
    }

    pub(super) fn sql(&self) -> String {
        if self.parts.is_empty() {
            return String::new();
        }
        format!(" WHERE {}", self.parts.join(" AND "))
    }

    /// The columns to read: those of a row with data of at most `most` bytes, and the user column.
    pub(super) fn columns(&self, most: usize) -> String {
        let user = self.user.as_ref().map(|by| format!(", s.{}", quote(&by.column.name)));
        format!("{}{}", columns(most), user.unwrap_or_default())
    }

    /// Puts a row into a page, if it is what was asked for. A collation finds others, too.
    pub(super) fn push(&self, page: &mut Page, clock: &WallClock, row: &Row, data: Data<&[u8]>) {
        let prefix = self.key_prefix.as_deref().unwrap_or_default();
        if !bytes(row, 0).starts_with(prefix.as_bytes()) {
            return;
        }
        let Some(by) = &self.user else { return push(page, clock, row, data, None) };
        let user = row.as_ref(4).and_then(|value| shown(by.column.kind, value));
        if by.condition.include(user.as_deref()) {
            push(page, clock, row, data, user.as_deref().map(str::as_bytes));
        }
    }
}
