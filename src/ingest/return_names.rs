//! Objects whose names say that they have returns, though their lines are sales.

/// Words for returns in names of files and folders, in small letters.
const RETURNS: [&str; 34] = [
    "return",
    "returns",
    "returned",
    "refund",
    "refunds",
    "refunded",
    "void",
    "voids",
    "voided",
    "reversals",
    "storno",
    "stornos",
    "stornierungen",
    "retour",
    "retours",
    "retouren",
    "retoure",
    "ruckgabe",
    "ruckgaben",
    "rueckgaben",
    "rückgaben",
    "gutschriften",
    "remboursements",
    "reso",
    "resi",
    "rimborsi",
    "devoluciones",
    "devolucion",
    "devolucao",
    "devolucoes",
    "estornos",
    "zwroty",
    "retur",
    "returer",
];

/// How many parts of a name are looked at: its own and its folder's.
const PARTS: usize = 2;

/// What the names of objects say, beside what is in them.
#[derive(Debug, Default)]
pub(super) struct ReturnsByName {
    /// Objects with such a name of which no line takes something back.
    named: Vec<String>,
    /// Objects with another name.
    others: u64,
}

impl ReturnsByName {
    /// Ends an object; `are_sales` says whether none of its lines takes something back.
    pub(super) fn end_object(&mut self, object: &str, are_sales: bool) {
        match says_returns(object) {
            true if are_sales => self.named.push(object.to_owned()),
            true => {}
            false => self.others += 1,
        }
    }

    /// A warning, where other objects have other names.
    pub(super) fn warning(&self) -> Option<String> {
        let first = self.named.first()?;
        if self.others == 0 {
            return None;
        }
        let which = match self.named.len() {
            1 => format!("by its name {first} has returns"),
            several => {
                format!("by their names {several} objects have returns, the first is {first}")
            }
        };
        Some(format!(
            "{which}, but each of the lines counts as a sale. If they take back what was sold, write their quantities with a minus, \
             or mark them in a column and name it with --returns; or leave them out: name only the objects with sales with --input"
        ))
    }
}

/// Whether the name of an object or its folder has a word for returns.
fn says_returns(object: &str) -> bool {
    object.rsplit('/').take(PARTS).any(|part| {
        let words = part.split(|letter: char| !letter.is_alphabetic());
        words
            .map(str::to_lowercase)
            .any(|word| RETURNS.contains(&word.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_returns_are_whole_words() {
        for name in [
            "/t/returns_2025.csv",
            "s3://b/Retouren/2025-01.parquet",
            "resi2025.csv",
            "/t/Storno-2025.csv",
        ] {
            assert!(says_returns(name), "{name}");
        }
        for name in [
            "/t/sales.csv",
            "/t/resources.csv",
            "/t/returning_customers.csv",
            "/returns/t/2025/a.csv",
        ] {
            assert!(!says_returns(name), "{name}");
        }
    }

    #[test]
    fn only_sales_under_such_a_name_beside_others_are_warned_of() {
        let mut names = ReturnsByName::default();
        names.end_object("t/returns.csv", true);
        assert_eq!(names.warning(), None, "nothing else is there");
        names.end_object("t/sales.csv", true);
        let warning = names.warning().unwrap();
        assert!(warning.starts_with("by its name t/returns.csv has returns"));
        let mut signed = ReturnsByName::default();
        signed.end_object("t/returns.csv", false);
        signed.end_object("t/sales.csv", true);
        assert_eq!(signed.warning(), None, "their quantities say so");
    }
}
