//! The corrections of the products' own trees, in words.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::BasketModel;
use super::corrections::{CORRECTION_COLUMNS, ProductTree};
use crate::calendar::Day;
use crate::domain::words::{in_one_line, shortened};
use crate::features::MISSING;
use crate::features::basket::{BASKET_COLUMNS, BASKET_FEATURES};
use crate::models::tree::{CorrectionLeaf, FeatureRange};
use crate::stats::rounded;

#[cfg(test)]
mod tests;

/// Corrections of the log-odds below this are left out: a reader would not notice them.
const LEAST_LOG_ODDS: f64 = 0.05;

/// How many characters of a product's id, and of its name, stand in a sentence.
const LONGEST_ID: usize = 60;

/// How a product is bought otherwise than one model for all products says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorrectionInWords {
    /// The product's id.
    pub product_id: String,
    /// What the product is called, where that is known. A model's file has ids alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_name: Option<String>,
    /// Its largest correction at the strength applied: what the odds are multiplied by, before the
    /// probability is calibrated.
    pub odds: f64,
    /// A sentence.
    pub words: String,
}

impl CorrectionInWords {
    /// The same with what the product is called, in the sentence too.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        let subject = subject(&self.product_id);
        let words = match self.words.strip_prefix(&subject) {
            Some(rest) => {
                let name = shortened(&in_one_line(name), LONGEST_ID);
                format!("{subject} ({name}){rest}")
            }
            None => self.words,
        };
        Self {
            product_name: Some(name.to_owned()),
            words,
            ..self
        }
    }
}

/// How a sentence names a product.
fn subject(product_id: &str) -> String {
    format!(
        "product {}",
        shortened(&in_one_line(product_id), LONGEST_ID)
    )
}

/// What a product's own tree makes of one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AppliedCorrection {
    /// The probability by one model for all products alone.
    pub probability_without: f64,
    /// What the odds are multiplied by, before the probability is calibrated: those of the two
    /// probabilities may differ by another factor.
    pub odds: f64,
    /// When this is so; empty if always.
    pub when: String,
}

impl BasketModel {
    /// The products whose own trees correct most at the strength applied, the largest corrections
    /// first.
    #[must_use]
    pub fn largest_corrections(&self, most: usize) -> Vec<CorrectionInWords> {
        let strength = self.corrections.strength;
        let mut corrections: Vec<CorrectionInWords> = self
            .products()
            .iter()
            .filter_map(|product| in_words(product, strength))
            .collect();
        // Of equal ones, the first product; products come by ascending id.
        corrections.sort_by(|a, b| b.odds.ln().abs().total_cmp(&a.odds.ln().abs()));
        corrections.truncate(most);
        corrections
    }

    /// What the own tree of a product, by what [`BasketModel::trees_by_code`] gives, makes of a row
    /// of features; `None` without a tree, or where trees correct nothing.
    #[must_use]
    pub fn applied_correction(
        &self,
        trees: &[Option<u32>],
        product: u32,
        row: &[f32],
    ) -> Option<AppliedCorrection> {
        let strength = self.corrections.strength;
        let tree = &self.tree_of(trees, product)?.tree;
        if strength <= 0.0 {
            return None;
        }
        let is_new = row[BASKET_COLUMNS.last_visits] <= MISSING;
        let leaf = tree.leaf(|feature| row[CORRECTION_COLUMNS[feature]]);
        Some(AppliedCorrection {
            probability_without: self.calibration.probability(self.pooled.log_odds(row)),
            odds: (strength * leaf.value).exp(),
            when: when(&leaf, is_new),
        })
    }
}

/// The largest corrections of a product upwards and downwards; `None` if nobody would notice them.
fn in_words(product: &ProductTree, strength: f64) -> Option<CorrectionInWords> {
    let mut leaves = product.tree.every_leaf();
    leaves.retain(|leaf| (strength * leaf.value).abs() >= LEAST_LOG_ODDS);
    leaves.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
    let largest = leaves.first()?;
    let contrary = leaves
        .iter()
        .find(|leaf| leaf.value.signum() != largest.value.signum());
    let mut both: Vec<&CorrectionLeaf> = [Some(largest), contrary].into_iter().flatten().collect();
    both.sort_by(|a, b| b.value.total_cmp(&a.value));
    let parts: Vec<String> = both.iter().map(|leaf| part(leaf, strength)).collect();
    Some(CorrectionInWords {
        product_id: product.product.clone(),
        product_name: None,
        odds: rounded((strength * largest.value).exp(), 4),
        words: format!(
            "{} is bought {}",
            subject(&product.product),
            parts.join(", and ")
        ),
    })
}

/// One leaf: "more often (odds × 1.80) up to 9 days after it was last bought".
fn part(leaf: &CorrectionLeaf, strength: f64) -> String {
    let direction = match leaf.value.total_cmp(&0.0) {
        Ordering::Less => "less often",
        _ => "more often",
    };
    let odds = (strength * leaf.value).exp();
    match when(leaf, true) {
        when if when.is_empty() => format!("{direction} (odds × {odds:.2})"),
        when => format!("{direction} (odds × {odds:.2}) {when}"),
    }
}

