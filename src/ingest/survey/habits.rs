//! What stands in columns beside the roles and changes what is read: placeholders for no customer,
//! and words that say that a line was taken back.

use super::profile::ColumnProfile;
use super::words::fold;

/// Customers that are none, folded.
const PLACEHOLDERS: &str = "0|-1|00000000|99999999|999999|9999999|999999999|9999999999|-|--|walk-in|walk-in customer|walkin|walk in|\
     walk in customer|guest|guest customer|guest user|cash|cash customer|cash sale|cash sales|unknown|unknown customer|anonymous|anonym|\
     no customer|no card|nocard|none|n/a|default|default customer|not registered|unregistered|retail customer|counter|\
     laufkunde|laufkundschaft|barverkauf|barkunde|diverse|ohne karte|unbekannt|comptoir|client comptoir|client de passage|passage|inconnu|\
     mostrador|cliente mostrador|publico en general|contado|cliente contado|cliente generico|sin cliente|consumidor final|\
     cliente anonimo|cliente occasionale|passant|losse verkoop|kontantkund|kontant|satunnainen|kateisasiakas|klient detaliczny|pos|pos customer";

/// Words of lines that take back what was sold, folded; a word counts if it begins so.
const TAKEN_BACK: [&str; 32] = [
    "void",
    "return",
    "refund",
    "cancel",
    "reversal",
    "reverse",
    "storno",
    "stornier",
    "retour",
    "ruckgabe",
    "gutschrift",
    "credit",
    "annul",
    "avoir",
    "rembours",
    "reso",
    "rimbors",
    "devol",
    "anulad",
    "abono",
    "estorno",
    "cancelad",
    "retur",
    "palaut",
    "zwrot",
    "iade",
    "iptal",
    "vratka",
    "возврат",
    "отмена",
    "退",
    "返品",
];

/// Words of lines that sell, folded.
const SOLD: [&str; 18] = [
    "sale",
    "sold",
    "sell",
    "purchase",
    "buy",
    "verkauf",
    "vente",
    "venta",
    "vendita",
    "venda",
    "verkoop",
    "salg",
    "salj",
    "myynti",
    "sprzed",
    "satis",
    "продаж",
    "item",
];

/// Words of orders that went through, folded.
const COMPLETED: [&str; 20] = [
    "deliver",
    "complet",
    "paid",
    "ship",
    "close",
    "ok",
    "approv",
    "fulfil",
    "process",
    "invoic",
    "active",
    "success",
    "bezahlt",
    "geliefert",
    "abgeschlossen",
    "livr",
    "entreg",
    "consegn",
    "normal",
    "finish",
];

/// A customer that is none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlaceholderCustomer {
    pub(super) value: String,
    /// The share of all lines that have it.
    pub(super) share: f64,
    /// How many times as many lines it has as the next.
    pub(super) times: f64,
    /// Whether the word itself says that it is no customer.
    pub(super) is_known_word: bool,
}

/// The values of a customer's column that stand for no customer, the known words among them, and a
/// value far more frequent than all others.
pub(super) fn placeholders(customer: &ColumnProfile) -> Vec<PlaceholderCustomer> {
    let values = customer.by_count();
    let known: Vec<bool> = values
        .iter()
        .map(|(value, _)| is_placeholder_word(value))
        .collect();
    // How many lines the most frequent real customer has.
    let most = values
        .iter()
        .zip(&known)
        .filter(|(_, known)| !**known)
        .map(|((_, count), _)| *count)
        .nth(usize::from(!known.first().copied().unwrap_or_default()))
        .unwrap_or(1)
        .max(1);
    let all = customer.rows.max(1) as f64;
    let mut found = vec![];
    for (at, ((value, count), is_known_word)) in values.iter().zip(known).enumerate() {
        let (share, times) = (*count as f64 / all, *count as f64 / most as f64);
        let is_frequent = match is_known_word {
            // A number that could be a customer must stand out.
            true => times >= 2.0 || value.chars().any(char::is_alphabetic),
            false => at == 0 && customer.distinct >= 10 && share >= 0.05 && times >= 8.0,
        };
        if is_frequent {
            found.push(PlaceholderCustomer {
                value: (*value).to_owned(),
                share,
                times,
                is_known_word,
            });
        }
    }
    found
}

