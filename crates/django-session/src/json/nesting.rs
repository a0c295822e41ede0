//! Records which lists and objects are open, with one bit for each: most payloads need no memory for that.

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Open {
    Object,
    Array,
}

#[derive(Default)]
pub(super) struct Nesting {
    depth: usize,
    /// The innermost of them, up to 64, the last in the lowest bit; what was above is zero.
    inner: u64,
    /// The others, in words that are full.
    outer: Vec<u64>,
}

impl Nesting {
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn push(&mut self, open: Open) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.inner);
        }
        self.inner = self.inner << 1 | u64::from(open == Open::Object);
        self.depth += 1;
    }

    pub(super) fn last(&self) -> Option<Open> {
        let last = if self.inner & 1 == 1 { Open::Object } else { Open::Array };
        (self.depth > 0).then_some(last)
    }

    pub(super) fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.inner >>= 1;
        if self.depth.is_multiple_of(64) {
            self.inner = self.outer.pop().unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_opened_last_is_closed_first() {
        let open = |depth: usize| if depth * depth % 7 < 3 { Open::Object } else { Open::Array };
        for top in [1, 63, 64, 65, 127, 128, 129, 1_000] {
            let mut nesting = Nesting::default();
            assert_eq!(nesting.last(), None);
            for round in 0..2 {
                for depth in 0..top {
                    nesting.push(open(depth + round));
                    assert_eq!(
                        (nesting.depth(), nesting.last()),
                        (depth + 1, Some(open(depth + round)))
                    );
                }
                for depth in (0..top).rev() {
                    assert_eq!(nesting.last(), Some(open(depth + round)));
                    nesting.pop();
                }
                assert_eq!((nesting.depth(), nesting.last()), (0, None));
            }
        }
    }
}
