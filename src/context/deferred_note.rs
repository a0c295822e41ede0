//! Wraps a store with a note that is printed once the store is reached. Before an error such as "no such file" the note would
//! be in the way.

use crate::consent::Consent;
use crate::store::{
    Facts, Grants, Notice, OtherTable, PurgeLock, Reader, Schemas, Store, StoreError, Terms,
    Traits, Writer,
};

pub(super) struct WithNote {
    pub(super) store: Box<dyn Store>,
    pub(super) terms: Terms,
    pub(super) note: Notice,
}

impl WithNote {
    fn reached<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        if answer.is_ok() {
            (self.terms.notify)(&self.note);
        }
        answer
    }
}

#[warn(clippy::missing_trait_methods, reason = "a default would hide what the store can do")]
impl Store for WithNote {
    fn traits(&self) -> &'static Traits {
        self.store.traits()
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>, StoreError> {
        self.reached(self.store.reader())
    }

    fn writer(&self, consent: Consent) -> Result<Box<dyn Writer + '_>, StoreError> {
        self.reached(self.store.writer(consent))
    }

    fn facts(&self) -> Result<Facts, StoreError> {
        self.reached(self.store.facts())
    }

    fn others_alike(&self) -> Result<Vec<OtherTable>, StoreError> {
        self.reached(self.store.others_alike())
    }

    fn renamed_alike(&self) -> Result<Vec<String>, StoreError> {
        self.reached(self.store.renamed_alike())
    }

    fn purge_lock(&self) -> Box<dyn PurgeLock + '_> {
        self.store.purge_lock()
    }

    fn schemas(&self) -> Option<&dyn Schemas> {
        self.store.schemas()
    }

    fn grants(&self) -> Option<&dyn Grants> {
        self.store.grants()
    }
}
