//! The stack machine of Python's `_pickle.c` (3.11), without anything that could run.

use std::collections::HashMap;

use super::super::{DecodeError, Limits};
use super::input::Input;
use super::number;
use super::opcode as op;
use super::text::{Kind, Text};
use super::value::{Graph, Node, Value};

pub(super) struct Machine<'p> {
    pub(super) graph: Graph<'p>,
    pub(super) input: Input<'p>,
    stack: Vec<Value>,
    /// Heights of the stack at each `MARK`. What lies below the last one is out of reach.
    marks: Vec<usize>,
    /// Sparse: a memo index may be any number.
    memo: HashMap<u64, Value>,
    values_left: usize,
}

impl<'p> Machine<'p> {
    pub(super) fn new(payload: &'p [u8], limits: &Limits) -> Self {
        Self {
            graph: Graph::new(payload),
            input: Input::new(payload),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            values_left: limits.pickle_values,
        }
    }

    /// Runs up to `STOP` and returns what lies on top of the stack there.
    pub(super) fn run(mut self) -> Result<(Graph<'p>, Value), DecodeError> {
        loop {
            match self.input.byte()? {
                op::STOP => {
                    let value = self.pop()?;
                    return Ok((self.graph, value));
                }
                opcode => self.step(opcode)?,
            }
        }
    }

    /// The same. Where the input was cut, or a limit is reached, this is what lies at the bottom of the stack,
    /// and why there is no more.
    pub(super) fn run_far(
        mut self,
        is_cut: bool,
    ) -> Result<(Graph<'p>, Value, Option<DecodeError>), DecodeError> {
        loop {
            let stepped = match self.input.byte() {
                Ok(op::STOP) => {
                    let value = self.pop()?;
                    return Ok((self.graph, value, None));
                }
                Ok(opcode) => self.step(opcode),
                Err(why) => Err(why),
            };
            match stepped {
                Ok(()) => {}
                Err(DecodeError::TooComplex) => return self.unfinished(DecodeError::TooComplex),
                Err(_) if is_cut && self.input.is_over() => {
                    return self.unfinished(DecodeError::TooLarge);
                }
                Err(why) => return Err(why),
            }
        }
    }

    /// The dict at the bottom of the stack, with the items that are still to go into it.
    fn unfinished(
        mut self,
        why: DecodeError,
    ) -> Result<(Graph<'p>, Value, Option<DecodeError>), DecodeError> {
        let Some((&bottom, above)) = self.stack.split_first() else { return Err(why) };
        // Between the first `MARK` and the second come keys and values. What is on top may be unfinished itself.
        let items = match *self.marks {
            [1] => above,
            [1, end, ..] => above.get(..end - 1).unwrap_or_default(),
            _ => &[],
        };
        let (pairs, _) = items.split_last().map_or(items, |(_, below)| below).as_chunks();
        match self.graph.node_mut(bottom) {
            Some(Node::Dict(entries)) => {
                entries.extend(pairs.iter().map(|[key, value]| (*key, *value)));
            }
            _ => return Err(why),
        }
        Ok((self.graph, bottom, Some(why)))
    }

