//! Writes a pickle's graph as JSON: as `json.dumps` would what JSON can hold, the rest as strings,
//! arrays and objects that say what it was.

use std::borrow::Cow;
use std::rc::Rc;

use super::super::DecodeError;
use super::super::json_text::JsonText;
use super::keys::Keys;
use super::number;
use super::scalar::{Scalar, scalar};
use super::text::Text;
use super::value::{Contents, Entry, Global, Graph, Id, Node, Object, Value};

pub(super) fn write(
    graph: &Graph<'_>,
    top: Value,
    depth: usize,
    out: &mut JsonText<'_>,
) -> Result<(), DecodeError> {
    Writer::new(graph, depth, out).all_of(top)
}

/// Calls `member` with each key of the top level, or its beginning, and the bytes that its value takes up.
pub(super) fn members(
    graph: &Graph<'_>,
    top: Value,
    depth: usize,
    member: &mut dyn FnMut(Cow<'_, str>, usize),
) -> Result<(), DecodeError> {
    let (Value::Node(id), Some(assignments)) = (top, graph.entries(top)) else { return Ok(()) };
    if scalar(graph, top).is_some() {
        return Ok(());
    }
    let mut counted = JsonText::counted();
    counted.bound(graph.payload.len());
    let mut writer = Writer::new(graph, depth, &mut counted);
    writer.open(id, "{", "}")?;
    let entries = writer.keys.settle(id, assignments);
    writer.todo.clear();
    for (key, value) in entries.iter().copied() {
        let name = if let Value::Text(text) = key {
            let points = text.code_points(graph.payload).take(MOST_KEY_CHARS);
            points.map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        } else {
            let mut name = JsonText::kept_up_to(4 * MOST_KEY_CHARS);
            name.bound(graph.payload.len());
            Writer::new(graph, depth, &mut name).key(key)?;
            writer.out.spend(name.len())?;
            name.into_string().unwrap_or_default()
        };
        let before = writer.out.len();
        writer.all_of(value)?;
        member(name.into(), writer.out.len() - before);
    }
    Ok(())
}

/// Characters of a key that are told.
const MOST_KEY_CHARS: usize = 1_000;

/// What remains to be written, in place of recursion.
enum Task<'g> {
    Value(Value),
    Items(&'g [Value]),
    Entries(Rc<[Entry]>, usize),
    Raw(&'static str),
    Close(Id, &'static str),
}

struct Writer<'g, 'o, 'w> {
    graph: &'g Graph<'g>,
    keys: Keys<'g>,
    /// Nodes that are being written, by their place: one inside itself is a cycle.
    open: Vec<bool>,
    depth_left: usize,
    todo: Vec<Task<'g>>,
    out: &'o mut JsonText<'w>,
}

impl<'g, 'o, 'w> Writer<'g, 'o, 'w> {
    fn new(graph: &'g Graph<'g>, depth: usize, out: &'o mut JsonText<'w>) -> Self {
        let (keys, open) = (Keys::new(graph), vec![false; graph.len()]);
        Self { graph, keys, open, depth_left: depth, todo: Vec::new(), out }
    }

    fn all_of(&mut self, value: Value) -> Result<(), DecodeError> {
        self.todo.push(Task::Value(value));
        while let Some(task) = self.todo.pop() {
            self.perform(task)?;
        }
        Ok(())
    }

    fn perform(&mut self, task: Task<'g>) -> Result<(), DecodeError> {
        match task {
            Task::Raw(json) => self.out.raw(json),
            Task::Value(value) => self.value(value),
            Task::Items(items) => {
                if let [first, rest @ ..] = items {
                    if !rest.is_empty() {
                        self.todo.push(Task::Items(rest));
                        self.todo.push(Task::Raw(","));
                    }
                    self.todo.push(Task::Value(*first));
                }
                Ok(())
            }
            Task::Entries(entries, at) => self.entry(entries, at),
            Task::Close(id, bracket) => {
                self.depth_left += 1;
                self.set_open(id, false);
                self.out.raw(bracket)
            }
        }
    }

    fn entry(&mut self, entries: Rc<[Entry]>, at: usize) -> Result<(), DecodeError> {
        let Some((key, value)) = entries.get(at).copied() else {
            return Ok(());
        };
        self.out.raw(if at == 0 { "\"" } else { ",\"" })?;
        self.key(key)?;
        self.out.raw("\":")?;
        self.todo.push(Task::Entries(entries, at + 1));
        self.todo.push(Task::Value(value));
        Ok(())
    }

    fn value(&mut self, value: Value) -> Result<(), DecodeError> {
        match value {
            Value::None => self.out.raw("null"),
            Value::Bool(value) => self.out.raw(if value { "true" } else { "false" }),
            Value::Int(value) => self.out.raw(&value.to_string()),
            Value::Long(value) => self.out.raw(&value.to_decimal(self.graph.payload)?),
            Value::Float(value) => self.out.float(value),
            Value::Text(text) => self.string(text),
            Value::Node(id) => self.node(id),
        }
    }

    fn string(&mut self, text: Text) -> Result<(), DecodeError> {
        self.out.raw("\"")?;
        self.characters(text)?;
        self.out.raw("\"")
    }

    fn characters(&mut self, text: Text) -> Result<(), DecodeError> {
        text.code_points(self.graph.payload).try_for_each(|code| self.out.code_point(code))
    }

    fn node(&mut self, id: Id) -> Result<(), DecodeError> {
        let graph = self.graph;
        let value = Value::Node(id);
        if self.open.get(id.index()) == Some(&true) {
            return self.out.raw("{\"__cycle__\":true}");
        }
        match scalar(graph, value) {
            Some(Scalar::Text(text)) => return self.string(text),
            Some(Scalar::String(text)) => return self.out.string(&text),
            Some(Scalar::Number(number)) => return self.out.raw(&number),
            None => {}
        }
        match graph.node(value) {
            Some(Node::List(items) | Node::Set(items) | Node::FrozenSet(items)) => {
                self.array(id, items)
            }
            Some(Node::Tuple { items, .. }) => self.array(id, items),
            Some(Node::Dict(entries)) => self.mapping(id, entries),
            Some(Node::Global(global)) => {
                self.out.raw("{\"__global__\":\"")?;
                self.dotted(global)?;
                self.out.raw("\"}")
            }
            Some(Node::Object(object)) => match &object.contents {
                Contents::Items(items) => self.array(id, items),
                Contents::Entries(entries) => self.mapping(id, entries),
                Contents::Nothing => self.record(id, object),
            },
            None => Err(DecodeError::Pickle),
        }
    }

    fn array(&mut self, id: Id, items: &'g [Value]) -> Result<(), DecodeError> {
        self.open(id, "[", "]")?;
        self.todo.push(Task::Items(items));
        Ok(())
    }

    fn mapping(&mut self, id: Id, assignments: &[Entry]) -> Result<(), DecodeError> {
        self.open(id, "{", "}")?;
        let entries = self.keys.settle(id, assignments);
        self.todo.push(Task::Entries(entries, 0));
        Ok(())
    }

    fn record(&mut self, id: Id, object: &Object) -> Result<(), DecodeError> {
        self.open(id, "{\"__class__\":", "}")?;
        // What is pushed last is written first.
        for (name, part) in [
            (",\"state\":", object.state),
            (",\"kwargs\":", object.kwargs),
            (",\"args\":", object.args),
        ] {
            if !self.is_empty(part) {
                self.todo.push(Task::Value(part));
                self.todo.push(Task::Raw(name));
            }
        }
        if let Some(Node::Global(global)) = self.graph.node(object.class) {
            self.out.raw("\"")?;
            self.dotted(global)?;
            self.out.raw("\"")
        } else {
            self.todo.push(Task::Value(object.class));
            Ok(())
        }
    }

    fn is_empty(&self, part: Value) -> bool {
        match self.graph.node(part) {
            Some(Node::Tuple { items, .. }) => items.is_empty(),
            Some(Node::Dict(entries)) => entries.is_empty(),
            _ => matches!(part, Value::None),
        }
    }

    fn dotted(&mut self, global: &Global) -> Result<(), DecodeError> {
        self.characters(global.module)?;
        self.out.raw(".")?;
        self.characters(global.name)
    }

    fn open(&mut self, id: Id, bracket: &str, closing: &'static str) -> Result<(), DecodeError> {
        let left = self.depth_left.checked_sub(1);
        self.depth_left = left.ok_or(DecodeError::TooComplex)?;
        self.set_open(id, true);
        self.todo.push(Task::Close(id, closing));
        self.out.raw(bracket)
    }

    fn set_open(&mut self, id: Id, open: bool) {
        if let Some(flag) = self.open.get_mut(id.index()) {
            *flag = open;
        }
    }

    /// A key without its quotes: what `json.dumps` coerces it to, or else a likeness of its `repr`.
    fn key(&mut self, key: Value) -> Result<(), DecodeError> {
        match self.graph.node(key) {
            Some(Node::Tuple { items, .. }) => self.compound_key("(", items, ")"),
            Some(Node::FrozenSet(items)) => self.compound_key("{", items, "}"),
            _ => self.simple_key(key),
        }
    }

    fn compound_key(
        &mut self,
        bracket: &str,
        items: &[Value],
        closing: &str,
    ) -> Result<(), DecodeError> {
        self.out.raw(bracket)?;
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.raw(", ")?;
            }
            self.simple_key(*item)?;
        }
        self.out.raw(closing)
    }

    fn simple_key(&mut self, key: Value) -> Result<(), DecodeError> {
        match key {
            Value::Text(text) => self.characters(text),
            Value::Float(value) => self.out.raw(&number::float_repr(value)),
            Value::Node(_) => match scalar(self.graph, key) {
                Some(Scalar::Text(text)) => self.characters(text),
                Some(Scalar::String(text) | Scalar::Number(text)) => {
                    text.chars().try_for_each(|c| self.out.code_point(c.into()))
                }
                None => self.named_key(key),
            },
            _ => self.value(key),
        }
    }

    /// Stands for what has no short spelling; nothing in it is written, so nothing recurses.
    fn named_key(&mut self, key: Value) -> Result<(), DecodeError> {
        let class = self.graph.object(key).map_or(key, |object| object.class);
        match self.graph.node(class) {
            Some(Node::Global(global)) => {
                self.out.raw("<")?;
                self.dotted(global)?;
                self.out.raw(">")
            }
            _ => self.out.raw("<...>"),
        }
    }
}
