//! The opcodes that make containers and fill them.

use super::super::DecodeError;
use super::machine::Machine;
use super::text::Kind;
use super::value::{Entry, Node, Value};

impl Machine<'_> {
    pub(super) fn tuple(&mut self, len: usize) -> Result<(), DecodeError> {
        let items = self.pop_many(len)?;
        self.push_tuple(items)
    }

    pub(super) fn push_tuple(&mut self, items: Vec<Value>) -> Result<(), DecodeError> {
        let tuple = self.create_tuple(items)?;
        self.push(tuple)
    }

    pub(super) fn create_tuple(&mut self, items: Vec<Value>) -> Result<Value, DecodeError> {
        self.spend(1)?;
        self.graph.tuple(items)
    }

    pub(super) fn frozenset(&mut self) -> Result<(), DecodeError> {
        let items = self.pop_mark()?;
        self.check_hashable(&items)?;
        self.push_node(Node::FrozenSet(items))
    }

    pub(super) fn dict(&mut self) -> Result<(), DecodeError> {
        let flat = self.pop_mark()?;
        let entries = pairs(&flat)?;
        self.check_keys(&entries)?;
        self.push_node(Node::Dict(entries))
    }

    pub(super) fn append(&mut self) -> Result<(), DecodeError> {
        let item = self.pop_many(1)?;
        self.extend(item)
    }

    /// `APPEND` and `APPENDS`, to whatever is on top.
    pub(super) fn extend(&mut self, more: Vec<Value>) -> Result<(), DecodeError> {
        let top = self.top()?;
        if more.is_empty() {
            return Ok(());
        }
        match self.graph.node_mut(top) {
            Some(Node::List(items)) => items.extend(more),
            Some(Node::Object(object)) => object.contents.append(more),
            Some(Node::Global(_)) => {}
            _ => return Err(self.takes_no_items(top, &more)),
        }
        Ok(())
    }

    pub(super) fn setitem(&mut self) -> Result<(), DecodeError> {
        let pair = self.pop_many(2)?;
        self.assign(&pair)
    }

    /// `SETITEM` and `SETITEMS`, on whatever is on top.
    pub(super) fn assign(&mut self, flat: &[Value]) -> Result<(), DecodeError> {
        let top = self.top()?;
        let more = pairs(flat)?;
        if more.is_empty() {
            return Ok(());
        }
        if let Some(Node::Dict(_)) = self.graph.node(top) {
            self.check_keys(&more)?;
        }
        match self.graph.node_mut(top) {
            Some(Node::Dict(entries)) => entries.extend(more),
            Some(Node::Object(object)) => object.contents.assign(more),
            Some(Node::List(items)) => assign_at(items, &more)?,
            Some(Node::Global(_)) => {}
            _ => return Err(self.takes_no_items(top, flat)),
        }
        Ok(())
    }

    pub(super) fn additems(&mut self) -> Result<(), DecodeError> {
        let more = self.pop_mark()?;
        let top = self.top()?;
        if more.is_empty() {
            return Ok(());
        }
        if let Some(Node::Set(_)) = self.graph.node(top) {
            self.check_hashable(&more)?;
        }
        match self.graph.node_mut(top) {
            Some(Node::Set(items)) => items.extend(more),
            Some(Node::Object(object)) => object.contents.append(more),
            Some(Node::Global(_)) => {}
            _ => return Err(DecodeError::Pickle),
        }
        Ok(())
    }

    /// Why these cannot be put into a value. A `bytearray` would take integers, which no pickler makes use of.
    fn takes_no_items(&self, value: Value, items: &[Value]) -> DecodeError {
        let may_be_integers = items.iter().all(|item| match item {
            Value::Bool(_) | Value::Int(_) | Value::Long(_) => true,
            Value::None | Value::Float(_) | Value::Text(_) => false,
            Value::Node(_) => self.graph.object(*item).is_some(),
        });
        match value {
            Value::Text(text) if text.kind == Kind::ByteArray && may_be_integers => {
                DecodeError::TooComplex
            }
            _ => DecodeError::Pickle,
        }
    }

    pub(super) fn check_hashable(&self, items: &[Value]) -> Result<(), DecodeError> {
        if items.iter().all(|item| self.graph.is_hashable(*item)) {
            Ok(())
        } else {
            Err(DecodeError::Pickle)
        }
    }

    pub(super) fn check_keys(&self, entries: &[Entry]) -> Result<(), DecodeError> {
        if entries.iter().all(|(key, _)| self.graph.is_hashable(*key)) {
            Ok(())
        } else {
            Err(DecodeError::Pickle)
        }
    }
}

fn pairs(flat: &[Value]) -> Result<Vec<Entry>, DecodeError> {
    let pairs = flat.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(DecodeError::Pickle);
    }
    Ok(pairs
        .filter_map(|pair| match pair {
            [key, value] => Some((*key, *value)),
            _ => None,
        })
        .collect())
}

/// `list[index] = value`.
fn assign_at(items: &mut [Value], entries: &[Entry]) -> Result<(), DecodeError> {
    for (index, value) in entries {
        let index = match *index {
            Value::Int(index) => index,
            Value::Bool(index) => index.into(),
            _ => return Err(DecodeError::Pickle),
        };
        let offset = usize::try_from(index.unsigned_abs()).map_err(|_| DecodeError::Pickle)?;
        let at = match index {
            ..0 => items.len().checked_sub(offset),
            _ => Some(offset),
        };
        let slot = at.and_then(|at| items.get_mut(at));
        *slot.ok_or(DecodeError::Pickle)? = *value;
    }
    Ok(())
}