    fn step(&mut self, opcode: u8) -> Result<(), DecodeError> {
        match opcode {
            op::PROTO => self.proto(),
            op::FRAME => self.frame(),

            op::MARK => self.mark(),
            op::POP => self.discard(),
            op::POP_MARK => self.pop_mark().map(drop),
            op::DUP => self.top().and_then(|top| self.push(top)),

            op::PUT => self.put_line(),
            op::BINPUT => self.input.byte().and_then(|key| self.put(key.into())),
            op::LONG_BINPUT => self.input.u32().and_then(|key| self.put(key.into())),
            op::MEMOIZE => self.put(self.memo.len() as u64),
            op::GET => self.get_line(),
            op::BINGET => self.input.byte().and_then(|key| self.get(key.into())),
            op::LONG_BINGET => self.input.u32().and_then(|key| self.get(key.into())),

            op::NONE => self.push(Value::None),
            op::NEWTRUE => self.push(Value::Bool(true)),
            op::NEWFALSE => self.push(Value::Bool(false)),
            op::INT | op::LONG | op::FLOAT => self.number_line(opcode),
            op::BININT => self.input.i32().and_then(|int| self.push_int(int)),
            op::BININT1 => self.input.byte().and_then(|int| self.push_int(int)),
            op::BININT2 => self.input.u16().and_then(|int| self.push_int(int)),
            op::LONG1 | op::LONG4 => self.long(opcode),
            op::BINFLOAT => self.binfloat(),

            op::UNICODE | op::BINUNICODE | op::SHORT_BINUNICODE | op::BINUNICODE8 => {
                self.unicode(opcode)
            }
            op::STRING | op::BINSTRING | op::SHORT_BINSTRING => self.string(opcode),
            op::BINBYTES | op::SHORT_BINBYTES | op::BINBYTES8 | op::BYTEARRAY8 => {
                self.bytes(opcode)
            }
            op::READONLY_BUFFER => self.readonly_buffer(),

            op::EMPTY_TUPLE => self.tuple(0),
            op::TUPLE1 => self.tuple(1),
            op::TUPLE2 => self.tuple(2),
            op::TUPLE3 => self.tuple(3),
            op::TUPLE => self.pop_mark().and_then(|items| self.push_tuple(items)),
            op::EMPTY_LIST => self.push_node(Node::List(Vec::new())),
            op::LIST => self.pop_mark().and_then(|items| self.push_node(Node::List(items))),
            op::EMPTY_SET => self.push_node(Node::Set(Vec::new())),
            op::FROZENSET => self.frozenset(),
            op::EMPTY_DICT => self.push_node(Node::Dict(Vec::new())),
            op::DICT => self.dict(),

            op::APPEND => self.append(),
            op::APPENDS => self.pop_mark().and_then(|items| self.extend(items)),
            op::SETITEM => self.setitem(),
            op::SETITEMS => self.pop_mark().and_then(|flat| self.assign(&flat)),
            op::ADDITEMS => self.additems(),

            op::GLOBAL => self.global(),
            op::STACK_GLOBAL => self.stack_global(),
            op::REDUCE | op::NEWOBJ => self.reduce(),
            op::NEWOBJ_EX => self.newobj_ex(),
            op::INST => self.inst(),
            op::OBJ => self.obj(),
            op::BUILD => self.build(),

            _ => Err(DecodeError::Pickle),
        }
    }
}

