//! "Did you mean …?": the known name that is most like one that is not known.

/// How alike two names must be for a proposal that may well be wrong (Jaro–Winkler, 0 to 1).
pub const ALIKE: f64 = 0.8;

/// How alike two file names must be (normalised Damerau–Levenshtein, 0 to 1): those of a folder
/// often begin alike and differ in a digit, which Jaro–Winkler hardly sees.
const ALIKE_FILES: f64 = 0.6;

/// How alike two names are, whatever their case: Jaro–Winkler, 0 to 1.
#[must_use]
pub fn likeness(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(&one.to_lowercase(), &other.to_lowercase())
}

/// The name that is most like `name`, at least `least` ([`ALIKE`], or 0 where every name is worth
/// proposing).
#[must_use]
pub fn nearest<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    least: f64,
) -> Option<&'a str> {
    best(known, least, |known| likeness(known, name))
}

/// The path, as `Europe/Rome`, that is most like `name`, as a whole or by its last part.
#[must_use]
pub fn nearest_path<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.replace(' ', "_");
    best(known, 0.0, |known| {
        let last = known.rsplit('/').next().unwrap_or(known);
        likeness(known, &name).max(likeness(last, &name))
    })
}

/// The file or folder (`name/`) that is most like `name`, if one is like it.
#[must_use]
pub fn nearest_file<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    best(known, ALIKE_FILES, |known| {
        let known = known.trim_end_matches('/').to_lowercase();
        strsim::normalized_damerau_levenshtein(&known, &name)
    })
}

/// The first of the candidates with the highest score, if it is at least `least`.
fn best<'a>(
    known: impl IntoIterator<Item = &'a str>,
    least: f64,
    score: impl Fn(&str) -> f64,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|known| (score(known), known))
        .filter(|(score, _)| *score >= least)
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_another_word_finds_none() {
        let columns = ["household_id", "product_id", "timestamp"];
        assert_eq!(nearest("Product_Id", columns, ALIKE), Some("product_id"));
        assert_eq!(nearest("qty", columns, ALIKE), None);
        assert_eq!(nearest("qty", [], 0.0), None);
    }

    #[test]
    fn a_path_is_found_by_its_last_part() {
        let zones = ["Africa/Abidjan", "ROC", "America/New_York", "Europe/Rome"];
        assert_eq!(nearest_path("Rome", zones), Some("Europe/Rome"));
        assert_eq!(nearest_path("new york", zones), Some("America/New_York"));
        assert_eq!(nearest_path("Europe/Roma", zones), Some("Europe/Rome"));
    }

    #[test]
    fn file_names_are_compared_letter_by_letter() {
        let files = ["tickets-2017-10.csv", "tickets-2017-11.csv", "README"];
        let nearest = nearest_file("tickets-2017-1l.csv", files);
        assert_eq!(
            nearest,
            Some("tickets-2017-10.csv"),
            "the first of two equals"
        );
        assert_eq!(nearest_file("prices.parquet", files), None);
    }
}
