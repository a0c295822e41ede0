//! Calls in a pickle: an object that records the call, or the value itself for the few callables that pickles use to spell
//! plain data.

use super::super::DecodeError;
use super::known::Known;
use super::machine::Machine;
use super::text::{Kind, Text};
use super::value::{Contents, Entry, Node, Object, Value};

/// Bytes of a text that are looked through for what a value costs.
const BYTES_PER_VALUE: usize = 64;

impl Machine<'_> {
    pub(super) fn call(&mut self, callable: Value, args: Value) -> Result<Value, DecodeError> {
        let items = self.graph.tuple_items(args).ok_or(DecodeError::Pickle)?;
        // By value, since the graph is about to grow; a few, since tuples can be long and shared.
        let few: Vec<Value> = items.iter().take(4).copied().collect();
        let known = self.graph.known(callable);
        let made = match (known, few.as_slice()) {
            (Known::NewObj, [class, ..]) => {
                let rest: Vec<Value> = items.iter().skip(1).copied().collect();
                self.spend(rest.len())?;
                let rest = self.create_tuple(rest)?;
                return self.opaque(*class, rest);
            }
            (Known::NewObjEx, [class, args, kwargs]) => {
                return self.opaque_with(*class, *args, *kwargs);
            }
            (Known::Reconstructor, [class, base, state]) => {
                return self.reconstruct(*class, *base, *state);
            }
            (Known::Encode | Known::Str | Known::Bytes | Known::ByteArray, few) => {
                self.make_text(known, few)?.map(Value::Text)
            }
            (Known::List | Known::Tuple | Known::Set | Known::FrozenSet, few) => {
                self.make_sequence(known, few.first().copied())?
            }
            (Known::Dict, few) => {
                let entries = self.copied_entries(few.first().copied())?;
                entries.map(|all| self.create(Node::Dict(all))).transpose()?
            }
            _ => None,
        };
        if let Some(made) = made {
            return Ok(made);
        }
        let contents = self.initial_contents(known, few.first().copied(), few.get(1).copied())?;
        self.object(callable, args, contents)
    }

    /// An object that nothing is known of.
    pub(super) fn opaque(&mut self, class: Value, args: Value) -> Result<Value, DecodeError> {
        self.object(class, args, Contents::Nothing)
    }

    pub(super) fn opaque_with(
        &mut self,
        class: Value,
        args: Value,
        kwargs: Value,
    ) -> Result<Value, DecodeError> {
        let made = self.opaque(class, args)?;
        if let Some(Node::Object(object)) = self.graph.node_mut(made) {
            object.kwargs = kwargs;
        }
        Ok(made)
    }

    fn object(
        &mut self,
        class: Value,
        args: Value,
        contents: Contents,
    ) -> Result<Value, DecodeError> {
        // Only what came out of an import or a call can be called.
        let (Some(Node::Global(_) | Node::Object(_)), Some(Node::Tuple { .. })) =
            (self.graph.node(class), self.graph.node(args))
        else {
            return Err(DecodeError::Pickle);
        };
        self.create(Node::Object(Box::new(Object {
            class,
            args,
            kwargs: Value::None,
            state: Value::None,
            contents,
        })))
    }

    /// Refuses text that Python could not encode.
    fn demand_latin1(&mut self, text: Text) -> Result<(), DecodeError> {
        // One text may be encoded again and again. All that a payload holds, once, is within the limit.
        self.spend(text.span.len() / BYTES_PER_VALUE)?;
        let mut characters = text.code_points(self.graph.payload);
        if characters.all(|code| code <= 0xff) { Ok(()) } else { Err(DecodeError::Pickle) }
    }

    fn make_text(&mut self, known: Known, args: &[Value]) -> Result<Option<Text>, DecodeError> {
        let texts: Option<Vec<Text>> = args
            .iter()
            .map(|arg| match arg {
                Value::Text(text) => Some(*text),
                _ => None,
            })
            .collect();
        let Some(texts) = texts else { return Ok(None) };
        Ok(match (known, texts.as_slice()) {
            (Known::Encode, [text, encoding]) if encoding.is(self.graph.payload, "latin1") => {
                self.demand_latin1(*text)?;
                Some(text.of_kind(Kind::Bytes))
            }
            (Known::Str, [text]) if !text.is_bytes() => Some(text.of_kind(Kind::Unicode)),
            (Known::Bytes, []) => Some(Text::EMPTY_BYTES),
            (Known::Bytes, [text]) if text.is_bytes() => Some(text.of_kind(Kind::Bytes)),
            (Known::ByteArray, []) => Some(Text::EMPTY_BYTES.of_kind(Kind::ByteArray)),
            (Known::ByteArray, [text]) if text.is_bytes() => Some(text.of_kind(Kind::ByteArray)),
            (Known::ByteArray, [text, _latin1]) => Some(text.of_kind(Kind::ByteArray)),
            _ => None,
        })
    }

    fn make_sequence(
        &mut self,
        known: Known,
        source: Option<Value>,
    ) -> Result<Option<Value>, DecodeError> {
        let is_ordered = matches!(known, Known::List | Known::Tuple);
        let copied =
            if is_ordered { self.copied_sequence(source) } else { self.copied_items(source) };
        let Some(items) = copied? else { return Ok(None) };
        match known {
            Known::List => self.create(Node::List(items)),
            Known::Tuple => self.create_tuple(items),
            _ => {
                self.check_hashable(&items)?;
                self.create(match known {
                    Known::Set => Node::Set(items),
                    _ => Node::FrozenSet(items),
                })
            }
        }
        .map(Some)
    }

    /// What a mapping or a sequence holds that keeps its class.
    fn initial_contents(
        &mut self,
        known: Known,
        first: Option<Value>,
        second: Option<Value>,
    ) -> Result<Contents, DecodeError> {
        let contents = match known {
            Known::OrderedDict => self.copied_entries(first)?.map(Contents::Entries),
            Known::DefaultDict => self.copied_entries(second)?.map(Contents::Entries),
            Known::Deque => self.copied_sequence(first)?.map(Contents::Items),
            _ => None,
        };
        Ok(contents.unwrap_or(Contents::Nothing))
    }

    /// `copyreg._reconstructor`: how protocols 0 and 1 make an instance of a subclass.
    fn reconstruct(
        &mut self,
        class: Value,
        base: Value,
        state: Value,
    ) -> Result<Value, DecodeError> {
        let nothing = self.create_tuple(Vec::new())?;
        let contents = match self.graph.known(base) {
            Known::Object => Some(Contents::Nothing),
            Known::Dict => self.copied_entries(Some(state))?.map(Contents::Entries),
            Known::List => self.copied_sequence(Some(state))?.map(Contents::Items),
            Known::Set | Known::FrozenSet => self.copied_items(Some(state))?.map(Contents::Items),
            Known::Tuple => return self.opaque(class, state),
            _ => None,
        };
        if let Some(contents) = contents {
            return self.object(class, nothing, contents);
        }
        let args = self.create_tuple(vec![state])?;
        self.opaque(class, args)
    }

    /// The items of what a constructor was given, or `None` if that cannot be known.
    fn copied_items(&mut self, source: Option<Value>) -> Result<Option<Vec<Value>>, DecodeError> {
        let Some(source) = source else {
            return Ok(Some(Vec::new()));
        };
        self.spend(self.graph.items(source).map_or(0, <[Value]>::len))?;
        Ok(self.graph.items(source).map(<[Value]>::to_vec))
    }

    /// The same where the order and the number of the items matter.
    fn copied_sequence(
        &mut self,
        source: Option<Value>,
    ) -> Result<Option<Vec<Value>>, DecodeError> {
        match source {
            Some(source) if self.graph.sequence(source).is_none() => Ok(None),
            source => self.copied_items(source),
        }
    }

    /// The same for a dict or pairs.
    fn copied_entries(&mut self, source: Option<Value>) -> Result<Option<Vec<Entry>>, DecodeError> {
        let Some(source) = source else {
            return Ok(Some(Vec::new()));
        };
        self.spend(self.graph.entries(source).map_or(0, <[Entry]>::len))?;
        self.spend(self.graph.sequence(source).map_or(0, <[Value]>::len))?;
        let entries = match (self.graph.entries(source), self.graph.sequence(source)) {
            (Some(entries), _) => Some(entries.to_vec()),
            (None, Some(pairs)) => pairs.iter().map(|pair| self.pair(*pair)).collect(),
            (None, None) => None,
        };
        self.check_keys(entries.as_deref().unwrap_or_default())?;
        Ok(entries)
    }

    fn pair(&self, pair: Value) -> Option<Entry> {
        match self.graph.sequence(pair)? {
            [key, value] => Some((*key, *value)),
            _ => None,
        }
    }
}
