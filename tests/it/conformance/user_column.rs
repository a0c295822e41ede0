//! What stores promise that keep a column which says whose a session is.

use super::*;

/// A column and two ids that it can hold.
fn columns() -> [(UserColumn, [&'static str; 2]); 3] {
    let column = |name: &str, kind| UserColumn {
        name: name.into(),
        kind,
        width: None,
        indexed: false,
        users: None,
    };
    let uuids = ["0fce2a16-9b84-4c29-9d9f-2f2f9d0b0a11", "12345678-1234-1234-1234-123456789012"];
    [
        (column("user_id", UserType::Bigint), ["42", "-9223372036854775808"]),
        (column("a\"b' ; --", UserType::Text), ["042", "o'clock \\ \" é {1,2}"]),
        (column("é", UserType::Uuid), uuids),
    ]
}

/// On every store and with every type of column.
fn each_column(name: &str, test: impl Fn(&Subject<'_>, &UserColumn, [&str; 2])) {
    for (number, (column, ids)) in columns().into_iter().enumerate() {
        each_that_can(Capability::UserColumn, &format!("{name}_{number}"), |subject| {
            test(subject, &column, ids);
        });
    }
}

/// Keys and what the column says of them.
fn stamped(subject: &Subject<'_>, filter: &Filter) -> Vec<(String, Option<String>)> {
    let mut rows = Vec::new();
    let emit = &mut |mut page: Page| {
        rows.extend(page.rows().map(|row| (row.key.to_owned(), row.user.map(str::to_owned))));
        page.clear();
        ControlFlow::Continue(page)
    };
    subject.store.reader().unwrap().scan(filter, emit).unwrap();
    rows.sort();
    rows
}

fn by(column: &UserColumn, condition: ColumnCondition, in_pages: bool) -> Filter {
    let user = Some(ByUser { column: column.clone(), condition });
    Filter { user, in_pages, ..Filter::default() }
}

#[test]
fn a_user_column_is_added_once_and_indexed_once() {
    each_column("column", |subject, column, _| {
        let find = || subject.store.reader().unwrap().user_column(&column.name).unwrap();
        let mut writer = subject.store.writer(consent()).unwrap();
        assert_eq!(find(), None);
        writer.add_user_column(column).unwrap();
        assert_eq!(find().as_ref(), Some(column));
        writer.add_user_column(column).unwrap();
        writer.index_user_column(column).unwrap();
        let indexed = UserColumn { indexed: true, ..column.clone() };
        assert_eq!(find().as_ref(), Some(&indexed));
        writer.index_user_column(column).unwrap();
        assert_eq!(find(), Some(indexed));
        assert_eq!(subject.store.reader().unwrap().user_column("another").unwrap(), None);
    });
}

#[test]
fn users_are_assigned_to_rows_that_are_what_they_were() {
    each_column("assign", |subject, column, [one, two]| {
        (subject.add)(&[("a", "data", 1), ("b", "data", 2), ("c", "changed", 3), ("d", "data", 4)]);
        let mut writer = subject.store.writer(consent()).unwrap();
        writer.add_user_column(column).unwrap();
        let data = &Was::from("data");
        let to = |user| ["a", "b", "c", "nosuch"].map(|key| Assignment { key, data, user });
        let told = || {
            let told = stamped(subject, &by(column, ColumnCondition::Any, false));
            told.into_iter()
                .map(|(key, user)| format!("{key} {}", user.unwrap_or_default()))
                .collect::<Vec<_>>()
        };
        let says =
            |a: &str, b: &str| [format!("a {a}"), format!("b {b}"), "c ".into(), "d ".into()];
        assert_eq!(writer.assign(column, &[], false).unwrap().rows, 0);
        assert_eq!(writer.assign(column, &to(Some(one))[..1], false).unwrap().rows, 1);
        assert_eq!(told(), says(one, ""));
        assert_eq!(writer.assign(column, &to(Some(two)), false).unwrap().rows, 1);
        assert_eq!(told(), says(one, two));
        assert_eq!(writer.assign(column, &to(Some(two)), false).unwrap().rows, 0);
        assert_eq!(writer.assign(column, &to(Some(one)), true).unwrap().rows, 1);
        assert_eq!(told(), says(one, one));
        assert_eq!(writer.assign(column, &to(Some(one)), true).unwrap().rows, 0);
        assert_eq!(writer.assign(column, &to(None)[1..], true).unwrap().rows, 1);
        assert_eq!(told(), says(one, ""));
        drop(writer);
        let data: Vec<_> = subject.rows(&Filter::default()).into_iter().map(|row| row.1).collect();
        assert_eq!(data, ["data", "data", "changed", "data"]);
    });
}

#[test]
fn a_scan_returns_the_rows_of_which_the_column_says_this() {
    each_column("stamps", |subject, column, [one, two]| {
        let keys: Vec<String> = (0..2_500).map(|n| format!("{n:06}")).collect();
        (subject.add)(&keys.iter().map(|key| (&**key, "data", 0)).collect::<Vec<_>>());
        let mut writer = subject.store.writer(consent()).unwrap();
        writer.add_user_column(column).unwrap();
        let user = |n: usize| [None, Some(one), Some(two), Some(two)][n % 4];
        let data = &Was::from("data");
        let assign = |(n, key)| Some(Assignment { key, data, user: Some(user(n)?) });
        let assigned: Vec<_> =
            keys.iter().map(String::as_str).enumerate().filter_map(assign).collect();
        assert_eq!(writer.assign(column, &assigned, false).unwrap().rows, 1_875);
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        for indexed in [false, true] {
            if indexed {
                writer.index_user_column(column).unwrap();
            }
            let column = &UserColumn { indexed, ..column.clone() };
            for (condition, included) in [
                (ColumnCondition::Any, vec![None, Some(one), Some(two)]),
                (ColumnCondition::Missing, vec![None]),
                (ColumnCondition::OneOf(ids(&[])), vec![]),
                (ColumnCondition::OneOf(ids(&[one])), vec![Some(one)]),
                (ColumnCondition::OneOf(ids(&[one, two])), vec![Some(one), Some(two)]),
            ] {
                let told = |n: usize| (keys[n].clone(), user(n).map(str::to_owned));
                let truth: Vec<_> =
                    (0..keys.len()).filter(|n| included.contains(&user(*n))).map(told).collect();
                for in_pages in [false, true] {
                    let found = stamped(subject, &by(column, condition.clone(), in_pages));
                    assert_eq!(
                        found, truth,
                        "{condition:?} indexed: {indexed}, in pages: {in_pages}"
                    );
                }
            }
            for users in [ids(&[one, two]), ids(&[two, one])] {
                let mut pages = 0;
                let broken_off = &mut |_: Page| {
                    pages += 1;
                    ControlFlow::Break(())
                };
                let filter = by(column, ColumnCondition::OneOf(users), false);
                subject.store.reader().unwrap().scan(&filter, broken_off).unwrap();
                assert_eq!(pages, 1, "it went on");
            }
        }
    });
}
