//! What a setting is: a key of okuo.toml that is declared in one place.
//!
//! `section!` declares one table of the file as the struct that the code reads. Each field has
//! its meaning (the doc comment), its type, its default and, if it needs one, its range. From that
//! follow the key of the file and the check of its value, and through `config` the variable, the
//! flag with its help, the line of `okuo config` and the row of the reference.

mod value;

use std::fmt;

pub use value::{SettingValue, ValueKind};

use crate::error::{Error, Result};

/// One key of okuo.toml, as it is declared.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The key, as in the file.
    pub key: &'static str,
    /// The lines of its doc comment.
    doc: &'static [&'static str],
    /// What type of value it has. A table of further settings is one, too.
    pub kind: ValueKind,
    /// What the key was called in earlier versions. These names are still understood.
    pub former_keys: &'static [&'static str],
    /// The values that it may have; `None` if it may have all of its type.
    pub allowed: Option<Allowed>,
    /// What to do about a value that is refused.
    hint: Option<&'static str>,
    /// A remark on the default, or what holds if there is none: `one a core`.
    pub default_note: Option<&'static str>,
    /// The commands that take it as a flag. On a table it holds for every key of the table.
    pub scope: Option<Scope>,
    /// The heading in the help that the flag stands under; on a table, all its flags.
    pub heading: Option<&'static str>,
    /// The flag's name, if it is not the key with hyphens.
    pub long: Option<&'static str>,
    /// The flag's letter.
    pub short: Option<char>,
    /// What the flag's value is called in the help: `DAYS`.
    pub value_name: &'static str,
    /// Whether the values of a list are separated by spaces, in the variable and after the flag.
    /// If not, they are separated by commas.
    pub spaces: bool,
    /// Whether a text of a list may have commas in it: then each use of the flag gives one text.
    pub undivided: bool,
    /// Whether the flag stands first under its heading.
    pub first: bool,
}

/// The commands that take a setting as a flag: those that do what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// They read tickets.
    Tickets,
    /// They use a registry of models.
    Registry,
    /// They train a model.
    Training,
    /// They publish a night.
    Publishing,
    /// They compute.
    Computing,
}

impl Setting {
    /// A setting with this key, doc comment and type. The methods below say what else holds for it.
    #[must_use]
    pub const fn new(
        key: &'static str,
        doc: &'static [&'static str],
        kind: ValueKind,
        former_keys: &'static [&'static str],
    ) -> Self {
        Self {
            key: without_raw_mark(key),
            doc,
            kind,
            former_keys,
            allowed: None,
            hint: None,
            default_note: None,
            scope: None,
            heading: None,
            long: None,
            short: None,
            value_name: "VALUE",
            spaces: false,
            undivided: false,
            first: false,
        }
    }

    /// Refuses all values but these.
    #[must_use]
    pub const fn allowed(mut self, allowed: Allowed) -> Self {
        self.allowed = Some(allowed);
        self
    }

    /// Says what to do about a value that is refused.
    #[must_use]
    pub const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Adds a remark to the default, or says what holds if there is none.
    #[must_use]
    pub const fn default_note(mut self, note: &'static str) -> Self {
        self.default_note = Some(note);
        self
    }

    /// Makes it a flag of these commands. On a table, every key of it becomes one.
    #[must_use]
    pub const fn flag(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Puts the flag under a heading of the help.
    #[must_use]
    pub const fn heading(mut self, heading: &'static str) -> Self {
        self.heading = Some(heading);
        self
    }

    /// Gives the flag another name than the key's.
    #[must_use]
    pub const fn long(mut self, long: &'static str) -> Self {
        self.long = Some(long);
        self
    }

    /// Gives the flag a letter.
    #[must_use]
    pub const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    /// Says what the flag's value is called in the help.
    #[must_use]
    pub const fn value(mut self, name: &'static str) -> Self {
        self.value_name = name;
        self
    }

    /// Separates the values of a list by spaces instead of commas.
    #[must_use]
    pub const fn spaces(mut self) -> Self {
        self.spaces = true;
        self
    }

    /// Takes each text of a list as it stands, with its commas.
    #[must_use]
    pub const fn undivided(mut self) -> Self {
        self.undivided = true;
        self
    }

    /// Puts the flag first under its heading.
    #[must_use]
    pub const fn first(mut self) -> Self {
        self.first = true;
        self
    }

    /// The settings within, if it is a table.
    #[must_use]
    pub const fn table(&self) -> Option<&'static [Setting]> {
        match self.kind {
            ValueKind::Table(settings) => Some(settings),
            _ => None,
        }
    }

    /// What it means: the doc comment's first paragraph, without the full stop at its end.
    #[must_use]
    pub fn meaning(&self) -> String {
        let lines = self.doc.iter().map(|line| line.trim());
        let first: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
        let text = first.join(" ");
        text.strip_suffix('.').map_or(text.clone(), str::to_owned)
    }

    /// The values that it may have, in words: `at least 1`.
    #[must_use]
    pub fn range(&self) -> Option<String> {
        let allowed = self.allowed?;
        Some(allowed.words(|bound| self.kind.show(bound)))
    }

    /// Refuses a number that is not allowed. `place` is what stands before the key in a message:
    /// nothing, or the table with a dot; `shown` is the value as the message has it.
    ///
    /// # Errors
    /// If the number is out of the range.
    pub fn check_number(&self, place: &str, number: f64, shown: &str) -> Result<()> {
        match self.range() {
            Some(range) if !self.allowed.is_some_and(|allowed| allowed.holds(number)) => {
                Err(self.refusal(place, &format!("{range}, but is {shown}")))
            }
            _ => Ok(()),
        }
    }

    /// The error of a value that is not what it should be.
    #[must_use]
    pub fn refusal(&self, place: &str, should_be: &str) -> Error {
        let error = Error::request(format!("{place}{} should be {should_be}", self.key));
        match self.hint {
            Some(hint) => error.hint(hint),
            None => error.hint(format!(
                "it means: {}. Without the key, its default holds, which `okuo config` shows",
                self.meaning()
            )),
        }
    }

    /// What stands in messages before the keys of this table. A key that has a flag is called by
    /// its name alone, any other one by its place in the file.
    #[must_use]
    pub fn place_of_keys(&self, place: &str) -> String {
        match self.scope {
            Some(_) => place.to_owned(),
            None => format!("{place}{}.", self.key),
        }
    }
}

