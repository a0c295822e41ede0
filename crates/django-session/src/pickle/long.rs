//! Python ints of any size.

use super::super::DecodeError;
use super::text::Span;

/// An int outside `i64`, left in the payload as it was written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Long {
    pub(super) span: Span,
    pub(super) form: Form,
}

/// How it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// Digits, perhaps with a sign, underscores and spaces.
    Decimal,
    /// Two's complement, least significant byte first.
    LittleEndian,
}

/// Bytes of an int that may be turned into decimal: that takes time that grows with their square.
/// 8,192 bits are as many as anything but a test has used.
const MAX_LONG: usize = 1024;

impl Long {
    pub(super) fn to_decimal(self, payload: &[u8]) -> Result<String, DecodeError> {
        let written = self.span.of(payload);
        match self.form {
            Form::Decimal => Ok(written
                .iter()
                .filter(|b| b.is_ascii_digit() || **b == b'-')
                .copied()
                .map(char::from)
                .collect()),
            Form::LittleEndian if written.len() > MAX_LONG => Err(DecodeError::TooComplex),
            Form::LittleEndian => Ok(signed_decimal(written)),
        }
    }
}

fn signed_decimal(little_endian: &[u8]) -> String {
    let negative = little_endian.last().is_some_and(|b| *b >= 0x80);
    if !negative {
        return decimal(little_endian);
    }
    let mut carry = true;
    let magnitude: Vec<u8> = little_endian
        .iter()
        .map(|b| {
            let (byte, overflow) = (!b).overflowing_add(carry.into());
            carry = overflow;
            byte
        })
        .collect();
    format!("-{}", decimal(&magnitude))
}

fn decimal(little_endian: &[u8]) -> String {
    const BASE: u64 = 1_000_000_000;
    let mut limbs: Vec<u64> = little_endian
        .chunks(4)
        .map(|bytes| bytes.iter().rev().fold(0, |limb, b| limb << 8 | u64::from(*b)))
        .collect();
    let mut groups = Vec::new();
    while !limbs.is_empty() {
        let mut rest = 0;
        for limb in limbs.iter_mut().rev() {
            let dividend = rest << 32 | *limb;
            *limb = dividend / BASE;
            rest = dividend % BASE;
        }
        groups.push(rest);
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
    }
    let digits: Vec<String> = groups.iter().rev().map(|g| format!("{g:09}")).collect();
    digits.concat().trim_start_matches('0').to_owned()
}
