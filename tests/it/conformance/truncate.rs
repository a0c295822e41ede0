//! What stores promise that empty a table at once.

use super::*;

#[test]
fn a_table_is_emptied_and_can_be_filled_again() {
    each_that_can(Capability::Truncate, "truncate", |subject| {
        (subject.add)(&[("a", "", 1), ("b", "", 2)]);
        let mut writer = subject.store.writer(consent()).unwrap();
        writer.truncate().unwrap();
        writer.truncate().unwrap();
        assert!(subject.keys(&Filter::default()).is_empty());
        subject.add("a", "", 1);
        assert_eq!(subject.keys(&Filter::default()), ["a"]);
    });
}
