//! A text that is read from left to right.

use std::ops::RangeInclusive;

/// What is left of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanner<'a>(&'a [u8]);

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    pub(super) fn advance(&mut self) {
        self.0 = self.0.get(1..).unwrap_or_default();
    }

    /// Takes a byte if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.advance();
        }
        is_next
    }

    /// Skips blanks, and says whether there were any.
    pub(super) fn blanks(&mut self) -> bool {
        let rest = self.0.trim_ascii_start();
        let had_any = rest.len() < self.0.len();
        self.0 = rest;
        had_any
    }

    fn take_while(&mut self, is_part: impl Fn(u8) -> bool) -> &'a [u8] {
        let len = self.0.iter().take_while(|byte| is_part(**byte)).count();
        let (taken, rest) = self.0.split_at_checked(len).unwrap_or((self.0, &[]));
        self.0 = rest;
        taken
    }

    /// The digits that come next, one or more.
    pub(super) fn digits(&mut self) -> Option<&'a [u8]> {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        (!digits.is_empty()).then_some(digits)
    }

    /// A number of so many digits.
    pub(super) fn number_of(&mut self, digits: RangeInclusive<usize>) -> Option<u32> {
        let mut ahead = *self;
        let found = ahead
            .digits()
            .filter(|found| digits.contains(&found.len()))?;
        *self = ahead;
        super::number(found)
    }

    /// The ASCII letters that come next, perhaps none.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.take_while(|byte| byte.is_ascii_alphabetic())
    }

    /// What may be the name of a zone: `Europe/Rome`, `Etc/GMT+5`, `CET`.
    pub(super) fn word_of_zone(&mut self) -> &'a [u8] {
        let mut ahead = *self;
        let letters = ahead.word();
        if !matches!(ahead.peek(), Some(b'/' | b'_')) {
            *self = ahead;
            return letters;
        }
        self.take_while(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte))
    }

    /// A fraction of a second, if one follows, in microseconds: `.5`, `,123456789`, `:123`. `None` if
    /// no digit follows its mark.
    pub(super) fn fraction(&mut self) -> Option<i64> {
        let (Some(b'.' | b',' | b':'), Some(next)) = (self.peek(), self.0.get(1)) else {
            return Some(0);
        };
        if !next.is_ascii_digit() {
            return None;
        }
        self.advance();
        let digits = self.digits()?;
        let micro = digits.get(..6).unwrap_or(digits);
        let scale = 10_i64.pow(6 - u32::try_from(micro.len()).ok()?);
        Some(i64::from(super::number(micro)?) * scale)
    }

    /// Skips what stands in brackets; whether they are closed.
    pub(super) fn skip_bracket(&mut self, open: u8, close: u8) -> bool {
        if !self.eat(open) {
            return false;
        }
        self.take_while(|byte| byte != close);
        self.eat(close)
    }
}
