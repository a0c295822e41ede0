//! Reads Python pickles of protocols 0 to 5 as data. Nothing in a pickle is ever executed: what it
//! would import stays a name, and what it would call stays a record of the call.
//!
//! One opcode is one byte, so a payload may ask for millions of marks, lists or references to one
//! list. Everything that takes memory is counted against [`Limits::pickle_values`], and nothing
//! recurses: neither the reader, nor the writer of JSON, nor drop.
//!
//! Where Python 2 and 3, or `pickle.py` and `_pickle.c`, disagree about what is a valid pickle, this
//! reader takes the most accepting side: what it rejects may be somebody's login.

mod call;
mod code_points;
mod containers;
mod holds;
mod input;
mod json;
mod keys;
mod known;
mod login;
mod long;
mod machine;
mod moment;
mod number;
mod objects;
mod opcode;
mod scalar;
mod text;
mod value;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::json_text::JsonText;
use super::{Auth, DecodeError, Limits, LoginKeys};
use machine::Machine;
use value::{Graph, Value};

/// The object graph of one payload.
#[derive(Debug)]
pub(crate) struct Pickle<'p> {
    graph: Graph<'p>,
    top: Value,
    depth: usize,
}

impl<'p> Pickle<'p> {
    /// Reads up to `STOP`; bytes after it are ignored, as Python does.
    pub(crate) fn read(payload: &'p [u8], limits: &Limits) -> Result<Self, DecodeError> {
        let (graph, top) = Machine::new(payload, limits).run()?;
        Ok(Self { graph, top, depth: limits.depth })
    }

    /// As much of it as the limits allow. A session that was cut or is too complex is the dict that it begins to
    /// build; then the reason is told, too.
    fn read_beginning(
        payload: &'p [u8],
        is_cut: bool,
        limits: &Limits,
    ) -> Result<(Self, Option<DecodeError>), DecodeError> {
        let (graph, top, why) = Machine::new(payload, limits).run_far(is_cut)?;
        Ok((Self { graph, top, depth: limits.depth }, why))
    }

    /// The login at the top level, which a session other than a dict does not have.
    pub(crate) fn auth(&self, keys: &LoginKeys) -> Result<Auth<'_>, DecodeError> {
        login::auth(&self.graph, self.top, keys)
    }

    /// Calls `member` with each key of the top level, or its beginning, and the bytes that its value takes up as JSON.
    pub(crate) fn members(
        &self,
        member: &mut dyn FnMut(Cow<'_, str>, usize),
    ) -> Result<(), DecodeError> {
        json::members(&self.graph, self.top, self.depth, member)
    }

    /// Whether it has this text, number or word under this path of keys.
    pub(crate) fn holds(&self, path: &str, value: &str) -> Result<bool, DecodeError> {
        holds::holds(&self.graph, self.top, path, value)
    }

    /// Appends the whole payload as JSON.
    pub(crate) fn write_json(&self, out: &mut JsonText<'_>) -> Result<(), DecodeError> {
        json::write(&self.graph, self.top, self.depth, out)
    }
}

/// The login at the top level of a pickle, of which `payload` may be only the beginning.
pub(crate) fn auth(
    payload: &[u8],
    is_cut: bool,
    limits: &Limits,
    keys: &LoginKeys,
) -> Result<Auth<'static>, DecodeError> {
    let (pickle, why_not_all) = Pickle::read_beginning(payload, is_cut, limits)?;
    let auth = pickle.auth(keys);
    match why_not_all {
        Some(why) => auth.map_err(|_| why)?.told_of(why),
        None => auth,
    }
    .map(Auth::into_owned)
}

/// Whether a payload is a pickle that holds a mapping, whatever it begins with.
pub(crate) fn is_session(payload: &[u8], limits: &Limits) -> bool {
    Pickle::read(payload, limits).is_ok_and(|pickle| pickle.graph.entries(pickle.top).is_some())
}

/// Whether a payload begins as a pickle does: with `PROTO`, or, in protocols 0 and 1, with what
/// makes a dict or names the class of one.
pub(crate) fn looks_like_pickle(payload: &[u8]) -> bool {
    match payload {
        [opcode::PROTO, protocol, ..] => *protocol <= 5,
        [first, ..] => matches!(*first, opcode::MARK | opcode::EMPTY_DICT | opcode::GLOBAL),
        [] => false,
    }
}
