//! Counts, days and foreign texts as a reader would see them.

/// "today", "yesterday", "4 days ago".
pub(crate) fn ago(days: i32) -> String {
    match days {
        0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        days => format!("{days} days ago"),
    }
}

/// "every day", "every 8 days", of a mean gap.
pub(crate) fn every(gap: f64) -> String {
    match gap.round() {
        days if days <= 1.0 => "every day".to_owned(),
        days => format!("every {days:.0} days"),
    }
}

/// "once", "twice", "3 times".
pub(crate) fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

/// "1 day", "2 days"; "1 purchase", "2 purchases".
pub(crate) fn counted(count: impl Into<i64>, noun: &str) -> String {
    match count.into() {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

/// A text with each control character as a blank, so that it stays in its line.
pub(crate) fn in_one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// At most so many characters of a text, and `…` where it goes on.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The first of some texts in quotation marks, and how many more there are.
pub(crate) fn first_quoted<T: AsRef<str>>(texts: &[T], most: usize) -> String {
    let shown = texts.iter().take(most);
    let mut shown: Vec<String> = shown.map(|text| format!("\"{}\"", text.as_ref())).collect();
    if texts.len() > most {
        shown.push(format!("{} more", texts.len() - most));
    }
    shown.join(", ")
}

/// A name, a path or a URI as it is typed in a shell.
pub(crate) fn in_shell(name: &str) -> String {
    let is_plain = name
        .chars()
        .all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | '/' | ':'));
    match is_plain {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_in_its_line_and_is_cut_between_characters() {
        assert_eq!(in_one_line("a\nb\u{1b}c"), "a b c");
        assert_eq!(shortened("ääää", 3), "äää…");
        assert_eq!(shortened("ääää", 4), "ääää");
    }

    #[test]
    fn many_texts_are_cut_to_some() {
        assert_eq!(first_quoted(&["a", "b"], 2), "\"a\", \"b\"");
        assert_eq!(first_quoted(&["a", "b", "c"], 1), "\"a\", 2 more");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(
            [0, 1, 2, 30].map(ago),
            ["today", "yesterday", "2 days ago", "30 days ago"]
        );
        assert_eq!(
            [0.4, 1.0, 1.4, 1.5, 7.6].map(every),
            [
                "every day",
                "every day",
                "every day",
                "every 2 days",
                "every 8 days"
            ]
        );
        assert_eq!([1, 2, 3].map(times), ["once", "twice", "3 times"]);
        assert_eq!(
            [0, 1, 2].map(|count: i32| counted(count, "day")),
            ["0 days", "1 day", "2 days"]
        );
    }
}
