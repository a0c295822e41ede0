//! Decides which assignments of a dict count: of equal keys the last, at the place of the first.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::rc::Rc;

use super::long::Long;
use super::text::Text;
use super::value::{Entry, Graph, Id, Value};

/// What makes two keys one. Python has `1 == 1.0 == True`.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    None,
    Int(i64),
    Long(Long),
    Float(u64),
    Text(usize),
    Node(Id),
}

/// Remembers what it has settled: a shared dict with many assignments to one key would otherwise
/// cost much and write little, and so would many dicts with the same long keys.
pub(super) struct Keys<'g> {
    graph: &'g Graph<'g>,
    settled: HashMap<Id, Rc<[Entry]>>,
    spelled: HashMap<Text, usize>,
    contents: HashMap<(bool, Cow<'g, [u8]>), usize>,
}

impl<'g> Keys<'g> {
    pub(super) fn new(graph: &'g Graph<'g>) -> Self {
        Self { graph, settled: HashMap::new(), spelled: HashMap::new(), contents: HashMap::new() }
    }

    pub(super) fn settle(&mut self, dict: Id, assignments: &[Entry]) -> Rc<[Entry]> {
        if let Some(settled) = self.settled.get(&dict) {
            return Rc::clone(settled);
        }
        let mut places: HashMap<Key, usize> = HashMap::new();
        let mut settled: Vec<Entry> = Vec::new();
        for (key, value) in assignments {
            match places.entry(self.key(*key)) {
                Slot::Vacant(slot) => {
                    slot.insert(settled.len());
                    settled.push((*key, *value));
                }
                Slot::Occupied(slot) => {
                    if let Some((_, old)) = settled.get_mut(*slot.get()) {
                        *old = *value;
                    }
                }
            }
        }
        let settled: Rc<[Entry]> = settled.into();
        self.settled.insert(dict, Rc::clone(&settled));
        settled
    }

    fn key(&mut self, value: Value) -> Key {
        if let Some(text) = self.graph.text(value) {
            return Key::Text(self.text(text));
        }
        match value {
            Value::Bool(value) => Key::Int(value.into()),
            Value::Int(value) => Key::Int(value),
            Value::Float(value) => integral(value).map_or(Key::Float(value.to_bits()), Key::Int),
            Value::Long(value) => Key::Long(value),
            Value::Node(id) => Key::Node(id),
            Value::None | Value::Text(_) => Key::None,
        }
    }

    /// The same number for the same characters, however they are spelled.
    fn text(&mut self, text: Text) -> usize {
        if let Some(number) = self.spelled.get(&text) {
            return *number;
        }
        let fresh = self.spelled.len();
        let contents = (text.is_bytes(), text.canonical(self.graph.payload));
        let number = *self.contents.entry(contents).or_insert(fresh);
        self.spelled.insert(text, number);
        number
    }
}

/// The int that a float equals.
fn integral(value: f64) -> Option<i64> {
    const END: f64 = 9_223_372_036_854_775_808.0;
    let in_range = value.fract() == 0.0 && (-END..END).contains(&value);
    #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is in range")]
    in_range.then_some(value as i64)
}
