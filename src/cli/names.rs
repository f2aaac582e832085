//! Names from tables as they stand on a screen.

use crate::visible::visible_line;

/// How many characters of a name are shown.
const SHOWN: usize = 60;

/// A name in one line: shortened, and without control characters, which could move the cursor or
/// recolour the screen.
pub(super) fn on_screen(name: &str) -> String {
    let shown: String = name.chars().take(SHOWN).collect();
    let mut shown = visible_line(&shown).into_owned();
    if name.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_in_one_line() {
        assert_eq!(on_screen("Müsli, 500 g"), "Müsli, 500 g");
        assert_eq!(on_screen("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\nb");
        assert_eq!(on_screen(&"é".repeat(60)), "é".repeat(60));
        assert_eq!(on_screen(&"é".repeat(61)), format!("{}…", "é".repeat(60)));
    }
}
