//! One JSON object as a row.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Result;

use crate::ingest::row_reader::Cell;

/// The keys of an object.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) names: Vec<String>,
    /// The first whose value is an array that begins with an object.
    pub(super) nested: Option<String>,
    /// The first whose value is an object.
    pub(super) object: Option<String>,
    /// Those whose values are objects or arrays.
    pub(super) without_cell: Vec<String>,
}

/// The keys of an object, in their order.
///
/// # Errors
/// If it is no JSON object.
pub(super) fn keys_of(object: &[u8]) -> Result<Keys> {
    let mut keys = Keys::default();
    whole(object, KeysVisitor(&mut keys))?;
    Ok(keys)
}

/// Reads all of a text.
fn whole<'de, V: Visitor<'de>>(object: &'de [u8], visitor: V) -> Result<V::Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(object);
    let value = deserializer.deserialize_map(visitor)?;
    deserializer.end()?;
    Ok(value)
}

struct KeysVisitor<'a>(&'a mut Keys);

impl<'de> Visitor<'de> for KeysVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let nesting = map.next_value_seed(NestingSeed)?;
            if nesting == ValueNesting::Table {
                self.0.nested.get_or_insert_with(|| key.clone());
            }
            if nesting == ValueNesting::Object {
                self.0.object.get_or_insert_with(|| key.clone());
            }
            if nesting != ValueNesting::Cell {
                self.0.without_cell.push(key.clone());
            }
            self.0.names.push(key);
        }
        Ok(())
    }
}

/// What kind of value stands under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueNesting {
    Cell,
    Object,
    /// An array that begins with an object.
    Table,
    OtherArray,
}

/// Tells what kind of value it is.
struct NestingSeed;

impl<'de> DeserializeSeed<'de> for NestingSeed {
    type Value = ValueNesting;

    fn deserialize<D: Deserializer<'de>>(
        self,
        value: D,
    ) -> std::result::Result<ValueNesting, D::Error> {
        Ok(match value.deserialize_any(CellVisitor)? {
            CellOrNesting::Cell(_) => ValueNesting::Cell,
            CellOrNesting::Nesting(nesting) => nesting,
        })
    }
}

/// The keys of the objects as columns.
#[derive(Debug, Default)]
pub(super) struct JsonColumns {
    names: Vec<String>,
    is_wanted: Vec<bool>,
    /// Keys that came up while rows were read.
    new_keys: Vec<String>,
}

impl JsonColumns {
    /// The columns' names.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Adds the keys that are new.
    pub(super) fn add(&mut self, keys: Vec<String>) {
        for (at, key) in keys.into_iter().enumerate() {
            // Most objects have the same keys in the same order.
            if self.names.get(at) != Some(&key) && !self.names.contains(&key) {
                self.names.push(key);
                self.is_wanted.push(false);
            }
        }
    }

    /// Says which columns are read.
    pub(super) fn want(&mut self, columns: &[usize]) {
        for column in columns {
            if let Some(is_wanted) = self.is_wanted.get_mut(*column) {
                *is_wanted = true;
            }
        }
    }

    /// The keys that came up since they were asked for last.
    pub(super) fn take_new_keys(&mut self) -> Vec<String> {
        std::mem::take(&mut self.new_keys)
    }

    /// The wanted cells of an object.
    ///
    /// # Errors
    /// If it is no JSON object.
    pub(super) fn row<'de>(&mut self, object: &'de [u8]) -> Result<Vec<Cell<'de>>> {
        let mut cells = Vec::with_capacity(self.names.len());
        cells.resize_with(self.names.len(), || Cell::Null);
        whole(
            object,
            RowVisitor {
                columns: self,
                cells: &mut cells,
            },
        )?;
        Ok(cells)
    }

    /// The position of a key, which is likely at `guess`.
    fn position(&self, key: &str, guess: usize) -> Option<usize> {
        if self.names.get(guess).is_some_and(|name| name == key) {
            return Some(guess);
        }
        self.names.iter().position(|name| name == key)
    }
}

struct RowVisitor<'c, 'r, 'de> {
    columns: &'c mut JsonColumns,
    cells: &'r mut Vec<Cell<'de>>,
}

impl<'de> Visitor<'de> for RowVisitor<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let mut guess = 0;
        while let Some(key) = map.next_key_seed(TextSeed)? {
            let position = self.columns.position(&key, guess);
            let Some(at) = position else {
                map.next_value::<IgnoredAny>()?;
                if self.columns.names.len() < super::MAX_KEYS {
                    let key = key.into_owned();
                    self.columns.new_keys.push(key.clone());
                    self.columns.add(vec![key]);
                }
                continue;
            };
            guess = at + 1;
            if self.columns.is_wanted.get(at) == Some(&true) {
                let cell = map.next_value_seed(CellSeed)?;
                if let Some(place) = self.cells.get_mut(at) {
                    *place = cell;
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Text without a copy, where it has no escapes.
struct TextSeed;

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        value: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        value.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct CellSeed;

impl<'de> DeserializeSeed<'de> for CellSeed {
    type Value = Cell<'de>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        value: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        Ok(match value.deserialize_any(CellVisitor)? {
            CellOrNesting::Cell(cell) => cell,
            // An object or array is no value that could be read.
            CellOrNesting::Nesting(_) => Cell::NotText,
        })
    }
}

enum CellOrNesting<'de> {
    Cell(Cell<'de>),
    Nesting(ValueNesting),
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = CellOrNesting<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Self::Value, E> {
        Ok(CellOrNesting::Cell(Cell::Null))
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Self::Value, E> {
        Ok(CellOrNesting::Cell(Cell::Boolean(value)))
    }

    fn visit_i64<E>(self, number: i64) -> std::result::Result<Self::Value, E> {
        Ok(CellOrNesting::Cell(Cell::Integer(number)))
    }

    fn visit_u64<E>(self, number: u64) -> std::result::Result<Self::Value, E> {
        Ok(CellOrNesting::Cell(match i64::try_from(number) {
            Ok(number) => Cell::Integer(number),
            Err(_) => Cell::Text(Cow::Owned(number.to_string())),
        }))
    }

    fn visit_f64<E>(self, number: f64) -> std::result::Result<Self::Value, E> {
        Ok(CellOrNesting::Cell(Cell::Float(number)))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Self::Value, E> {
        Ok(CellOrNesting::Cell(Cell::Text(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Self::Value, E> {
        Ok(CellOrNesting::Cell(Cell::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut array: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let first = array.next_element_seed(NestingSeed)?;
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(CellOrNesting::Nesting(match first {
            Some(ValueNesting::Object) => ValueNesting::Table,
            _ => ValueNesting::OtherArray,
        }))
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(CellOrNesting::Nesting(ValueNesting::Object))
    }
}
