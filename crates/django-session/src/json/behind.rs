//! Reads the users behind an impersonation from JSON.

use super::super::DecodeError;
use super::super::identities::{Behind, UserId, is_dotted_path};
use super::scanner::Scanner;

type Result<T> = std::result::Result<T, DecodeError>;

impl<'p> Scanner<'p> {
    /// What stands under a package's key: an id, or a list of ids.
    pub(super) fn behind(&mut self) -> Result<Behind<'p>> {
        self.space();
        let mut again = self.again();
        self.value(&mut ())?;
        // Its grammar is checked: what fails now is only what cannot be understood.
        Ok(again.identities().unwrap_or_else(|_| Behind::unclear()))
    }

    /// The same once more.
    fn again(&self) -> Self {
        Self { ..*self }
    }

    fn identities(&mut self) -> Result<Behind<'p>> {
        if !self.eat(b'[') {
            return self.identity().map(Behind::of);
        }
        let mut behind = Behind::default();
        self.space();
        if self.eat(b']') {
            return Ok(behind);
        }
        loop {
            self.space();
            let mut again = self.again();
            let item = self.identity()?;
            behind.add(match item {
                UserId::Other => again.of_pair().unwrap_or(UserId::Other),
                item => item,
            });
            self.space();
            if self.next()? != b',' {
                return Ok(behind);
            }
        }
    }

    /// An id. A flag is none: it does not say who.
    fn identity(&mut self) -> Result<UserId<'p>> {
        match self.rest.first() {
            Some(b't') => self.word("true").map(|()| UserId::Other),
            Some(b'f') => self.word("false").map(|()| UserId::Null),
            _ => self.user_id(),
        }
    }

    /// The id of a pair of an id and its backend.
    fn of_pair(&mut self) -> Result<UserId<'p>> {
        if !self.eat(b'[') {
            return Ok(UserId::Other);
        }
        self.space();
        let id = self.identity()?;
        self.space();
        let is_pair = self.next()? == b',' && {
            self.space();
            self.eat(b'"') && is_dotted_path(&self.string()?.to_str()) && {
                self.space();
                self.eat(b']')
            }
        };
        Ok(if is_pair { id } else { UserId::Other })
    }
}
