//! Columns that flag voided lines: `Storniert` with ja and nein, `is_void` with 1 and 0, `Belegart`
//! with STORNO and BON.

use std::collections::{BTreeMap, BTreeSet};

use super::fits::{NEARLY_ALL, cell, day_of, quoted};
use super::meaning::ColumnMeaning;
use super::profile::ColumnProfile;
use super::proposals::Proposals;
use super::values::{ValueShape, quantity_of, shape_of};
use super::words::{fold, tokens};
use crate::domain::words::in_shell;
use crate::ingest::filters::RowFilter;

/// Beginnings of words for what was voided, folded.
const VOID: [&str; 21] = [
    "void",
    "storn",
    "sztorn",
    "estorn",
    "cancel",
    "annul",
    "geannul",
    "anul",
    "iptal",
    "makuler",
    "peruut",
    "deleted",
    "gelosch",
    "geloesch",
    "supprim",
    "отмен",
    "аннулир",
    "作废",
    "取消",
    "취소",
    "無効",
];

/// Words of a name that turn its meaning round.
const NOT: [&str; 5] = ["not", "non", "no", "nicht", "kein"];

/// What flags say of a line to which they apply, folded.
const YES: [&str; 25] = [
    "1", "1.0", "x", "ja", "j", "yes", "y", "true", "t", "wahr", "oui", "o", "vrai", "si", "s",
    "sim", "da", "tak", "evet", "igen", "ano", "kylla", "да", "on", "*",
];

/// What they say of all other lines, folded.
const NO: [&str; 21] = [
    "0", "0.0", "nein", "n", "no", "false", "f", "falsch", "non", "faux", "nao", "nie", "ne",
    "nej", "nee", "ei", "hayir", "nem", "нет", "off", "ok",
];

/// A flag has at most so many values.
const VALUES: usize = 6;

/// Where so large a share of the flagged lines has another line of the same customer, day and
/// product, they take that one back.
const TWINS: f64 = 0.9;

/// Fewer flagged lines do not tell whether they take others back.
const FEWEST_FLAGGED: usize = 10;

/// What a column says of voided lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum VoidFlag {
    /// Lines with these values were voided.
    Values(Vec<String>),
    /// Lines with any value were: it has the time at which they were.
    AnyValue,
    /// No line of the sample was.
    Unseen,
    /// The name speaks of voided lines; the values do not tell which.
    Unclear,
}

/// Whether a column flags voided lines, by its name or by its values.
pub(super) fn void_flag(profile: &ColumnProfile) -> Option<VoidFlag> {
    let values = || profile.counts.keys();
    let words = tokens(&profile.name);
    if !words.iter().any(|word| is_void(word)) {
        let voided: Vec<String> = values().filter(|value| is_void(value)).cloned().collect();
        let is_flag = (2..=VALUES).contains(&profile.distinct)
            && profile.share_of_numbers() == 0.0
            && !voided.is_empty()
            && voided.len() < profile.distinct;
        return is_flag.then_some(VoidFlag::Values(voided));
    }
    if words.iter().any(|word| NOT.contains(&word.as_str())) {
        return Some(VoidFlag::Unclear);
    }
    let voided: Vec<String> = values()
        .filter(|value| is_void(value) || YES.contains(&fold(value).as_str()))
        .cloned()
        .collect();
    let are_known = profile.distinct <= VALUES
        && values().all(|value| voided.contains(value) || NO.contains(&fold(value).as_str()));
    let are_times = profile.nulls > 0 && profile.share_of_dates() >= NEARLY_ALL;
    let are_all = profile.nulls == 0 && voided.len() == profile.distinct;
    Some(match (are_known, voided.is_empty()) {
        (true, true) => VoidFlag::Unseen,
        (true, false) if !are_all => VoidFlag::Values(voided),
        (false, _) if are_times => VoidFlag::AnyValue,
        _ => VoidFlag::Unclear,
    })
}

fn is_void(word: &str) -> bool {
    let word = fold(word);
    VOID.iter().any(|void| word.starts_with(void))
}

