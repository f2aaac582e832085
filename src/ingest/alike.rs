//! Ids that are alike: they differ by case, by leading zeros or by how Unicode composes their letters
//! alone, and may be one thing that two programs write in two ways.

use crate::sampling::hash_bytes;

/// How many ids are alike, with an example of two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AlikeIds {
    /// How many ids there are of which another is alike.
    pub(super) count: usize,
    /// Two that are alike.
    pub(super) example: [String; 2],
}

/// Finds ids that differ by case, leading zeros or the composition of letters alone.
pub(super) fn alike<'a>(ids: impl Iterator<Item = &'a str> + Clone) -> Option<AlikeIds> {
    let mut hashes: Vec<u64> = ids.clone().map(hash_of_kind).collect();
    hashes.sort_unstable();
    let groups = hashes
        .chunk_by(|a, b| a == b)
        .filter(|group| group.len() > 1);
    let mut count = 0;
    let mut shared: Vec<u64> = vec![];
    for group in groups {
        count += group.len();
        shared.extend(group.first());
    }
    if shared.is_empty() {
        return None;
    }
    // The first id that has another one like it, in the order in which ids came.
    let mut having = ids.filter(|id| shared.binary_search(&hash_of_kind(id)).is_ok());
    let first = having.next()?;
    let other = having.find(|id| kind(id) == kind(first))?;
    Some(AlikeIds {
        count,
        example: [first.to_owned(), other.to_owned()],
    })
}

fn hash_of_kind(id: &str) -> u64 {
    hash_bytes(kind(id).as_bytes())
}

/// The letters of European alphabets that Unicode also writes as a letter and a mark: each mark, the
/// letters that it stands on, and what they are as one character.
const COMPOSED: [(char, &str, &str); 14] = [
    ('\u{300}', "aeiou", "àèìòù"),
    ('\u{301}', "aeiouyclnrsz", "áéíóúýćĺńŕśź"),
    ('\u{302}', "aeioucghjswy", "âêîôûĉĝĥĵŝŵŷ"),
    ('\u{303}', "anoiu", "ãñõĩũ"),
    ('\u{304}', "aeiou", "āēīōū"),
    ('\u{306}', "aegouи", "ăĕğŏŭй"),
    ('\u{307}', "cegz", "ċėġż"),
    ('\u{308}', "aeiouyеі", "äëïöüÿёї"),
    ('\u{30a}', "au", "åů"),
    ('\u{30b}', "ou", "őű"),
    ('\u{30c}', "cdelnrstz", "čďěľňřšťž"),
    ('\u{326}', "st", "șț"),
    ('\u{327}', "cgklnrst", "çģķļņŗşţ"),
    ('\u{328}', "aeiu", "ąęįų"),
];

/// An id without its case and its leading zeros, its letters apart from their marks: `é` may also be
/// written as `e` and an accent.
fn kind(id: &str) -> String {
    let kind = id.trim_start_matches('0').to_lowercase();
    if kind.is_ascii() {
        return kind;
    }
    let mut apart = String::with_capacity(2 * kind.len());
    for letter in kind.chars() {
        let parts = COMPOSED.iter().find_map(|(mark, letters, composed)| {
            let at = composed.chars().position(|known| known == letter)?;
            Some((letters.chars().nth(at)?, *mark))
        });
        match parts {
            Some((letter, mark)) => apart.extend([letter, mark]),
            None => apart.push(letter),
        }
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_leading_zeros_make_ids_alike() {
        let found = alike(["a7", "7", "B", "007", "A7", "07"].into_iter()).unwrap();
        assert_eq!(found.count, 5);
        assert_eq!(found.example, ["a7", "A7"]);
        assert_eq!(alike(["a", "b", "70", "7"].into_iter()), None);
    }

    #[test]
    fn a_letter_and_its_parts_make_ids_alike() {
        let found = alike(["Ren\u{e9}", "Rene", "Rene\u{301}"].into_iter()).unwrap();
        assert_eq!(found.count, 2);
        assert_eq!(found.example, ["Ren\u{e9}", "Rene\u{301}"]);
        for (_, letters, composed) in COMPOSED {
            assert_eq!(
                letters.chars().count(),
                composed.chars().count(),
                "{composed}"
            );
        }
    }
}
