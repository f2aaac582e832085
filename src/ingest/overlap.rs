//! Objects that tell different things of the same day: a day that was sent again with corrections.
//!
//! Of each day of each object a sketch is kept, of a fixed size. Where most days have one object
//! only, two sketches of one day that agree in the customers and not in the lines are warned of. A
//! day that was sent twice with the same lines is harmless, and so is one that was sent again with
//! late lines: the lines are a set. A file for each store or each hour has other customers of the day,
//! or every day has several objects.

use std::collections::BTreeMap;

use super::report::thousands;
use crate::calendar::Day;
use crate::purchases::Line;

/// Into how many parts the customers and the lines of a day are sorted.
const PARTS: usize = 8;

/// Beyond so many sketches nothing is said.
const MAX_SKETCHES: usize = 1 << 18;

/// So many objects with the same lines of a day are compared with each other.
const COMPARED: usize = 8;

/// Days with fewer lines tell nothing.
const MIN_LINES: u32 = 5;

/// Which share of the parts must agree, so that the customers count as the same.
const SAME_CUSTOMERS: f64 = 0.75;

/// The lines of a day in one object. For each part the least hash, which is that of a random one of
/// its members: two sets have the same with the probability of their Jaccard index (Li, Owen and
/// Zhang, One Permutation Hashing, 2012).
#[derive(Debug, Clone, Copy)]
struct DaySketch {
    lines: u32,
    /// The sum of the lines' hashes, in whatever order they come.
    sum: u64,
    customers: [u32; PARTS],
    pairs: [u32; PARTS],
}

impl DaySketch {
    const EMPTY: Self = Self {
        lines: 0,
        sum: 0,
        customers: [u32::MAX; PARTS],
        pairs: [u32::MAX; PARTS],
    };

    #[inline]
    fn add(&mut self, line: &Line) {
        let customer = mixed(u64::from(line.customer));
        let pair = mixed(customer ^ u64::from(line.product));
        self.lines = self.lines.saturating_add(1);
        self.sum = self.sum.wrapping_add(pair);
        keep_least(&mut self.customers, customer);
        keep_least(&mut self.pairs, pair);
    }

    fn merge(&mut self, other: &Self) {
        self.lines = self.lines.saturating_add(other.lines);
        self.sum = self.sum.wrapping_add(other.sum);
        for (mine, other) in self.customers.iter_mut().zip(other.customers) {
            *mine = (*mine).min(other);
        }
        for (mine, other) in self.pairs.iter_mut().zip(other.pairs) {
            *mine = (*mine).min(other);
        }
    }

    /// Whether the other has nearly the same customers, and other lines than some more or fewer.
    fn contradicts(&self, other: &Self) -> bool {
        self.lines.min(other.lines) >= MIN_LINES
            && self.sum != other.sum
            && self.has_customers_of(other)
            && !self.is_part_of(other)
            && !other.is_part_of(self)
    }

    fn has_customers_of(&self, other: &Self) -> bool {
        let parts = self.customers.iter().zip(&other.customers);
        let filled = parts.filter(|(mine, other)| mine.min(other) < &&u32::MAX);
        let same: Vec<bool> = filled.map(|(mine, other)| mine == other).collect();
        let agreeing = same.iter().filter(|same| **same).count();
        agreeing as f64 >= SAME_CUSTOMERS * same.len() as f64
    }

    /// Whether all of the lines may be among those of the other, which has more.
    fn is_part_of(&self, other: &Self) -> bool {
        let mut parts = self.pairs.iter().zip(&other.pairs);
        self.lines < other.lines && parts.all(|(mine, other)| other <= mine)
    }
}

/// The finalizer of splitmix64, which spreads all bits.
#[inline]
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[inline]
fn keep_least(parts: &mut [u32; PARTS], hash: u64) {
    // The last three bits choose the part, the first 32 are compared.
    let part = &mut parts[(hash & 7) as usize];
    *part = (*part).min((hash >> 32) as u32);
}

/// The days of all objects so far.
#[derive(Debug, Default)]
pub(super) struct OverlappingObjects {
    /// Those of the object that is being read.
    present: BTreeMap<Day, DaySketch>,
    /// For each day its objects, by their positions among the names.
    days: BTreeMap<Day, Vec<(usize, DaySketch)>>,
    names: Vec<String>,
    sketches: usize,
}

