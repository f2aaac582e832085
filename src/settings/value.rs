//! The types that a setting may have.

use super::Setting;
use crate::error::Result;

/// What type of value a setting has.
#[derive(Debug, Clone, Copy)]
pub enum ValueKind {
    /// A whole number that the type can hold: the least and the most.
    Whole(i64, i64),
    /// A number that may have decimals.
    Number,
    /// True or false.
    Switch,
    /// Text.
    Text,
    /// A list of texts.
    Texts,
    /// A size in bytes: a number with a unit, such as `4GB`.
    Size,
    /// One of a few words. The function says what is wrong with another one.
    Choice {
        /// The words.
        words: &'static [&'static str],
        /// Refuses what is none of them.
        check: fn(&str) -> Result<()>,
    },
    /// A table with settings of its own.
    Table(&'static [Setting]),
}

impl ValueKind {
    /// The type, in a reader's words.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Whole(..) => "whole number".to_owned(),
            Self::Number => "number".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Texts => "list of texts".to_owned(),
            Self::Size => "size, such as `4GB`, or a number of bytes".to_owned(),
            Self::Choice { words, .. } => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                match words.split_last() {
                    Some((last, rest)) if !rest.is_empty() => {
                        format!("{} or {last}", rest.join(", "))
                    }
                    _ => words.concat(),
                }
            }
            Self::Table(_) => "table".to_owned(),
        }
    }

    /// A bound of a range, as messages show it.
    #[must_use]
    pub fn show(self, bound: f64) -> String {
        match self {
            Self::Size => format!("{} MB", bound / 1e6),
            _ => bound.to_string(),
        }
    }
}

/// A type that a setting may have.
pub trait SettingValue {
    /// What type of value that is.
    const KIND: ValueKind;

    /// Checks the value against the setting's range. `place` stands before the key in messages.
    ///
    /// # Errors
    /// If the value is not allowed.
    fn check(&self, setting: &Setting, place: &str) -> Result<()>;
}

/// Integers, whose range `i64` holds: TOML has no others.
macro_rules! whole_numbers {
    ($($type:ty: $least:expr, $most:expr;)+) => {$(
        impl SettingValue for $type {
            const KIND: ValueKind = ValueKind::Whole($least, $most);

            fn check(&self, setting: &Setting, place: &str) -> Result<()> {
                // Exact up to 2^53, which is more than any range has.
                setting.check_number(place, *self as f64, &self.to_string())
            }
        }
    )+};
}

whole_numbers! {
    u8: 0, u8::MAX as i64;
    u32: 0, u32::MAX as i64;
    i32: i32::MIN as i64, i32::MAX as i64;
    u64: 0, i64::MAX;
    usize: 0, i64::MAX;
}

impl SettingValue for f64 {
    const KIND: ValueKind = ValueKind::Number;

    fn check(&self, setting: &Setting, place: &str) -> Result<()> {
        setting.check_number(place, *self, &self.to_string())
    }
}

/// Types whose values are all allowed.
macro_rules! without_range {
    ($($type:ty: $kind:ident;)+) => {$(
        impl SettingValue for $type {
            const KIND: ValueKind = ValueKind::$kind;

            fn check(&self, _: &Setting, _: &str) -> Result<()> {
                Ok(())
            }
        }
    )+};
}

without_range! {
    bool: Switch;
    String: Text;
    Vec<String>: Texts;
}

impl<T: SettingValue> SettingValue for Option<T> {
    const KIND: ValueKind = T::KIND;

    fn check(&self, setting: &Setting, place: &str) -> Result<()> {
        self.as_ref()
            .map_or(Ok(()), |value| value.check(setting, place))
    }
}
