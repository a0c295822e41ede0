//! What a pickle builds: small values by copy, everything that can be shared or contain itself in
//! an arena, so that nothing here is ever walked or dropped by recursion.

use super::super::DecodeError;
use super::known::Known;
use super::long::Long;
use super::text::{Kind, Text};

#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// An int outside `i64`.
    Long(Long),
    Float(f64),
    Text(Text),
    Node(Id),
}

/// The place of a [`Node`] in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id(u32);

impl Id {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

pub(super) type Entry = (Value, Value);

#[derive(Debug)]
pub(super) enum Node {
    List(Vec<Value>),
    Tuple {
        items: Box<[Value]>,
        hashable: bool,
    },
    Set(Vec<Value>),
    FrozenSet(Vec<Value>),
    /// Assignments in their order: of equal keys, the last counts.
    Dict(Vec<Entry>),
    Global(Box<Global>),
    Object(Box<Object>),
}

/// A class or function that the pickle names. It is never looked for.
#[derive(Debug)]
pub(super) struct Global {
    pub(super) module: Text,
    pub(super) name: Text,
    pub(super) known: Known,
}

/// What calling something would have made.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) class: Value,
    /// A tuple.
    pub(super) args: Value,
    /// A dict, or `None`.
    pub(super) kwargs: Value,
    /// What `BUILD` would have handed to it.
    pub(super) state: Value,
    pub(super) contents: Contents,
}

/// What a pickle has put into an object.
#[derive(Debug)]
pub(super) enum Contents {
    Nothing,
    Items(Vec<Value>),
    Entries(Vec<Entry>),
}

impl Contents {
    /// Items are lost on an object that has shown itself to be a mapping.
    pub(super) fn append(&mut self, more: Vec<Value>) {
        match self {
            Self::Nothing => *self = Self::Items(more),
            Self::Items(items) => items.extend(more),
            Self::Entries(_) => {}
        }
    }

    pub(super) fn assign(&mut self, more: Vec<Entry>) {
        match self {
            Self::Entries(entries) => entries.extend(more),
            Self::Nothing | Self::Items(_) => *self = Self::Entries(more),
        }
    }
}

#[derive(Debug)]
pub(super) struct Graph<'p> {
    pub(super) payload: &'p [u8],
    nodes: Vec<Node>,
}

impl<'p> Graph<'p> {
    pub(super) fn new(payload: &'p [u8]) -> Self {
        Self { payload, nodes: Vec::new() }
    }

    pub(super) fn add(&mut self, node: Node) -> Result<Value, DecodeError> {
        let id = u32::try_from(self.nodes.len()).map_err(|_| DecodeError::TooComplex)?;
        self.nodes.push(node);
        Ok(Value::Node(Id(id)))
    }

    pub(super) fn tuple(&mut self, items: Vec<Value>) -> Result<Value, DecodeError> {
        let hashable = items.iter().all(|item| self.is_hashable(*item));
        self.add(Node::Tuple { items: items.into_boxed_slice(), hashable })
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, value: Value) -> Option<&Node> {
        match value {
            Value::Node(id) => self.nodes.get(id.index()),
            _ => None,
        }
    }

    pub(super) fn node_mut(&mut self, value: Value) -> Option<&mut Node> {
        match value {
            Value::Node(id) => self.nodes.get_mut(id.index()),
            _ => None,
        }
    }

    pub(super) fn object(&self, value: Value) -> Option<&Object> {
        match self.node(value) {
            Some(Node::Object(object)) => Some(object),
            _ => None,
        }
    }

    pub(super) fn tuple_items(&self, value: Value) -> Option<&[Value]> {
        match self.node(value) {
            Some(Node::Tuple { items, .. }) => Some(items),
            _ => None,
        }
    }

    /// What iterating over a container gives.
    pub(super) fn items(&self, value: Value) -> Option<&[Value]> {
        match self.node(value)? {
            Node::List(items) | Node::Set(items) | Node::FrozenSet(items) => Some(items),
            Node::Tuple { items, .. } => Some(items),
            Node::Object(object) => match &object.contents {
                Contents::Items(items) => Some(items),
                Contents::Nothing | Contents::Entries(_) => None,
            },
            Node::Dict(_) | Node::Global(_) => None,
        }
    }