impl OverlappingObjects {
    /// Adds lines of the present object, under the codes of the history.
    pub(super) fn add(&mut self, lines: impl Iterator<Item = Line>) {
        let mut sketch = DaySketch::EMPTY;
        let mut today = None;
        for line in lines {
            // Lines mostly come day by day.
            if today != Some(line.day) {
                self.keep(today.replace(line.day), &sketch);
                sketch = DaySketch::EMPTY;
            }
            sketch.add(&line);
        }
        self.keep(today, &sketch);
    }

    fn keep(&mut self, day: Option<Day>, sketch: &DaySketch) {
        if let Some(day) = day {
            let known = self.present.entry(day).or_insert(DaySketch::EMPTY);
            known.merge(sketch);
        }
    }

    /// Ends the present object.
    pub(super) fn end(&mut self, object: &str) {
        let present = std::mem::take(&mut self.present);
        self.sketches += present.len();
        if self.sketches > MAX_SKETCHES {
            self.days.clear();
            return;
        }
        for (day, sketch) in present {
            let objects = self.days.entry(day).or_default();
            objects.push((self.names.len(), sketch));
        }
        self.names.push(object.to_owned());
    }

    /// A warning of an object of which each day has the same lines in another object.
    pub(super) fn warning_of_copies(&self) -> Option<String> {
        let copies = self.copies();
        let ((copy, of), lines) = copies.first()?;
        let others = match copies.len() - 1 {
            0 => String::new(),
            others => format!(", and {others} more such objects"),
        };
        let (copy, of) = (self.names.get(*copy)?, self.names.get(*of)?);
        Some(format!(
            "all {} lines of {copy} are in {of} too{others}: a customer's lines of one day and product count once, but a copy hides \
             what was taken back and counts sales without a customer twice. Leave one out: name the objects that count with --input, \
             for example with a glob",
            thousands(*lines)
        ))
    }

    /// The objects that are part of another, with that one, and how many lines they have. Of two
    /// that are the same the later is the copy.
    fn copies(&self) -> Vec<((usize, usize), u64)> {
        let mut days_of = vec![(0_usize, 0_u64); self.names.len()];
        let mut same_days: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for objects in self.days.values() {
            let mut by_content: BTreeMap<(u64, u32), Vec<usize>> = BTreeMap::new();
            for (object, sketch) in objects {
                if let Some((days, lines)) = days_of.get_mut(*object) {
                    *days += 1;
                    *lines += u64::from(sketch.lines);
                }
                let content = (sketch.sum, sketch.lines);
                by_content.entry(content).or_default().push(*object);
            }
            for same in by_content.values() {
                // Of many copies it is enough to know some.
                let some = same.get(..same.len().min(COMPARED)).unwrap_or_default();
                for (at, one) in some.iter().enumerate() {
                    for other in some.iter().skip(at + 1) {
                        *same_days.entry((*other, *one)).or_default() += 1;
                        *same_days.entry((*one, *other)).or_default() += 1;
                    }
                }
            }
        }
        let mut copies: Vec<((usize, usize), u64)> = vec![];
        for ((copy, of), same) in same_days {
            let Some((days, lines)) = days_of.get(copy).copied() else {
                continue;
            };
            let is_whole = same == days && lines >= u64::from(MIN_LINES);
            let is_twin = days_of.get(of).is_some_and(|(of_days, _)| *of_days == days);
            let is_known = copies.iter().any(|((known, _), _)| *known == copy);
            if is_whole && (!is_twin || of < copy) && !is_known {
                copies.push(((copy, of), lines));
            }
        }
        copies
    }

    /// A warning of two objects that contradict each other.
    pub(super) fn warning(&self) -> Option<String> {
        let single = self.days.values().filter(|objects| objects.len() == 1);
        if 2 * single.count() <= self.days.len() {
            return None;
        }
        let mut contradictions = self
            .days
            .iter()
            .filter_map(|(day, objects)| Some((*day, contradiction(objects)?)));
        let (day, (first, second)) = contradictions.next()?;
        let others = match contradictions.count() {
            0 => String::new(),
            1 => " (and of one day more)".to_owned(),
            more => format!(" (and of {more} days more, perhaps in other objects)"),
        };
        let (first, second) = (self.names.get(first)?, self.names.get(second)?);
        Some(format!(
            "{first} and {second} both have lines of {day}{others}, of the same customers, but not the same lines: both count. \
             If one corrects the other, leave the older out: name the objects that count with --input, for example with a glob"
        ))
    }
}

