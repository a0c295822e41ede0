//! What stores promise that write sessions anew.

use super::*;

#[test]
fn rows_are_read_and_replaced_if_they_are_what_they_were() {
    each_that_can(Capability::Rewrite, "replace", |subject| {
        let odd = "'; DROP TABLE django_session; -- \\ \" é {1,2}";
        (subject.add)(&[("a", "old", 1), ("b", odd, 2), ("c", "old", 3)]);
        let mut writer = subject.store.writer(consent()).unwrap();
        let page = writer.read(&["b", "nosuch", "a"]).unwrap();
        let mut read: Vec<_> = page.rows().map(|row| (row.key, row.data, row.expires)).collect();
        read.sort_by_key(|(key, ..)| *key);
        let old = [("a", "old", 1), ("b", odd, 2)];
        assert_eq!(read, old.map(|(key, data, s)| (key, Data::Text(data), Expiry::At(at(s)))));
        let [old, odd_was, other] = ["old", odd, "other"].map(Was::from);
        let new = |key, old, new| Replacement { key, old, new };
        let replaced = [
            new("a", &old, "new a"),
            new("b", &odd_was, odd.trim_start_matches('\'')),
            new("c", &other, "lost"),
            new("nosuch", &old, "lost"),
        ];
        assert_eq!(writer.replace(&replaced).unwrap(), 2);
        assert_eq!(writer.replace(&replaced).unwrap(), 0);
        assert_eq!(writer.replace(&[]).unwrap(), 0);
        assert!(writer.read(&[]).unwrap().is_empty());
        drop(writer);
        let rows = subject.rows(&Filter::default());
        let rows: Vec<_> = rows.iter().map(|(key, data, at)| (&**key, &**data, *at)).collect();
        assert_eq!(
            rows,
            [
                ("a", "new a", Expiry::At(at(1))),
                ("b", &odd[1..], Expiry::At(at(2))),
                ("c", "old", Expiry::At(at(3)))
            ]
        );
    });
}

#[test]
fn what_is_too_large_to_be_kept_is_compared_all_the_same() {
    let _much = MEMORY.write();
    each_that_can(Capability::Rewrite, "large_replace", |subject| {
        let most = &*"x".repeat(MOST_DATA_BYTES);
        subject.add("c", most, 0);
        let mut writer = subject.store.writer(consent()).unwrap();
        let was = Was::from(most);
        assert!(was.text().is_none());
        let replace = |new| [Replacement { key: "c", old: &was, new }];
        assert_eq!(writer.replace(&replace("another")).unwrap(), 1);
        assert_eq!(writer.replace(&replace("late")).unwrap(), 0);
        let left = writer.read(&["c"]).unwrap();
        assert_eq!(left.rows().next().unwrap().data, Data::Text("another"));
    });
}
