//! Placeholder until the reader lands.
use super::{Auth, DecodeError, Limits, json_text::JsonText};

pub(crate) struct Pickle<'p>(&'p [u8]);
impl<'p> Pickle<'p> {
    pub(crate) fn read(payload: &'p [u8], _: &Limits) -> Result<Pickle<'p>, DecodeError> {
        Ok(Self(payload))
    }
    pub(crate) fn auth(&self) -> Result<Auth<'_>, DecodeError> {
        Err(DecodeError::Pickle)
    }
    pub(crate) fn write_json(&self, _: &mut JsonText) -> Result<(), DecodeError> {
        Err(DecodeError::Pickle)
    }
}
pub(crate) fn looks_like_pickle(payload: &[u8]) -> bool {
    payload.first() == Some(&0x80)
}
