//! What a store says it can do is what its accessors return.

use super::*;

fn accessible(store: &dyn Store) -> Vec<Capability> {
    let (mut reader, mut writer) = (store.reader().unwrap(), store.writer(consent()).unwrap());
    let both = |name: Capability, reads: bool, writes: bool| {
        assert_eq!(reads, writes, "{name:?}: the reader and the writer do not agree");
        (name, reads)
    };
    let found = [
        both(Capability::Expiry, reader.expiry().is_some(), writer.expiry().is_some()),
        both(
            Capability::UserColumn,
            reader.user_columns().is_some(),
            writer.user_columns().is_some(),
        ),
        (Capability::Users, reader.site_users().is_some()),
        (Capability::Rewrite, writer.rewriting().is_some()),
        (Capability::References, reader.referring().is_some()),
        (Capability::Truncate, writer.truncation().is_some()),
        (Capability::Schemas, store.schemas().is_some()),
        (Capability::Grants, store.grants().is_some()),
        (Capability::Replicas, writer.replicas().is_some()),
    ];
    assert_eq!(found.map(|(capability, _)| capability), *Capability::ALL);
    found.into_iter().filter(|(_, has)| *has).map(|(capability, _)| capability).collect()
}

#[test]
fn a_store_can_what_it_says() {
    each("capabilities", |subject| {
        let store = &*subject.store;
        let traits = store.traits();
        let has = accessible(store);
        assert_eq!(has, traits.can, "{}", traits.name);
        for capability in Capability::ALL {
            let demanded = store.demand(*capability);
            assert_eq!(demanded.is_ok(), has.contains(capability), "{capability:?}");
            if let Err(error) = demanded {
                assert!(error.is_misuse() && error.next_step().is_some(), "{error:?}");
                assert!(error.to_string().contains(traits.name), "{error}");
            }
        }
    });
}

/// What is asked for without having been demanded is the same error, or there is none of it.
#[test]
fn what_a_store_cannot_is_an_error_or_not_there() {
    let file =
        CsvFile(std::env::temp_dir().join(format!("sessctl-cannot-{}.csv", std::process::id())));
    file.write(&[]).unwrap();
    let store: &dyn Store = &file;
    let (mut reader, mut writer) = (store.reader().unwrap(), store.writer(consent()).unwrap());
    assert_eq!(reader.user_column("user_id").unwrap(), None);
    assert!(reader.references().unwrap().is_empty());
    assert_eq!(writer.replica_lag().unwrap(), None);
    let none = std::time::Duration::ZERO;
    for error in [
        reader.expired(at(0), None, none).unwrap_err(),
        writer.pick_expired(at(0), None, 1).unwrap_err(),
        reader.check_referring().unwrap_err(),
        reader.count_referring(&["a"]).unwrap_err(),
        writer.replace(&[]).unwrap_err(),
        writer.truncate().unwrap_err(),
    ] {
        assert!(
            error.is_misuse() && error.to_string().starts_with("this store cannot "),
            "{error}"
        );
    }
    std::fs::remove_file(&file.0).unwrap();
}