/// What the lines look like that a flag applies to.
#[derive(Debug, Default)]
struct FlaggedLines {
    count: usize,
    negative: usize,
    /// Of those with a known customer, how many there are, and how many have a line that is not
    /// flagged of the same customer, day and product.
    known: usize,
    twins: usize,
}

impl FlaggedLines {
    /// Whether they take back other lines, rather than being what was voided.
    fn take_back(&self) -> bool {
        self.known >= FEWEST_FLAGGED && self.twins as f64 >= TWINS * self.known as f64
    }
}

impl Proposals<'_> {
    /// Proposes to leave out, or to subtract, the lines that a column flags as voided. `is_given`
    /// says whether the owner has said which rows are read, or take back.
    pub(super) fn propose_void_flag(&mut self, profile: &ColumnProfile, is_given: bool) {
        let Some(flag) = void_flag(profile) else {
            return;
        };
        let column = quoted(&profile.name);
        let filter = match flag {
            VoidFlag::Values(voided) => filter(profile, voided, true),
            VoidFlag::AnyValue => filter(profile, self.without_value(profile), false),
            VoidFlag::Unseen => {
                let mut others = self.without_value(profile);
                others.extend(profile.counts.keys().cloned());
                let others = filter(profile, others, false).to_string();
                return self.check.push(format!(
                    "{column} looks like a flag of voided lines, and no line that was looked at is flagged: to leave out all that are, \
                     use --where {}",
                    in_shell(&others)
                ));
            }
            VoidFlag::Unclear => {
                return self.check.push(format!(
                    "by its name {column} tells of voided lines, but its values do not say which these are, and it is not read: \
                     if lines were voided, leave them out with --where"
                ));
            }
        };
        let lines = self.flagged_lines(profile, &filter);
        if lines.count > 0 {
            self.propose_flagged(&column, &filter, &lines, is_given);
        }
    }

    fn propose_flagged(
        &mut self,
        column: &str,
        filter: &RowFilter,
        lines: &FlaggedLines,
        is_given: bool,
    ) {
        let rows = self.sample.rows.len();
        let found = format!(
            "{column} flags {} of the {rows} lines that were looked at as voided",
            lines.count
        );
        let leave_out = format!("--where {}", in_shell(&filter.to_string()));
        let opposite = RowFilter {
            is_negated: !filter.is_negated,
            ..filter.clone()
        };
        if lines.negative * 10 >= lines.count * 9 {
            self.sure.push(format!(
                "{found}, and their quantities are below 0: they cancel what they take back, so nothing is left out"
            ));
        } else if is_given {
            self.check.push(format!(
                "{found}: see that your --where or --returns takes care of them, or use {leave_out}"
            ));
        } else if lines.count * 2 > rows {
            self.check.push(format!(
                "{found}, more than half, and nothing is left out: if the flag is right, use {leave_out}"
            ));
        } else if lines.take_back() {
            self.check.push(format!(
                "{found}, and nearly all of them stand beside another line of the same customer, day and product: taken for lines that \
                 take that one back, with returns = [\"{opposite}\"]. If they are themselves what was voided, use {leave_out} instead"
            ));
            let reason = format!("{column} flags lines that take back another line");
            self.add_rows("input.returns", opposite.to_string(), &reason);
        } else {
            self.check.push(format!(
                "{found}: only lines with {filter} are read. If they take back other lines, use --returns {} instead",
                in_shell(&opposite.to_string())
            ));
            let reason = format!("{column} flags lines that were voided");
            self.add_rows("input.where", filter.to_string(), &reason);
        }
    }

    /// What stands in the rows that have no value in a column: nothing, or words such as NULL.
    fn without_value(&self, profile: &ColumnProfile) -> Vec<String> {
        let texts: BTreeSet<&str> = self
            .sample
            .rows
            .iter()
            .map(|row| cell(row, profile.position).unwrap_or_default())
            .filter(|text| text.is_empty() || shape_of(text) == ValueShape::Null)
            .collect();
        texts.into_iter().map(str::to_owned).collect()
    }

    fn flagged_lines(&self, profile: &ColumnProfile, filter: &RowFilter) -> FlaggedLines {
        let position = |role| self.roles.choice(role)?.position;
        let at = [
            ColumnMeaning::Customer,
            ColumnMeaning::Time,
            ColumnMeaning::Product,
        ]
        .map(position);
        let quantity = position(ColumnMeaning::Quantity);
        let mut lines = FlaggedLines::default();
        // Whether a line that is not flagged was met, and how many were that are.
        let mut sales: BTreeMap<[&str; 3], (bool, usize)> = BTreeMap::new();
        for row in &self.sample.rows {
            let is_flagged = !filter.meets(cell(row, profile.position).unwrap_or_default());
            let [customer, time, product] = at.map(|at| cell(row, at?));
            if let (Some(customer), Some(time), Some(product)) = (customer, time, product) {
                let sale = sales.entry([customer, day_of(time), product]).or_default();
                sale.0 |= !is_flagged;
                sale.1 += usize::from(is_flagged);
            }
            let number = quantity.and_then(|at| cell(row, at)).and_then(quantity_of);
            lines.count += usize::from(is_flagged);
            lines.negative += usize::from(is_flagged && number.is_some_and(|number| number < 0.0));
        }
        lines.known = sales.values().map(|(_, flagged)| flagged).sum();
        let twins = sales.values().filter(|(is_sold, _)| *is_sold);
        lines.twins = twins.map(|(_, flagged)| flagged).sum();
        lines
    }
}

