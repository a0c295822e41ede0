//! Numbers as pickles write them: digits of any base, ints of any size.

use super::super::DecodeError;
use super::long::{Form, Long};
use super::text::Span;
use super::value::Value;

/// The argument of `LONG1` and `LONG4`.
pub(super) fn little_endian(span: Span, payload: &[u8]) -> Value {
    let bytes = span.of(payload);
    let negative = bytes.last().is_some_and(|b| *b >= 0x80);
    let sign = if negative { 0xff } else { 0 };
    let len = bytes.iter().rposition(|b| *b != sign).map_or(0, |at| at + 1);
    let mut word = [sign; 8];
    if let (Some(low), Some(digits)) = (word.get_mut(..len), bytes.get(..len)) {
        low.copy_from_slice(digits);
        let int = i64::from_le_bytes(word);
        if (int < 0) == negative {
            return Value::Int(int);
        }
    }
    Value::Long(Long {
        // One byte more than the digits, where there is one, to hold the sign.
        span: span.first(len + 1),
        form: Form::LittleEndian,
    })
}

/// The argument of `INT`, which C's `strtol` reads first: `010` is eight. Python 2 and 3 write
/// `True` as `01`, and `_pickle.c` takes any two characters that come to one for it.
pub(super) fn int(span: Span, payload: &[u8]) -> Result<Value, DecodeError> {
    let text = trim_start(up_to_nul(span.of(payload)));
    let (negative, digits) = sign(text);
    let (radix, digits) = match digits {
        [b'0', b'x' | b'X', hex @ ..] => (16, hex),
        [b'0', ..] => (8, digits),
        _ => (10, digits),
    };
    // Where nothing stands before a NUL, `strtol` reads nothing, and zero it is.
    let is_nothing = span.of(payload).first() == Some(&0);
    let all_digits =
        (!digits.is_empty() || is_nothing) && digits.iter().all(|b| is_digit(*b, radix));
    match all_digits.then(|| fold(negative, radix, digits)).flatten() {
        Some(int @ (0 | 1)) if span.len() == 2 => Ok(Value::Bool(int == 1)),
        Some(int) => Ok(Value::Int(int)),
        None => long(span, payload),
    }
}

/// The argument of `LONG` without its `L`, which Python's `int(text, 0)` reads.
pub(super) fn long(span: Span, payload: &[u8]) -> Result<Value, DecodeError> {
    let text = up_to_nul(span.of(payload));
    let literal = Literal::parse(text, None).ok_or(DecodeError::Pickle)?;
    match (literal.to_i64(), literal.radix) {
        (Some(int), _) => Ok(Value::Int(int)),
        (None, 10) => Ok(Value::Long(Long { span: span.first(text.len()), form: Form::Decimal })),
        (None, _) => Err(DecodeError::TooComplex),
    }
}

/// The argument of `PUT` and `GET`.
pub(super) fn memo_key(text: &[u8]) -> Result<u64, DecodeError> {
    Literal::parse(up_to_nul(text), Some(10))
        .and_then(|literal| literal.to_i64())
        .and_then(|int| u64::try_from(int).ok())
        .ok_or(DecodeError::Pickle)
}

/// The argument of `FLOAT`, as Python's `float(text)` reads it, which `pickle.py` calls and `_pickle.c` does not:
/// with spaces around it, and underscores between digits.
pub(super) fn float(text: &[u8]) -> Result<f64, DecodeError> {
    let text = trim_start(trim_end(up_to_nul(text)));
    let between_digits = |at: usize| {
        let digit =
            |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
        digit(at.checked_sub(1)) && digit(at.checked_add(1))
    };
    let mut underscores = text.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    let well_formed = underscores.all(|(at, _)| between_digits(at));
    let plain: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'_').collect();
    let number = str::from_utf8(&plain).ok().and_then(|text| text.parse().ok());
    number.filter(|_| well_formed).ok_or(DecodeError::Pickle)
}

/// A float as Python's `repr` has it, which `json.dumps` makes of a key.
pub(super) fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let text = format!("{value:?}");
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
    }
}

struct Literal<'p> {
    negative: bool,
    radix: u32,
    digits: &'p [u8],
}

impl<'p> Literal<'p> {
    /// What `PyLong_FromString` accepts (Python 3.11 `longobject.c`); with no radix, the digits' prefix tells it.
    fn parse(text: &'p [u8], radix: Option<u32>) -> Option<Self> {
        let (negative, digits) = sign(trim_start(trim_end(text)));
        let (given, digits) = match (radix, digits) {
            (Some(radix), _) => (radix, digits),
            (None, [b'0', b'x' | b'X', rest @ ..]) => (16, after_underscore(rest)),
            (None, [b'0', b'o' | b'O', rest @ ..]) => (8, after_underscore(rest)),
            (None, [b'0', b'b' | b'B', rest @ ..]) => (2, after_underscore(rest)),
            (None, _) => (10, digits),
        };
        let well_formed = digits
            .split(|b| *b == b'_')
            .all(|run| !run.is_empty() && run.iter().all(|b| is_digit(*b, given)));
        let old_octal = radix.is_none()
            && given == 10
            && digits.first() == Some(&b'0')
            && digits.iter().any(|b| matches!(b, b'1'..=b'9'));
        (well_formed && !old_octal).then_some(Self { negative, radix: given, digits })
    }

    fn to_i64(&self) -> Option<i64> {
        fold(self.negative, self.radix, self.digits)
    }
}

fn fold(negative: bool, radix: u32, digits: &[u8]) -> Option<i64> {
    digits.iter().filter(|b| **b != b'_').try_fold(0i64, |int, b| {
        let digit = i64::from(char::from(*b).to_digit(radix)?);
        let int = int.checked_mul(radix.into())?;
        if negative { int.checked_sub(digit) } else { int.checked_add(digit) }
    })
}

fn is_digit(byte: u8, radix: u32) -> bool {
    char::from(byte).is_digit(radix)
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

fn after_underscore(digits: &[u8]) -> &[u8] {
    digits.strip_prefix(b"_").unwrap_or(digits)
}

/// `_pickle.c` hands these on as C strings, which end at a NUL.
fn up_to_nul(text: &[u8]) -> &[u8] {
    text.split(|b| *b == 0).next().unwrap_or_default()
}

fn trim_start(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|b| is_space(**b)).count();
    text.get(spaces..).unwrap_or_default()
}

fn trim_end(text: &[u8]) -> &[u8] {
    let spaces = text.iter().rev().take_while(|b| is_space(**b)).count();
    text.get(..text.len() - spaces).unwrap_or_default()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}
