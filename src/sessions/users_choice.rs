//! Chooses the table of the site's users, if the operator named none. Foreign keys of other tables show which
//! one it is, and reading the catalog takes no right to any table.

use std::collections::BTreeMap;

use crate::store::{Evidence, Table, Users, UsersFound};

/// The table of Django's own user model. A project that switched to a model of its own may have left one
/// behind.
const OF_DJANGO: &str = "auth_user";

/// The result of the choice.
pub(crate) enum Choice {
    Nothing,
    One(Users, Evidence),
    Several(Vec<(Users, Evidence)>),
}

impl Choice {
    /// Chooses among the candidates. Django finds its tables along the search path, which led the site to its
    /// sessions. So of tables with one name that in the nearest schema counts, from that of the sessions on; a
    /// schema in front of it may be on the operator's path only.
    pub(crate) fn of(found: Vec<UsersFound>) -> Self {
        let (behind, before): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|found| found.place >= 0);
        let refers = |found: &&UsersFound| found.evidence > Evidence::Shape;
        let near = behind.iter().filter(refers).map(|found| found.place).min();
        let near = near.or_else(|| behind.iter().map(|found| found.place).min());
        let Some(near) = near else { return Self::Nothing };
        let nearest = behind.iter().filter(|found| {
            let is_hidden = behind.iter().any(|other| other.hides(found));
            !is_hidden && (found.evidence > Evidence::Shape || found.place <= near)
        });
        let mut tables = Tables::default();
        nearest.for_each(|found| tables.add(found.clone()));
        tables.drop_parents();
        tables.drop_left_behind();
        let strongest = tables.strongest();
        let rivals = before
            .into_iter()
            .filter(|found| found.evidence > Evidence::Shape || strongest == Some(Evidence::Shape));
        rivals.for_each(|found| tables.add(found));
        let mut all: Vec<_> =
            tables.0.into_values().map(|found| (found.users, found.evidence)).collect();
        match (all.pop(), all.is_empty()) {
            (None, _) => Self::Nothing,
            (Some((users, evidence)), true) => Self::One(users, evidence),
            (Some(last), false) => {
                all.push(last);
                Self::Several(all)
            }
        }
    }
}

/// Each candidate once, with its strongest evidence.
#[derive(Default)]
struct Tables(BTreeMap<Table, UsersFound>);

impl Tables {
    fn add(&mut self, found: UsersFound) {
        let table = found.users.table.clone();
        if self.0.get(&table).is_none_or(|known| known.evidence < found.evidence) {
            self.0.insert(table, found);
        }
    }

    fn strongest(&self) -> Option<Evidence> {
        self.0.values().map(|found| found.evidence).max()
    }

    /// Drops parents of candidates. A model that inherits from another one has its parent's key, and the
    /// parent's table has the groups.
    fn drop_parents(&mut self) {
        let children = self.0.values().filter(|found| found.evidence == Evidence::Referred);
        let parents: Vec<Table> = children.filter_map(|found| found.parent.clone()).collect();
        for parent in parents {
            self.0.remove(&parent);
        }
    }

    /// Drops Django's default table if one of another name has stronger evidence: a site that uses the default
    /// table has foreign keys that refer to it. Those of another schema's default table may be old.
    fn drop_left_behind(&mut self) {
        let strongest = self.strongest().filter(|strongest| *strongest > Evidence::Shape);
        let is_of_project = |(table, found): (&Table, &UsersFound)| {
            Some(found.evidence) == strongest && !is_of_django(table)
        };
        if self.0.iter().any(is_of_project) {
            self.0.retain(|table, found| Some(found.evidence) == strongest || !is_of_django(table));
        }
    }
}

/// Why this is a table of users, for messages.
pub(crate) fn why(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Shape => "it has the columns of Django's users, and no foreign key tells",
        Evidence::Groups => "the tables of groups and permissions refer to it",
        Evidence::Referred => "foreign keys of the site refer to it",
    }
}

/// Whether the table has the name of Django's default.
pub(crate) fn is_of_django(table: &Table) -> bool {
    table.name().eq_ignore_ascii_case(OF_DJANGO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(table: &str, evidence: Evidence, place: i32) -> UsersFound {
        let mut users = Users::beside(&Table::default());
        users.table = table.parse().unwrap();
        UsersFound { users, evidence, place, parent: None }
    }

    fn chosen(all: &[UsersFound]) -> String {
        match Choice::of(all.to_vec()) {
            Choice::Nothing => String::new(),
            Choice::One(users, _) => users.table.to_string(),
            Choice::Several(all) => {
                let names: Vec<_> = all.iter().map(|(users, _)| users.table.to_string()).collect();
                names.join(" ")
            }
        }
    }

    #[test]
    fn foreign_keys_tell_which_table_is_in_use() {
        use Evidence::{Groups, Referred, Shape};
        let (old, own) = ("auth_user", "acc_user");
        for (all, expected) in [
            (vec![], ""),
            (vec![found(old, Shape, 0)], old),
            (vec![found(own, Shape, 0)], own),
            (vec![found(old, Shape, 0), found(own, Shape, 0)], "acc_user auth_user"),
            (vec![found(old, Shape, 0), found(own, Groups, 0)], own),
            (vec![found(old, Groups, 0), found(own, Referred, 0), found(own, Groups, 0)], own),
            // The admin log may be older than the site's own user model.
            (vec![found(old, Referred, 0), found(own, Groups, 0)], "acc_user auth_user"),
            (vec![found(old, Referred, 0), found(own, Shape, 0)], "acc_user auth_user"),
            (vec![found(old, Groups, 0), found(own, Groups, 0)], "acc_user auth_user"),
        ] {
            assert_eq!(chosen(&all), expected, "{all:?}");
        }
    }

    #[test]
    fn the_nearest_schema_decides_and_one_in_front_is_a_rival() {
        use Evidence::{Groups, Referred, Shape};
        let (t1, public) = ("t1.auth_user", "public.auth_user");
        for (all, expected) in [
            (vec![found(t1, Groups, 0), found(public, Referred, 1)], t1),
            (vec![found(t1, Shape, 0), found(public, Shape, 1)], t1),
            // Foreign keys of t1 refer to public, but Django finds t1 first.
            (
                vec![found(public, Referred, 0), found(t1, Shape, 0)],
                "public.auth_user t1.auth_user",
            ),
            (
                vec![found(public, Referred, 0), found(t1, Groups, 0)],
                "public.auth_user t1.auth_user",
            ),
            (
                vec![found(public, Referred, 0), found("acc.acc_user", Groups, 1)],
                "acc.acc_user public.auth_user",
            ),
            (vec![found("t1.acc", Shape, 0), found(public, Groups, 1)], "public.auth_user t1.acc"),
            (vec![found(public, Groups, 0), found(t1, Shape, -1)], public),
            (
                vec![found(public, Groups, 0), found(t1, Groups, -1)],
                "public.auth_user t1.auth_user",
            ),
            (vec![found(public, Shape, 0), found(t1, Shape, -1)], "public.auth_user t1.auth_user"),
            (vec![found(t1, Groups, -1)], ""),
        ] {
            assert_eq!(chosen(&all), expected, "{all:?}");
        }
    }

    #[test]
    fn a_model_that_inherits_is_meant_and_not_its_parent() {
        let parent = found("acc_person", Evidence::Groups, 0);
        let child = UsersFound {
            parent: Some(parent.users.table.clone()),
            ..found("acc_staff", Evidence::Referred, 0)
        };
        assert_eq!(chosen(&[parent, child]), "acc_staff");
    }
}