/// A field's name as a key: a field that is named like a word of Rust has `r#` before it.
const fn without_raw_mark(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', rest @ ..] => match std::str::from_utf8(rest) {
            Ok(key) => key,
            Err(_) => field,
        },
        _ => field,
    }
}

/// The numbers that a setting may have. None of them is infinite or not a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Allowed {
    /// This value or more.
    AtLeast(f64),
    /// This value or less.
    AtMost(f64),
    /// The first value to the second, both included.
    Between(f64, f64),
    /// More than this value.
    Above(f64),
    /// A part of 1 that is not empty: more than 0, at most 1.
    PositiveShare,
}

impl Allowed {
    /// A count that must not be 0.
    pub const POSITIVE_COUNT: Self = Self::AtLeast(1.0);
    /// A part of 1.
    pub const SHARE: Self = Self::Between(0.0, 1.0);

    /// Whether the number is one of them.
    #[must_use]
    pub fn holds(self, number: f64) -> bool {
        number.is_finite()
            && match self {
                Self::AtLeast(least) => number >= least,
                Self::AtMost(most) => number <= most,
                Self::Between(least, most) => (least..=most).contains(&number),
                Self::Above(bound) => number > bound,
                Self::PositiveShare => number > 0.0 && number <= 1.0,
            }
    }

    /// The numbers in words, each bound as `show` writes it.
    fn words(self, show: impl Fn(f64) -> String) -> String {
        match self {
            Self::AtLeast(least) => format!("at least {}", show(least)),
            Self::AtMost(most) => format!("at most {}", show(most)),
            Self::Between(least, most) => format!("between {} and {}", show(least), show(most)),
            Self::Above(bound) => format!("above {}", show(bound)),
            Self::PositiveShare => "above 0 and at most 1".to_owned(),
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(|bound| bound.to_string()))
    }
}

/// Declares the keys of one table of okuo.toml as a struct.
///
/// Each field has its doc comment, `#[setting(default = …)]` and its type. After the default may
/// follow calls of the methods of [`Setting`]. `#[was("…")]` above it gives a former name of the
/// key. A field whose type is another such struct is a table within the table.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $(#[derive($($derived:ident),+)])?
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $(#[was($was:literal)])*
                #[setting(
                    default = $default:expr
                    $(, $method:ident($($argument:expr),*))*
                    $(,)?
                )]
                pub $key:ident: $type:ty,
            )+
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        $(#[derive($($derived),+)])?
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $(
                $(#[doc = $doc])*
                $(#[serde(alias = $was)])*
                pub $key: $type,
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default),+ }
            }
        }

        impl $name {
            /// The keys as they are declared, in the order of the fields.
            pub const SETTINGS: &'static [$crate::settings::Setting] = &[$(
                $crate::settings::Setting::new(
                    stringify!($key),
                    &[$($doc),*],
                    <$type as $crate::settings::SettingValue>::KIND,
                    &[$($was),*],
                )$(.$method($($argument),*))*
            ),+];

            /// Checks each value against its range. `place` stands before the keys in messages:
            /// nothing, or the table with a dot.
            ///
            /// # Errors
            /// If a value is out of its range.
            pub fn check_ranges(&self, place: &str) -> $crate::error::Result<()> {
                let mut settings = Self::SETTINGS.iter();
                $(
                    if let Some(setting) = settings.next() {
                        $crate::settings::SettingValue::check(&self.$key, setting, place)?;
                    }
                )+
                Ok(())
            }
        }

        impl $crate::settings::SettingValue for $name {
            const KIND: $crate::settings::ValueKind =
                $crate::settings::ValueKind::Table(Self::SETTINGS);

            fn check(
                &self,
                setting: &$crate::settings::Setting,
                place: &str,
            ) -> $crate::error::Result<()> {
                self.check_ranges(&setting.place_of_keys(place))
            }
        }
    };
}
pub(crate) use section;

#[cfg(test)]
mod tests;
