//! Who is behind an impersonation.

use super::super::DecodeError;
use super::super::identities::Behind;
use super::scanner::Scanner;

impl<'p> Scanner<'p> {
    /// What stands under a package's key: an id, or a list of ids.
    pub(super) fn behind(&mut self) -> Result<Behind<'p>, DecodeError> {
        self.space();
        let value = self.rest;
        self.value(&mut ())?;
        // Its grammar is checked: what fails now is only what cannot be understood.
        let mut again = Scanner { rest: value, ..*self };
        Ok(again.identities().unwrap_or_else(|_| Behind::unclear()))
    }

    fn identities(&mut self) -> Result<Behind<'p>, DecodeError> {
        let mut behind = Behind::default();
        if !self.eat(b'[') {
            behind.add(self.user_id()?);
            return Ok(behind);
        }
        self.space();
        if self.eat(b']') {
            return Ok(behind);
        }
        loop {
            behind.add(self.user_id()?);
            self.space();
            if self.next()? != b',' {
                return Ok(behind);
            }
        }
    }
}
