//! Ids of customers or products → provisional codes, each id once.

use std::borrow::Cow;
use std::sync::Arc;

use polars::prelude::{InitHashMaps, PlHashMap};

use super::alike::{AlikeIds, alike};
use super::ids::{IdKey, RawId, is_digits};
use crate::domain::Ids;
use crate::error::{Error, Result};

/// How many bits of a hash choose the place of a recent integer.
const RECENT_BITS: u32 = 12;

/// The code of no id.
const NO_CODE: u32 = u32::MAX;

/// The codes of ids in a file's own dictionary that were looked up before, by their positions there.
#[derive(Debug, Default)]
pub(super) struct KnownCodes(Vec<u32>);

impl KnownCodes {
    /// Whether the id of a row has a code; `positions` are those of all rows, where the file has a
    /// dictionary.
    #[inline]
    pub(super) fn has(&self, positions: Option<&[u32]>, at: usize) -> bool {
        positions.is_some_and(|positions| self.code(positions, at) != NO_CODE)
    }

    #[inline]
    fn code(&self, positions: &[u32], at: usize) -> u32 {
        positions
            .get(at)
            .and_then(|position| self.0.get(*position as usize))
            .copied()
            .unwrap_or(NO_CODE)
    }

    fn learn(&mut self, positions: &[u32], at: usize, code: u32) {
        let Some(position) = positions.get(at).map(|position| *position as usize) else {
            return;
        };
        if self.0.len() <= position {
            self.0.resize(position + 1, NO_CODE);
        }
        if let Some(known) = self.0.get_mut(position) {
            *known = code;
        }
    }
}

/// Ids in the order in which they came; an id's position is its code.
#[derive(Debug, Clone)]
pub(super) struct IdDictionary {
    what: &'static str,
    /// The ids that [`IdDictionary::take_new`] has not taken yet, and how many it has.
    ids: Vec<StoredId>,
    taken: usize,
    integers: PlHashMap<i64, u32>,
    whole_floats: PlHashMap<i64, u32>,
    texts: PlHashMap<Arc<str>, u32>,
    from_text_column: bool,
    /// The last integer that fell on each place, with its code. Most lines name a customer or product
    /// that was met just before, and need no look-up in the large map.
    recent: Vec<(i64, u32)>,
    /// What the ids of the present object are.
    here: IdKinds,
    /// The first object whose ids are all integers, and the first that has text.
    of_integers: Option<String>,
    of_text: Option<String>,
}

/// Ids that are new, in the order of their codes.
#[derive(Debug)]
pub(super) struct NewIds {
    ids: Vec<StoredId>,
    from_text_column: bool,
    here: IdKinds,
}

#[derive(Debug, Clone, Default)]
struct IdKinds {
    integer: bool,
    text: bool,
}

#[derive(Debug, Clone)]
enum StoredId {
    Integer(i64),
    WholeFloat(i64),
    Text(Arc<str>),
}

/// Ids, and the codes that mean the same id as another code.
#[derive(Debug, PartialEq)]
pub(super) struct FinalIds {
    pub(super) ids: Ids,
    pub(super) same: SameCodes,
}

/// Codes that mean the same id as another code.
#[derive(Debug, Default, PartialEq)]
pub(super) struct SameCodes(PlHashMap<u32, u32>);

impl FinalIds {
    /// Whether some codes mean the same id.
    pub(super) fn merges(&self) -> bool {
        !self.same.0.is_empty()
    }

    /// The one code of an id.
    pub(super) fn one(&self, code: u32) -> u32 {
        self.same.one(code)
    }

    /// The text of a code, out of those of all ids; none of a code that no id has.
    pub(super) fn text(&self, code: u32, texts: &[Arc<str>]) -> Option<Arc<str>> {
        texts.get(self.one(code) as usize).cloned()
    }
}

impl SameCodes {
    /// The one code of an id.
    pub(super) fn one(&self, code: u32) -> u32 {
        self.0.get(&code).copied().unwrap_or(code)
    }
}

impl IdDictionary {
    /// An empty dictionary of `what`s.
    pub(super) fn new(what: &'static str) -> Self {
        Self {
            what,
            ids: vec![],
            taken: 0,
            integers: PlHashMap::new(),
            whole_floats: PlHashMap::new(),
            texts: PlHashMap::new(),
            from_text_column: false,
            recent: vec![(0, NO_CODE); 1 << RECENT_BITS],
            here: IdKinds::default(),
            of_integers: None,
            of_text: None,
        }
    }

