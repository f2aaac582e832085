//! Ids that are alike: they differ by case or leading zeros alone, and may be one thing that two
//! programs write in two ways.

use crate::sampling::hash_bytes;

/// How many ids are alike, with an example of two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AlikeIds {
    /// How many ids there are of which another is alike.
    pub(super) count: usize,
    /// Two that are alike.
    pub(super) example: [String; 2],
}

/// Finds ids that differ by case or leading zeros alone.
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

/// An id without its case and its leading zeros.
fn kind(id: &str) -> String {
    id.trim_start_matches('0').to_lowercase()
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
}