/// When a row falls into a leaf; empty if always. Products that are new to a customer are spoken of
/// only if `may_be_new`.
fn when(leaf: &CorrectionLeaf, may_be_new: bool) -> String {
    let ranges = leaf.ranges.iter();
    let ranges: Vec<String> = ranges
        .map(|range| range_in_words(range, may_be_new))
        .collect();
    ranges.join(" and ")
}

/// How the values of a feature are said: what stands before and after them, what a value is
/// multiplied by, and what stands for the value of a product that is new to the customer, if that
/// is below all others.
struct Phrase {
    column: usize,
    before: &'static str,
    after: &'static str,
    factor: f32,
    new: &'static str,
}

const fn phrase(column: usize, before: &'static str, after: &'static str) -> Phrase {
    Phrase {
        column,
        before,
        after,
        factor: 1.0,
        new: "",
    }
}

/// The phrases of shares, as percentages.
const fn percent(column: usize, before: &'static str, after: &'static str) -> Phrase {
    Phrase {
        factor: 100.0,
        ..phrase(column, before, after)
    }
}

/// The phrases of what only a product that was bought before has.
const fn of_bought(column: usize, before: &'static str, after: &'static str) -> Phrase {
    Phrase {
        new: " (or if it never was)",
        ..phrase(column, before, after)
    }
}

const PHRASES: [Phrase; 13] = [
    phrase(
        BASKET_COLUMNS.elapsed,
        "",
        "days after the customer's last purchase",
    ),
    phrase(
        BASKET_COLUMNS.expected_days,
        "if the customer is expected in",
        "days",
    ),
    phrase(
        BASKET_COLUMNS.basket_mean,
        "by customers with",
        "products in a basket",
    ),
    percent(
        BASKET_COLUMNS.share_since_first,
        "by customers with it in",
        "% of their baskets since the first time",
    ),
    percent(
        BASKET_COLUMNS.decay_95,
        "by customers with it in",
        "% of their baskets of late",
    ),
    percent(
        BASKET_COLUMNS.decay_80,
        "by customers with it in",
        "% of their latest baskets",
    ),
    of_bought(
        BASKET_COLUMNS.last_days,
        "",
        "days after it was last bought",
    ),
    of_bought(
        BASKET_COLUMNS.last_visits,
        "",
        "purchases after it was last bought",
    ),
    of_bought(
        BASKET_COLUMNS.due_days,
        "",
        "times its usual days after it was last bought",
    ),
    of_bought(
        BASKET_COLUMNS.due_visits,
        "",
        "times its usual purchases after it was last bought",
    ),
    of_bought(
        BASKET_COLUMNS.size_fit,
        "by customers whose baskets with it are",
        "times their usual size",
    ),
    phrase(
        BASKET_COLUMNS.product_trend,
        "while the store sells",
        "times as much of it as usual",
    ),
    percent(
        BASKET_COLUMNS.neighbour_score,
        "where similar customers have it in",
        "% of their baskets",
    ),
];

fn range_in_words(range: &FeatureRange, may_be_new: bool) -> String {
    let column = CORRECTION_COLUMNS[usize::from(range.feature)];
    if column == BASKET_COLUMNS.target_weekday {
        return weekdays(range);
    }
    let Some(phrase) = PHRASES.iter().find(|phrase| phrase.column == column) else {
        let name = BASKET_FEATURES.get(column).map_or("?", |it| it.name);
        return format!("where {name} is {}", values(range, 1.0));
    };
    let new = match may_be_new && range.above.is_none() {
        true => phrase.new,
        false => "",
    };
    let words = [phrase.before, &values(range, phrase.factor), phrase.after];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    format!("{}{new}", words.join(" "))
}

/// "up to 9", "over 9", "9 to 14".
fn values(range: &FeatureRange, factor: f32) -> String {
    match (range.above, range.up_to) {
        (Some(above), Some(up_to)) => {
            format!("{} to {}", number(factor * above), number(factor * up_to))
        }
        (Some(above), None) => format!("over {}", number(factor * above)),
        (None, Some(up_to)) => format!("up to {}", number(factor * up_to)),
        (None, None) => "anything".to_owned(),
    }
}

/// A value as a reader needs it: two digits.
fn number(value: f32) -> String {
    let decimals = match value.abs() {
        large if large >= 10.0 => 0,
        medium if medium >= 1.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// "on a Monday", "from Monday to Wednesday".
fn weekdays(range: &FeatureRange) -> String {
    let days = (0_u8..).zip(Day::WEEKDAYS);
    let inside: Vec<&str> = days
        .filter(|(day, _)| range.contains(f32::from(*day)))
        .map(|(_, name)| name)
        .collect();
    match inside.as_slice() {
        [] => "on no day".to_owned(),
        [day] => format!("on a {day}"),
        [first, .., last] => format!("from {first} to {last}"),
    }
}