    /// The code of an id that has a key, which was asked for before; a new one if it is new.
    #[inline]
    pub(super) fn code_of(&mut self, id: RawId<'_>) -> Result<u32> {
        match id.key() {
            Ok(key) => self.code(key, id.is_text()),
            Err(_) => Err(Error::system(format!(
                "a {} without an id was taken for a sale",
                self.what
            ))),
        }
    }

    /// The codes of the ids of some rows, all of which have keys. `positions` are those of the rows'
    /// ids in the file's own dictionary, if it has one, and `known` the codes that were looked up
    /// before. One column at a time, so that many look-ups wait for memory together.
    pub(super) fn codes_of<'a>(
        &mut self,
        rows: &[usize],
        id: impl Fn(usize) -> RawId<'a>,
        positions: Option<&[u32]>,
        known: &mut KnownCodes,
    ) -> Result<Vec<u32>> {
        let Some(positions) = positions else {
            return rows.iter().map(|at| self.code_of(id(*at))).collect();
        };
        let mut codes: Vec<u32> = rows.iter().map(|at| known.code(positions, *at)).collect();
        for (code, at) in codes
            .iter_mut()
            .zip(rows)
            .filter(|(code, _)| **code == NO_CODE)
        {
            // Met earlier in these very rows, or not yet.
            *code = known.code(positions, *at);
            if *code == NO_CODE {
                *code = self.code_of(id(*at))?;
                known.learn(positions, *at, *code);
            }
        }
        Ok(codes)
    }

    /// The code of a key; a new one if it is new.
    #[inline]
    pub(super) fn code(&mut self, key: IdKey<'_>, from_text_column: bool) -> Result<u32> {
        self.from_text_column |= from_text_column;
        self.here.text |= from_text_column;
        match key {
            IdKey::Integer(id) => self.code_of_integer(id),
            IdKey::WholeFloat(id) => self.code_of_whole_float(id),
            IdKey::Text(id) => self.code_of_text(id),
        }
    }

    #[inline]
    fn code_of_integer(&mut self, id: i64) -> Result<u32> {
        self.here.integer = true;
        // Multiplicative hashing (Knuth, The Art of Computer Programming 3, 6.4).
        let place =
            ((id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - RECENT_BITS)) as usize;
        if let Some((known, code)) = self.recent.get(place).copied()
            && known == id
            && code != NO_CODE
        {
            return Ok(code);
        }
        let code = match self.integers.get(&id) {
            Some(code) => *code,
            None => {
                let code = self.next()?;
                self.integers.insert(id, code);
                self.ids.push(StoredId::Integer(id));
                code
            }
        };
        if let Some(recent) = self.recent.get_mut(place) {
            *recent = (id, code);
        }
        Ok(code)
    }

    fn code_of_whole_float(&mut self, id: i64) -> Result<u32> {
        self.here.integer = true;
        if let Some(code) = self.whole_floats.get(&id) {
            return Ok(*code);
        }
        let code = self.next()?;
        self.whole_floats.insert(id, code);
        self.ids.push(StoredId::WholeFloat(id));
        Ok(code)
    }

    #[inline]
    fn code_of_text(&mut self, id: &str) -> Result<u32> {
        self.here.text = true;
        if let Some(code) = self.texts.get(id) {
            return Ok(*code);
        }
        let code = self.next()?;
        let id: Arc<str> = id.into();
        self.texts.insert(Arc::clone(&id), code);
        self.ids.push(StoredId::Text(id));
        Ok(code)
    }

    /// The ids that are new since the last call.
    pub(super) fn take_new(&mut self) -> NewIds {
        let ids = std::mem::take(&mut self.ids);
        self.taken += ids.len();
        NewIds {
            ids,
            from_text_column: self.from_text_column,
            here: std::mem::take(&mut self.here),
        }
    }

    /// Adds the new ids of a chunk, and appends the code here of each to `codes`.
    ///
    /// # Errors
    /// If there are more ids than codes.
    pub(super) fn merge(&mut self, new: NewIds, codes: &mut Vec<u32>) -> Result<()> {
        let NewIds {
            ids,
            from_text_column,
            here,
        } = new;
        for id in ids {
            codes.push(match &id {
                StoredId::Integer(id) => self.code(IdKey::Integer(*id), from_text_column)?,
                StoredId::WholeFloat(id) => self.code(IdKey::WholeFloat(*id), from_text_column)?,
                StoredId::Text(id) => self.code(IdKey::Text(id), from_text_column)?,
            });
        }
        self.here.integer |= here.integer;
        self.here.text |= here.text;
        Ok(())
    }

    /// The code here of each id of another dictionary, in the order of its codes; none where no id
    /// here means the same. The other has all of its ids.
    pub(super) fn codes_of_all(&self, other: &IdDictionary) -> Vec<Option<u32>> {
        let is_text = self.is_text();
        other.ids.iter().map(|id| self.find(id, is_text)).collect()
    }

    /// The code of an id; if no id is text, 7 is the same as 7.0.
    fn find(&self, id: &StoredId, is_text: bool) -> Option<u32> {
        let (written, otherwise) = match id {
            StoredId::Integer(id) => (self.integers.get(id), self.whole_floats.get(id)),
            StoredId::WholeFloat(id) => (self.whole_floats.get(id), self.integers.get(id)),
            StoredId::Text(id) => (self.texts.get(id), None),
        };
        written.or(otherwise.filter(|_| !is_text)).copied()
    }

    fn next(&self) -> Result<u32> {
        u32::try_from(self.taken + self.ids.len())
            .ok()
            .filter(|code| *code < NO_CODE)
            .ok_or_else(|| {
                Error::input(format!("there are more than 4,294,967,295 {}s", self.what))
                    .hint("give okuo a part of the stores at a time")
            })
    }

    /// Ends the present object: what its ids are is remembered.
    pub(super) fn end(&mut self, object: &str) {
        let IdKinds { integer, text } = std::mem::take(&mut self.here);
        match (integer, text) {
            (_, true) => _ = self.of_text.get_or_insert_with(|| object.to_owned()),
            (true, false) => _ = self.of_integers.get_or_insert_with(|| object.to_owned()),
            (false, false) => {}
        }
    }

    /// Whether at least one id is text, which makes all of them text.
    pub(super) fn is_text(&self) -> bool {
        self.from_text_column || !self.texts.is_empty()
    }

    /// Warnings of text ids that look like numbers, and of objects that write ids in different
    /// ways.
    pub(super) fn warnings(&self) -> Vec<String> {
        if !self.is_text() {
            return vec![];
        }
        [
            self.warning_of_whole_floats(),
            self.warning_of_decimal_commas(),
            self.warning_of_few_texts(),
            self.warning_of_two_ways(),
            self.warning_of_alike_ids(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn warning_of_whole_floats(&self) -> Option<String> {
        let mut whole_floats = self.ids.iter().filter_map(|id| match id {
            StoredId::WholeFloat(id) => Some(id),
            StoredId::Integer(_) | StoredId::Text(_) => None,
        });
        let first = whole_floats.next()?;
        Some(format!(
            "{} {} ids are written like floats, for example \"{first}.0\": they are taken as text, and differ from \"{first}\"",
            whole_floats.count() + 1,
            self.what
        ))
    }

    fn warning_of_decimal_commas(&self) -> Option<String> {
        let mut commas = self.text_ids().filter(|id| has_decimal_comma(id));
        let first = commas.next()?;
        Some(format!(
            "{} {} ids have a decimal comma, for example \"{first}\": they are taken as text; write ids as integers",
            commas.count() + 1,
            self.what
        ))
    }

    /// One slip makes all ids text, in the tables too.
    fn warning_of_few_texts(&self) -> Option<String> {
        let texts = self.texts.len();
        if self.from_text_column || texts * 100 >= self.ids.len() {
            return None;
        }
        let first = self.text_ids().next()?;
        Some(format!(
            "{texts} of {} {} ids are no integers, for example \"{first}\": therefore all are taken as text, and are text in the tables",
            self.ids.len(),
            self.what
        ))
    }

    fn warning_of_two_ways(&self) -> Option<String> {
        let (integers, text) = (self.of_integers.as_ref()?, self.of_text.as_ref()?);
        Some(format!(
            "the {what} ids are integers in {integers} and text in {text}: all are taken as text, and a {what} that is written in two ways counts as two",
            what = self.what
        ))
    }

    fn warning_of_alike_ids(&self) -> Option<String> {
        let written: Vec<Cow<'_, str>> = self.ids.iter().map(StoredId::written).collect();
        let AlikeIds {
            count,
            example: [one, other],
        } = alike(written.iter().map(|id| &**id))?;
        Some(format!(
            "{count} {} ids differ from another one by case, leading zeros or the Unicode form of letters alone, for example \"{one}\" and \"{other}\": they count as different; \
             write them in one way if they are the same",
            self.what
        ))
    }

    fn text_ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().filter_map(|id| match id {
            StoredId::Text(id) => Some(&**id),
            StoredId::Integer(_) | StoredId::WholeFloat(_) => None,
        })
    }

    /// Integers if all are, else text.
    pub(super) fn settle(self) -> FinalIds {
        let is_text = self.is_text();
        let Self {
            ids,
            integers,
            whole_floats,
            texts,
            ..
        } = self;
        drop((whole_floats, texts));
        if is_text {
            drop(integers);
            FinalIds {
                ids: Ids::Text(ids.into_iter().map(StoredId::into_text).collect()),
                same: SameCodes::default(),
            }
        } else {
            settle_integers(ids, &integers)
        }
    }
}

impl StoredId {
    /// The id as it was written.
    fn written(&self) -> Cow<'_, str> {
        match self {
            StoredId::Integer(id) => id.to_string().into(),
            StoredId::WholeFloat(id) => format!("{id}.0").into(),
            StoredId::Text(id) => Cow::Borrowed(id),
        }
    }

    /// The same, of an id that is needed no more.
    fn into_text(self) -> String {
        match self {
            StoredId::Integer(id) => id.to_string(),
            StoredId::WholeFloat(id) => format!("{id}.0"),
            StoredId::Text(id) => String::from(&*id),
        }
    }
}

