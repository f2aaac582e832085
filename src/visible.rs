//! Texts from data, stores and users as they may be shown: nothing in them steers a terminal.

use std::borrow::Cow;

/// A text for a screen or a log, of one line or more. Control characters, which could move the cursor,
/// recolour the screen or hide what stands on it, are written as Rust writes them in a string:
/// `\u{1b}`. Line ends and tabs stay.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| {
        is_hidden(letter) && !matches!(letter, '\n' | '\t')
    })
}

/// As [`visible`], of a text that must stay in its line, such as a name from data or from a store.
#[must_use]
pub fn visible_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

/// Whether a letter steers what is shown instead of being shown: control characters, those that turn
/// the direction of writing (a name could look like another one: CVE-2021-42574), and spaces without a
/// width.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        )
        || matches!(letter, '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn escaped(text: &str, is_hidden: impl Fn(char) -> bool + Copy) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match is_hidden(letter) {
            true => shown.extend(letter.escape_default()),
            false => shown.push(letter),
        }
    }
    Cow::Owned(shown)
}

/// A JSON document for a screen. Within its strings, JSON escapes the control characters of ASCII but
/// DEL, and none beyond; elsewhere it has only line ends.
#[must_use]
pub fn visible_json(document: &str) -> Cow<'_, str> {
    let is_hidden = |letter: char| is_hidden(letter) && letter != '\n';
    if !document.contains(is_hidden) {
        return Cow::Borrowed(document);
    }
    let letters = document.chars();
    Cow::Owned(letters.fold(String::new(), |mut shown, letter| {
        match is_hidden(letter) {
            true => shown.push_str(&format!("\\u{:04x}", u32::from(letter))),
            false => shown.push(letter),
        }
        shown
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_steer_a_terminal() {
        let hostile = "a\u{1b}]0;owned\u{7}\r\u{9b}2Jb\u{7f}\nc\td\0";
        assert_eq!(
            visible(hostile),
            "a\\u{1b}]0;owned\\u{7}\\r\\u{9b}2Jb\\u{7f}\nc\td\\u{0}"
        );
        assert!(!visible_line(hostile).contains(char::is_control));
        assert!(matches!(visible("Müsli, 500 g"), Cow::Borrowed(_)));
        let document = serde_json::to_string_pretty(&[hostile]).unwrap();
        let shown = visible_json(&document);
        assert!(!shown.contains(|letter: char| letter.is_control() && letter != '\n'));
        let read: Vec<String> = serde_json::from_str(&shown).unwrap();
        assert_eq!(read, [hostile], "it means the same");
    }

    #[test]
    fn a_name_cannot_look_like_another_one() {
        assert_eq!(
            visible_line("user\u{202e}gnp.exe\u{200b}\u{2066}"),
            "user\\u{202e}gnp.exe\\u{200b}\\u{2066}"
        );
        assert_eq!(visible_json("\"a\u{202e}b\""), "\"a\\u202eb\"");
        let persian = "می\u{200c}خواهم";
        assert_eq!(visible_line(persian), persian, "joiners are part of words");
    }
}