/// The stack and the memo.
impl Machine<'_> {
    /// Counts what a pickle can do with a byte each, so that memory is bounded.
    pub(super) fn spend(&mut self, values: usize) -> Result<(), DecodeError> {
        self.values_left = self.values_left.checked_sub(values).ok_or(DecodeError::TooComplex)?;
        Ok(())
    }

    pub(super) fn push(&mut self, value: Value) -> Result<(), DecodeError> {
        self.spend(1)?;
        self.stack.push(value);
        Ok(())
    }

    fn push_int(&mut self, int: impl Into<i64>) -> Result<(), DecodeError> {
        self.push(Value::Int(int.into()))
    }

    pub(super) fn push_node(&mut self, node: Node) -> Result<(), DecodeError> {
        let value = self.create(node)?;
        self.push(value)
    }

    pub(super) fn create(&mut self, node: Node) -> Result<Value, DecodeError> {
        self.spend(1)?;
        self.graph.add(node)
    }

    fn fence(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    pub(super) fn top(&self) -> Result<Value, DecodeError> {
        self.stack.get(self.fence()..).and_then(<[Value]>::last).copied().ok_or(DecodeError::Pickle)
    }

    pub(super) fn pop(&mut self) -> Result<Value, DecodeError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn mark(&mut self) -> Result<(), DecodeError> {
        self.spend(1)?;
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// The topmost values, without looking below a `MARK`.
    pub(super) fn pop_many(&mut self, len: usize) -> Result<Vec<Value>, DecodeError> {
        let start = self.stack.len().checked_sub(len);
        self.pop_from(start.ok_or(DecodeError::Pickle)?)
    }

    /// What was pushed since the last `MARK`, which is forgotten.
    pub(super) fn pop_mark(&mut self) -> Result<Vec<Value>, DecodeError> {
        let start = self.marks.pop().ok_or(DecodeError::Pickle)?;
        self.pop_from(start)
    }

    /// Not `split_off`, whose result may keep the capacity of the whole stack.
    fn pop_from(&mut self, start: usize) -> Result<Vec<Value>, DecodeError> {
        if start < self.fence() {
            return Err(DecodeError::Pickle);
        }
        self.spend(self.stack.len() - start)?;
        Ok(self.stack.drain(start..).collect())
    }

    /// `POP`, which takes a `MARK` where that lies on top.
    fn discard(&mut self) -> Result<(), DecodeError> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn put_line(&mut self) -> Result<(), DecodeError> {
        let line = self.input.filled_line()?;
        self.put(number::memo_key(line.of(self.graph.payload))?)
    }

    fn put(&mut self, key: u64) -> Result<(), DecodeError> {
        self.spend(1)?;
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn get_line(&mut self) -> Result<(), DecodeError> {
        let line = self.input.filled_line()?;
        self.get(number::memo_key(line.of(self.graph.payload))?)
    }

    fn get(&mut self, key: u64) -> Result<(), DecodeError> {
        let value = self.memo.get(&key).copied().ok_or(DecodeError::Pickle)?;
        self.push(value)
    }
}

/// Scalars.
impl Machine<'_> {
    fn proto(&mut self) -> Result<(), DecodeError> {
        match self.input.byte()? {
            0..=5 => Ok(()),
            _ => Err(DecodeError::Pickle),
        }
    }

    /// A frame promises that so many bytes follow. `_pickle.c` wants them to be there, and does not care where between
    /// opcodes a frame ends; `pickle.py` does the opposite.
    fn frame(&mut self) -> Result<(), DecodeError> {
        let len = self.input.array().map(i64::from_le_bytes)?;
        if len < 0 { Err(DecodeError::Pickle) } else { Ok(()) }
    }

    fn number_line(&mut self, opcode: u8) -> Result<(), DecodeError> {
        let line = self.input.filled_line()?;
        let payload = self.graph.payload;
        let number = match (opcode, line.of(payload)) {
            (op::FLOAT, text) => Value::Float(number::float(text)?),
            (op::LONG, [digits @ .., b'L']) => number::long(line.first(digits.len()), payload)?,
            (op::LONG, _) => number::long(line, payload)?,
            _ => number::int(line, payload)?,
        };
        self.push(number)
    }

    fn long(&mut self, opcode: u8) -> Result<(), DecodeError> {
        let span = match opcode {
            op::LONG1 => self.input.counted1(),
            _ => self.input.counted4(),
        }?;
        self.push(number::little_endian(span, self.graph.payload))
    }

    fn binfloat(&mut self) -> Result<(), DecodeError> {
        let float = self.input.array().map(f64::from_be_bytes)?;
        self.push(Value::Float(float))
    }

    fn unicode(&mut self, opcode: u8) -> Result<(), DecodeError> {
        let payload = self.graph.payload;
        let text = match opcode {
            op::UNICODE => Text::raw_unicode_escape(self.input.line()?, payload),
            op::SHORT_BINUNICODE => Text::unicode(self.input.counted1()?, payload),
            op::BINUNICODE => Text::unicode(self.input.counted4()?, payload),
            _ => Text::unicode(self.input.counted8()?, payload),
        }?;
        self.push(Value::Text(text))
    }

    fn string(&mut self, opcode: u8) -> Result<(), DecodeError> {
        let payload = self.graph.payload;
        let text = match opcode {
            op::STRING => Text::literal(self.input.line()?, payload)?,
            op::SHORT_BINSTRING => Text::str(self.input.counted1()?, payload),
            _ => Text::str(self.input.counted4()?, payload),
        };
        self.push(Value::Text(text))
    }

    fn bytes(&mut self, opcode: u8) -> Result<(), DecodeError> {
        let bytes = Text::bytes(match opcode {
            op::SHORT_BINBYTES => self.input.counted1(),
            op::BINBYTES => self.input.counted4(),
            _ => self.input.counted8(),
        }?);
        self.push(Value::Text(match opcode {
            op::BYTEARRAY8 => bytes.of_kind(Kind::ByteArray),
            _ => bytes,
        }))
    }

    /// Freezes an out-of-band buffer, which Django never has; bytes are frozen already.
    fn readonly_buffer(&mut self) -> Result<(), DecodeError> {
        match self.top()? {
            Value::Text(text) if text.is_bytes() => Ok(()),
            _ => Err(DecodeError::Pickle),
        }
    }
}
