//! What stores promise that know the rows of django-allauth.

use super::*;

#[test]
fn rows_of_allauth_go_with_their_sessions_and_not_alone() {
    each_that_can(Capability::Allauth, "allauth", |subject| {
        let has_allauth = || subject.store.reader().unwrap().has_allauth().unwrap();
        let hostile = "'; DROP TABLE django_session; --";
        for key in ["a", "b", "c", hostile] {
            subject.add(key, "data", 0);
        }
        assert!(!has_allauth());
        (subject.list)(&["a", "b", "gone", hostile]);
        assert!(has_allauth());
        let mut writer = subject.store.writer(consent()).unwrap();
        let mut delete = |keys: &[&str]| writer.delete_with_allauth(keys).unwrap();
        assert_eq!(delete(&[]), Gone::default());
        assert_eq!(delete(&["gone", "nosuch"]), Gone::default());
        assert_eq!(delete(&["b", "c", "gone"]), Gone { allauth: 1, ..Gone::of(2) });
        assert_eq!(delete(&["b", "c", "gone"]), Gone::default());
        assert_eq!((subject.listed)(), [hostile, "a", "gone"]);
        assert_eq!(delete(&["a", hostile]), Gone { allauth: 2, ..Gone::of(2) });
        assert_eq!((subject.listed)(), ["gone"]);
        assert!(subject.keys(&Filter::default()).is_empty());
    });
}