fn is_placeholder_word(value: &str) -> bool {
    let value = fold(value.trim());
    let value = value.strip_suffix(".0").unwrap_or(&value);
    PLACEHOLDERS.split('|').any(|word| word.trim() == value)
}

/// What to do with lines of some words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TakenBackLines {
    /// They take back what was sold on other lines: `type=VOID`.
    Returns { column: String, words: Vec<String> },
    /// They were no sales from the first: `status!=cancelled`.
    NoSales { column: String, words: Vec<String> },
}

/// Whether a column says of lines that they were taken back, or were no sales. `is_negative` says
/// whether the lines with a word have negative quantities: then nothing needs to be said.
pub(super) fn taken_back(
    profile: &ColumnProfile,
    is_negative: impl Fn(&str) -> bool,
) -> Option<TakenBackLines> {
    if profile.distinct < 2 || profile.distinct > 25 || profile.share_of_numbers() > 0.0 {
        return None;
    }
    let begins = |value: &str, words: &[&str]| {
        let value = fold(value);
        words.iter().any(|word| value.starts_with(word))
    };
    let words: Vec<String> = profile
        .counts
        .keys()
        .filter(|value| begins(value, &TAKEN_BACK) && !is_negative(value))
        .cloned()
        .collect();
    if words.is_empty() {
        return None;
    }
    let column = profile.name.clone();
    let others = |kinds: &[&str]| profile.counts.keys().any(|value| begins(value, kinds));
    if others(&SOLD) {
        Some(TakenBackLines::Returns { column, words })
    } else if others(&COMPLETED) {
        Some(TakenBackLines::NoSales { column, words })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(values: &[(&str, usize)]) -> ColumnProfile {
        let mut rows = vec![];
        for (value, count) in values {
            rows.extend(std::iter::repeat_n(vec![Some((*value).to_owned())], *count));
        }
        ColumnProfile::new("c", 0, &rows)
    }

    fn customers(mut first: Vec<(&'static str, usize)>) -> ColumnProfile {
        const IDS: [&str; 12] = [
            "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22",
        ];
        first.extend(IDS.map(|id| (id, 10)));
        profile(&first)
    }

    #[test]
    fn words_for_nobody_are_found_and_frequent_numbers() {
        for word in [
            "0",
            "Walk-in Customer",
            "99999999",
            "0.0",
            "Consumidor Final",
        ] {
            let found = placeholders(&customers(vec![(word, 40)]));
            assert_eq!(found.len(), 1, "{word}");
            assert!(
                found[0].is_known_word && found[0].value == word,
                "{found:?}"
            );
        }
        let found = placeholders(&customers(vec![("200000000022", 200)]));
        assert!(
            !found[0].is_known_word && found[0].times == 20.0,
            "{found:?}"
        );
    }

    #[test]
    fn real_customers_are_no_placeholders() {
        assert_eq!(placeholders(&customers(vec![])), []);
        assert_eq!(
            placeholders(&customers(vec![("0", 10)])),
            [],
            "a customer as any other"
        );
        assert_eq!(
            placeholders(&customers(vec![("23", 60)])),
            [],
            "a good customer"
        );
    }

    #[test]
    fn words_say_what_was_taken_back() {
        let voids = profile(&[("SALE", 90), ("VOID", 8), ("Return", 2)]);
        assert_eq!(
            taken_back(&voids, |_| false),
            Some(TakenBackLines::Returns {
                column: "c".into(),
                words: vec!["Return".into(), "VOID".into()]
            })
        );
        assert_eq!(taken_back(&voids, |_| true), None, "the sign says it");
        let orders = profile(&[("delivered", 90), ("canceled", 8), ("shipped", 2)]);
        assert_eq!(
            taken_back(&orders, |_| false),
            Some(TakenBackLines::NoSales {
                column: "c".into(),
                words: vec!["canceled".into()]
            })
        );
        assert_eq!(taken_back(&profile(&[("A", 5), ("B", 5)]), |_| false), None);
        assert_eq!(taken_back(&profile(&[("1", 5), ("2", 5)]), |_| false), None);
    }
}
