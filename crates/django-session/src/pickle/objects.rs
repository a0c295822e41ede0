//! The opcodes that name, make and fill objects. Nothing is looked up and nothing is called: an
//! object is a record of what Python would have done.

use super::super::DecodeError;
use super::known::Known;
use super::machine::Machine;
use super::text::Text;
use super::value::{Global, Node, Value};

impl Machine<'_> {
    pub(super) fn global(&mut self) -> Result<(), DecodeError> {
        let global = self.global_lines(|line| str::from_utf8(line).is_ok())?;
        self.push(global)
    }

    pub(super) fn stack_global(&mut self) -> Result<(), DecodeError> {
        match (self.pop()?, self.pop()?) {
            (Value::Text(name), Value::Text(module)) if !name.is_bytes() && !module.is_bytes() => {
                let global = self.create_global(module, name)?;
                self.push(global)
            }
            _ => Err(DecodeError::Pickle),
        }
    }

    /// The two lines behind `GLOBAL`, which are UTF-8 without surrogates, and `INST`, which are ASCII.
    fn global_lines(&mut self, is_name: fn(&[u8]) -> bool) -> Result<Value, DecodeError> {
        let payload = self.graph.payload;
        let (module, name) = (self.input.line()?, self.input.line()?);
        if !is_name(module.of(payload)) || !is_name(name.of(payload)) {
            return Err(DecodeError::Pickle);
        }
        let (module, name) = (Text::unicode(module, payload)?, Text::unicode(name, payload)?);
        self.create_global(module, name)
    }

    fn create_global(&mut self, module: Text, name: Text) -> Result<Value, DecodeError> {
        let is_empty = |text: Text| text.code_points(self.graph.payload).next().is_none();
        if is_empty(module) || is_empty(name) {
            return Err(DecodeError::Pickle);
        }
        let known = Known::find(module, name, self.graph.payload);
        self.create(Node::Global(Box::new(Global { module, name, known })))
    }

    /// `REDUCE` and `NEWOBJ`, which differ in whether a class's `__init__` runs.
    pub(super) fn reduce(&mut self) -> Result<(), DecodeError> {
        let args = self.pop()?;
        let callable = self.pop()?;
        let value = self.call(callable, args)?;
        self.push(value)
    }

    pub(super) fn newobj_ex(&mut self) -> Result<(), DecodeError> {
        let kwargs = self.pop()?;
        let args = self.pop()?;
        let class = self.pop()?;
        let value = match self.graph.node(kwargs) {
            Some(Node::Dict(none)) if none.is_empty() => self.call(class, args),
            Some(Node::Dict(entries)) if entries.iter().all(|(key, _)| self.is_keyword(*key)) => {
                self.opaque_with(class, args, kwargs)
            }
            _ => Err(DecodeError::Pickle),
        }?;
        self.push(value)
    }

    /// Whether Python takes it for the name of an argument.
    fn is_keyword(&self, key: Value) -> bool {
        self.graph.text(key).is_some_and(|name| !name.is_bytes())
    }

    pub(super) fn inst(&mut self) -> Result<(), DecodeError> {
        let args = self.pop_mark()?;
        let class = self.global_lines(<[u8]>::is_ascii)?;
        self.instantiate(class, args)
    }

    pub(super) fn obj(&mut self) -> Result<(), DecodeError> {
        let mut args = self.pop_mark()?;
        if args.is_empty() {
            return Err(DecodeError::Pickle);
        }
        let class = args.remove(0);
        self.instantiate(class, args)
    }

    fn instantiate(&mut self, class: Value, args: Vec<Value>) -> Result<(), DecodeError> {
        let args = self.create_tuple(args)?;
        let value = self.call(class, args)?;
        self.push(value)
    }

    pub(super) fn build(&mut self) -> Result<(), DecodeError> {
        let state = self.pop()?;
        let top = self.top()?;
        let is_nothing = self.sets_nothing(state);
        match self.graph.node_mut(top) {
            Some(Node::Object(object)) => object.state = state,
            Some(Node::Global(_)) => {}
            _ if is_nothing => {}
            _ => return Err(DecodeError::Pickle),
        }
        Ok(())
    }

    /// Whether a state is one that plain data may be given: `pickle.py` passes over all that is false, and takes a
    /// pair for the states of the instance's dict and of its slots (Python 3.11 `_Unpickler.load_build`).
    fn sets_nothing(&self, state: Value) -> bool {
        match self.graph.tuple_items(state) {
            Some(&[dict, slots]) => self.graph.is_false(dict) && self.graph.is_false(slots),
            _ => self.graph.is_false(state),
        }
    }
}