/// The first two objects of a day that contradict each other.
fn contradiction(objects: &[(usize, DaySketch)]) -> Option<(usize, usize)> {
    let pairs = objects.windows(2).filter_map(|two| match two {
        [(first, one), (second, other)] if one.contradicts(other) => Some((*first, *second)),
        _ => None,
    });
    pairs.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: i32 = 19_000;

    /// The lines of a day: customers from `first` on, each with a product that `product` gives.
    fn day(day: i32, first: u32, product: impl Fn(u32) -> u32) -> Vec<Line> {
        let line = |customer| Line {
            customer,
            day: Day::from_epoch(FIRST + day),
            product: product(customer),
        };
        (first..first + 30).map(line).collect()
    }

    /// Twenty days, one object each, and then other objects.
    fn warning(others: &[(&str, Vec<Line>)]) -> Option<String> {
        let mut objects = OverlappingObjects::default();
        for number in 0..20 {
            objects.add(day(number, 0, |customer| customer % 7).into_iter());
            objects.end(&format!("{number}.csv"));
        }
        for (name, lines) in others {
            objects.add(lines.iter().copied());
            objects.end(name);
        }
        objects.warning()
    }

    #[test]
    fn a_corrected_day_is_warned_of() {
        let corrected = day(3, 0, |customer| (customer + 1) % 7);
        let warning = warning(&[("3_v2.csv", corrected)]).unwrap();
        assert!(
            warning.starts_with(
                "3.csv and 3_v2.csv both have lines of 2022-01-11, of the same customers"
            ),
            "{warning}"
        );
    }

    #[test]
    fn what_was_sent_twice_or_late_or_by_another_store_is_not() {
        let mut again = day(3, 0, |customer| customer % 7);
        again.reverse();
        assert_eq!(warning(&[("again.csv", again.clone())]), None);
        again.extend(day(3, 10, |customer| 100 + customer));
        assert_eq!(warning(&[("late lines too.csv", again)]), None);
        let other_store = day(3, 100, |customer| customer % 7);
        assert_eq!(warning(&[("store 2.csv", other_store)]), None);
        let few = day(3, 0, |customer| customer % 5)[..4].to_vec();
        assert_eq!(warning(&[("few.csv", few)]), None);
    }

    #[test]
    fn where_most_days_have_several_objects_nothing_is_said() {
        let others: Vec<(String, Vec<Line>)> = (0..12)
            .map(|number| {
                (
                    format!("b{number}.csv"),
                    day(number, 0, |customer| 50 + customer),
                )
            })
            .collect();
        let others: Vec<(&str, Vec<Line>)> = others
            .iter()
            .map(|(name, lines)| (name.as_str(), lines.clone()))
            .collect();
        assert_eq!(warning(&others), None);
        assert!(warning(&others[..9]).is_some());
    }

    #[test]
    fn a_copy_is_named_with_what_it_is_a_copy_of() {
        let product = |customer| customer % 7;
        let mut objects = OverlappingObjects::default();
        let two_days = [day(0, 0, product), day(1, 0, product)].concat();
        for (name, lines) in [
            ("both.csv", two_days.clone()),
            ("first.csv", day(0, 0, product)),
            ("other.csv", day(1, 0, |customer| customer % 5)),
        ] {
            objects.add(lines.into_iter());
            objects.end(name);
        }
        let warning = objects.warning_of_copies().unwrap();
        assert!(
            warning.starts_with("all 30 lines of first.csv are in both.csv too: "),
            "{warning}"
        );
        objects.add(two_days.into_iter().rev());
        objects.end("both (copy).csv");
        let copies: Vec<(usize, usize)> = objects.copies().iter().map(|(pair, _)| *pair).collect();
        assert_eq!(copies, [(1, 0), (3, 0)]);
    }
}
