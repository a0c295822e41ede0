//! What stores promise that delete rows of other tables with their sessions.

use super::*;

#[test]
fn rows_of_another_table_go_with_their_sessions_and_not_alone() {
    each_that_can(Capability::References, "referring", |subject| {
        let store = &subject.with_referring;
        let checked = || store.reader().unwrap().check_referring();
        let count = |keys: &[&str]| store.reader().unwrap().count_referring(keys).unwrap();
        let hostile = "'; DROP TABLE django_session; --";
        for key in ["a", "b", "c", hostile] {
            subject.add(key, "data", 0);
        }
        assert!(checked().is_err());
        (subject.list)(&["a", "b", "gone", hostile]);
        assert_eq!(checked().unwrap(), [""; 0]);
        assert_eq!(count(&["a", "b", "c", "nosuch"]), [2]);
        assert_eq!(count(&["c"]), [0]);
        let mut writer = store.writer(consent()).unwrap();
        let mut delete = |keys: &[&str]| {
            let mut gone = writer.delete(keys).unwrap();
            gone.referring.resize(1, 0);
            gone
        };
        let none = Gone { referring: vec![0], ..Gone::default() };
        assert_eq!(delete(&[]), none);
        assert_eq!(delete(&["gone", "nosuch"]), none);
        assert_eq!(delete(&["b", "c", "gone"]), Gone { referring: vec![1], ..Gone::of(2) });
        assert_eq!(delete(&["b", "c", "gone"]), none);
        assert_eq!((subject.listed)(), [hostile, "a", "gone"]);
        assert_eq!(delete(&["a", hostile]), Gone { referring: vec![2], ..Gone::of(2) });
        assert_eq!((subject.listed)(), ["gone"]);
        assert!(subject.keys(&Filter::default()).is_empty());
    });
}

#[test]
fn they_go_with_sessions_that_expired_too() {
    each_that_can(Capability::References, "referring_expired", |subject| {
        let store = &subject.with_referring;
        for (key, seconds) in [("a", -3), ("b", -2), ("c", -1), ("live", 60)] {
            subject.add(key, "data", seconds);
        }
        (subject.list)(&["a", "c", "gone", "live"]);
        let counted = |cutoff| {
            let mut reader = store.reader().unwrap();
            reader.count_referring_to_expired(cutoff, std::time::Duration::from_secs(60)).unwrap()
        };
        assert_eq!((counted(at(0)), counted(at(-9))), (vec![Some(2)], vec![Some(0)]));
        let mut writer = store.writer(consent()).unwrap();
        let window = writer.pick_expired(at(0), None, 100).unwrap();
        // It is renewed before the delete.
        (subject.renew)("c", 60);
        for locked in [Locked::Skip, Locked::Wait] {
            let gone = writer.delete_expired(&batch(&window.rows), at(0), locked).unwrap();
            let first = Gone { referring: vec![1], ..Gone::of(2) };
            let then = Gone { referring: gone.referring.clone(), ..Gone::default() };
            assert_eq!(gone, if locked == Locked::Skip { first } else { then });
            assert_eq!((subject.listed)(), ["c", "gone", "live"]);
        }
    });
}