    /// The items of a list or a tuple. Those of a set lie in an order of Python's choice, and equal ones are one.
    pub(super) fn sequence(&self, value: Value) -> Option<&[Value]> {
        match self.node(value)? {
            Node::List(items) => Some(items),
            Node::Tuple { items, .. } => Some(items),
            _ => None,
        }
    }

    /// The assignments of a dict, of an object that took some, or of one that was made from
    /// nothing but a dict.
    pub(super) fn entries(&self, value: Value) -> Option<&[Entry]> {
        match self.node(value)? {
            Node::Dict(entries) => Some(entries),
            Node::Object(object) => match (&object.contents, self.tuple_items(object.args)) {
                (Contents::Entries(entries), _) => Some(entries),
                (Contents::Nothing, Some(&[only])) => match self.node(only) {
                    Some(Node::Dict(entries)) => Some(entries),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether it is certain what a mapping holds, or that a value is none. An object of a class of
    /// the site's own may keep entries where nobody can see them: in what it was made from, in its
    /// state.
    pub(super) fn is_understood(&self, value: Value) -> bool {
        let Some(object) = self.object(value) else { return true };
        let args = self.tuple_items(object.args).unwrap_or_default();
        let is_known_mapping = self.known(object.class).is_mapping();
        let has_state = !matches!(object.state, Value::None);
        matches!(object.kwargs, Value::None)
            && match (&object.contents, args) {
                (Contents::Entries(_), args) => args.is_empty() || is_known_mapping,
                (Contents::Nothing, []) => !has_state,
                (Contents::Nothing, &[only]) => {
                    !has_state && matches!(self.node(only), Some(Node::Dict(_)))
                }
                _ => false,
            }
    }

    /// Whether all keys of a mapping show what they are, so that a key that is not seen is not there. A class of the site's own
    /// may have entries that it keeps elsewhere, and an object may be equal to any text. Values do not matter.
    pub(super) fn hides_nothing(&self, value: Value) -> bool {
        let Some(entries) = self.entries(value) else { return true };
        self.object(value).is_none_or(|object| self.known(object.class).is_mapping())
            && entries.iter().all(|(key, _)| self.shows_what_it_is(*key))
    }

    /// Whether a key is known to be no text, or to be which.
    fn shows_what_it_is(&self, key: Value) -> bool {
        match self.node(key) {
            None
            | Some(
                Node::List(_)
                | Node::Tuple { .. }
                | Node::Set(_)
                | Node::FrozenSet(_)
                | Node::Dict(_),
            ) => true,
            Some(Node::Global(global)) => global.known != Known::Other,
            Some(Node::Object(object)) => {
                self.known(object.class).is_never_text() || self.text(key).is_some()
            }
        }
    }

    pub(super) fn known(&self, callable: Value) -> Known {
        match self.node(callable) {
            Some(Node::Global(global)) => global.known,
            _ => Known::Other,
        }
    }

    /// Text, or an object made from nothing but text: an instance of a subclass of `str`.
    pub(super) fn text(&self, value: Value) -> Option<Text> {
        if let Value::Text(text) = value {
            return Some(text);
        }
        let object = self.object(value)?;
        let args = self.tuple_items(object.args)?;
        match (self.known(object.class), args, object.kwargs, &object.contents) {
            (Known::Other, &[Value::Text(text)], Value::None, Contents::Nothing) => Some(text),
            _ => None,
        }
    }

    /// Whether Python's `bool` makes `False` of it. An object of a class of the site's own is taken for true.
    pub(super) fn is_false(&self, value: Value) -> bool {
        match (value, self.node(value)) {
            (Value::None | Value::Bool(false) | Value::Int(0), _) => true,
            (Value::Float(float), _) => float == 0.0,
            (Value::Text(text), _) => text.span.len() == 0,
            (_, Some(Node::Object(_))) => false,
            (_, Some(Node::Dict(entries))) => entries.is_empty(),
            _ => self.items(value).is_some_and(<[Value]>::is_empty),
        }
    }

    /// Whether Python would take it as a dict key. An object of a class of the site's own may be
    /// anything.
    pub(super) fn is_hashable(&self, value: Value) -> bool {
        match self.node(value) {
            None => !matches!(value, Value::Text(text) if text.kind == Kind::ByteArray),
            Some(Node::List(_) | Node::Set(_) | Node::Dict(_)) => false,
            Some(Node::Tuple { hashable, .. }) => *hashable,
            Some(Node::FrozenSet(_) | Node::Global(_) | Node::Object(_)) => true,
        }
    }
}