fn filter(profile: &ColumnProfile, values: Vec<String>, is_negated: bool) -> RowFilter {
    RowFilter {
        column: profile.name.clone(),
        values,
        is_negated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(name: &str, values: &[&str]) -> Option<VoidFlag> {
        let rows: Vec<Vec<Option<String>>> = values
            .iter()
            .map(|value| vec![(!value.is_empty()).then(|| (*value).to_owned())])
            .collect();
        void_flag(&ColumnProfile::new(name, 0, &rows))
    }

    #[test]
    fn flags_are_known_in_several_languages() {
        for (name, yes, no) in [
            ("Storniert", "ja", "nein"),
            ("Storno", "J", "N"),
            ("Storno", "1", "0"),
            ("void", "1", "0"),
            ("is_void", "true", "false"),
            ("isVoided", "True", "False"),
            ("voided", "Y", "N"),
            ("Stornokennzeichen", "X", ""),
            ("cancelled", "1", "0"),
            ("annulé", "oui", "non"),
            ("anulado", "S", "N"),
            ("Belegart", "STORNO", "BON"),
        ] {
            let found = flag(name, &[no, no, yes, no]);
            assert_eq!(found, Some(VoidFlag::Values(vec![yes.into()])), "{name}");
        }
        let at = flag("voided_at", &["", "2024-03-01 10:00", ""]);
        assert_eq!(at, Some(VoidFlag::AnyValue));
    }

    #[test]
    fn what_flags_no_line_of_the_sample_is_known_by_its_name() {
        assert_eq!(flag("Storno", &["0", "0"]), Some(VoidFlag::Unseen));
        assert_eq!(flag("Storno", &["", ""]), Some(VoidFlag::Unseen));
        for (name, values) in [
            ("void", ["1", "1"]),
            ("not_voided", ["1", "0"]),
            ("void_reason", ["broken", "wrong"]),
        ] {
            assert_eq!(flag(name, &values), Some(VoidFlag::Unclear), "{name}");
        }
    }

    #[test]
    fn other_columns_are_no_flags() {
        for (name, values) in [
            ("promo", ["1", "0"]),
            ("annual", ["Y", "N"]),
            ("avoided", ["Y", "N"]),
            ("type", ["A", "B"]),
        ] {
            assert_eq!(flag(name, &values), None, "{name}");
        }
    }
}