/// Ids of which none is text; `integers` are the codes of those that are written as such.
fn settle_integers(ids: Vec<StoredId>, integers: &PlHashMap<i64, u32>) -> FinalIds {
    let mut same = PlHashMap::new();
    let mut settled = Vec::with_capacity(ids.len());
    for (code, id) in (0..).zip(ids) {
        match id {
            StoredId::Integer(id) => settled.push(id),
            StoredId::WholeFloat(id) => {
                // No line will name this code any more, so the history drops it.
                if let Some(written) = integers.get(&id) {
                    same.insert(code, *written);
                }
                settled.push(id);
            }
            StoredId::Text(_) => {}
        }
    }
    FinalIds {
        ids: Ids::Integer(settled),
        same: SameCodes(same),
    }
}

/// Whether a text is digits, a comma and digits.
fn has_decimal_comma(text: &str) -> bool {
    text.split_once(',')
        .is_some_and(|(whole, fraction)| is_digits(whole) && is_digits(fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_makes_all_ids_text_and_loses_none() {
        let mut ids = IdDictionary::new("customer");
        let codes: Vec<u32> = ["7", "007", "7", "-3"]
            .map(|id| ids.code(IdKey::of(id), false).unwrap())
            .to_vec();
        assert_eq!(codes, [0, 1, 0, 2]);
        assert_eq!(
            ids.settle().ids,
            Ids::Text(vec!["7".into(), "007".into(), "-3".into()])
        );
    }

    #[test]
    fn a_text_column_of_digits_stays_text() {
        let mut ids = IdDictionary::new("customer");
        ids.code(IdKey::of("7"), false).unwrap();
        ids.code(RawId::Text("8").key().unwrap(), true).unwrap();
        assert_eq!(ids.settle().ids, Ids::Text(vec!["7".into(), "8".into()]));
    }

    #[test]
    fn ids_like_floats_are_the_integers_that_they_mean() {
        let mut ids = IdDictionary::new("customer");
        let codes: Vec<u32> = ["211.0", "7", "211", "-3.0", "211.0"]
            .map(|id| ids.code(IdKey::of(id), false).unwrap())
            .to_vec();
        assert_eq!((&codes, ids.warnings()), (&vec![0, 1, 2, 3, 0], vec![]));
        let settled = ids.settle();
        assert_eq!(
            codes
                .into_iter()
                .map(|code| settled.one(code))
                .collect::<Vec<_>>(),
            [2, 1, 2, 3, 2]
        );
        assert_eq!(settled.ids, Ids::Integer(vec![211, 7, 211, -3]));
    }

    #[test]
    fn ids_like_floats_are_text_beside_text_and_warned_of() {
        let mut ids = IdDictionary::new("product");
        for id in ["1.0", "a.0", "2.0", "3", "-0.0", "1.00"] {
            ids.code(IdKey::of(id), false).unwrap();
        }
        let warnings = ids.warnings();
        assert!(
            warnings[0].starts_with("2 product ids are written like floats, for example \"1.0\""),
            "{warnings:?}"
        );
        let text = ["1.0", "a.0", "2.0", "3", "-0.0", "1.00"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(
            ids.settle(),
            FinalIds {
                ids: Ids::Text(text),
                same: SameCodes::default()
            }
        );
    }
}
