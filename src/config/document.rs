//! okuo.toml as a text for people: some settings with their meaning and the reasons for their
//! values.

use super::declared::{DeclaredSetting, declared};
use super::layer::Layer;
use crate::error::Result;

/// Lines of comments are at most this long, in characters.
const WIDTH: usize = 100;

/// A setting as it is to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenSetting {
    /// Its place: `input.time_zone`.
    pub path: String,
    /// Whether it is set. Otherwise it is shown in a comment.
    pub is_set: bool,
    /// Why it has this value; may be empty.
    pub reason: String,
    value: toml::Value,
}

impl WrittenSetting {
    /// A setting with a value; `None` if there is no such value in TOML, or no such setting.
    #[must_use]
    pub fn new(path: &str, value: &serde_json::Value, is_set: bool, reason: &str) -> Option<Self> {
        find(path)?;
        Some(Self {
            path: path.to_owned(),
            is_set,
            reason: reason.to_owned(),
            value: toml::Value::try_from(value).ok()?,
        })
    }

    /// The settings that were given, by their sources.
    ///
    /// # Errors
    /// If a value has the wrong type.
    pub fn given(layer: &Layer) -> Result<Vec<Self>> {
        let settings = layer.in_force()?.into_iter();
        let given = settings.filter(|setting| setting.source.is_given());
        Ok(given
            .filter_map(|setting| {
                Some(Self {
                    path: setting.declared.path.clone(),
                    is_set: true,
                    reason: format!("as {} says", setting.source),
                    value: setting.value?,
                })
            })
            .collect())
    }
}

fn find(path: &str) -> Option<&'static DeclaredSetting> {
    declared().iter().find(|declared| declared.path == path)
}

/// The text of an okuo.toml with these settings, in the order in which they are declared, each with
/// its meaning. `head` are comments at its beginning, a paragraph each.
#[must_use]
pub fn document(head: &[String], settings: &[WrittenSetting]) -> String {
    let mut text = String::new();
    for (at, paragraph) in head.iter().enumerate() {
        if at > 0 {
            text.push_str("#\n");
        }
        for line in paragraph.lines() {
            match line.strip_prefix("- ") {
                Some(item) => add_comment(&mut text, "- ", item),
                None => add_comment(&mut text, "", line),
            }
        }
    }
    let mut section = "";
    for declared in declared() {
        let key = declared.setting.key;
        for written in settings
            .iter()
            .filter(|written| written.path == declared.path)
        {
            if declared.section != section {
                section = &declared.section;
                text.push_str(&format!("\n[{section}]\n"));
            } else {
                text.push('\n');
            }
            add_comment(&mut text, "", &format!("{}.", declared.setting.meaning()));
            if !written.reason.is_empty() {
                add_comment(&mut text, "→ ", &written.reason);
            }
            let sign = if written.is_set { "" } else { "# " };
            text.push_str(&format!("{sign}{key} = {}\n", written.value));
        }
    }
    text
}

/// Control characters may not stand in a TOML comment.
fn printable(letter: char) -> char {
    if letter.is_control() { ' ' } else { letter }
}

/// Adds a comment, wrapped. Its first line begins with `mark`, under which the others stand.
fn add_comment(text: &mut String, mark: &str, comment: &str) {
    let indent = " ".repeat(mark.chars().count());
    for (at, paragraph) in comment.lines().enumerate() {
        let mut line = format!("# {}", if at == 0 { mark } else { &indent });
        let mut is_empty = true;
        for word in paragraph.split(' ') {
            let is_full = line.chars().count() + 1 + word.chars().count() > WIDTH;
            if is_full && !is_empty {
                text.push_str(line.trim_end());
                text.push('\n');
                line = format!("# {indent}");
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.extend(word.chars().map(printable));
            is_empty = false;
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(path: &str, value: serde_json::Value, is_set: bool) -> WrittenSetting {
        WrittenSetting::new(path, &value, is_set, "a reason").unwrap()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let settings = [
            written("rule.basket_share", json!(0.5), false),
            written("input.paths", json!(["a b.csv", "c\\d"]), true),
            written("columns.customer", json!(["Kunden-Nr.", "\"x\""]), true),
            written("columns.product", json!("Artikel"), true),
            written("input.utc", json!(true), true),
        ];
        let head = ["written by a test ".repeat(20), "second\u{4}".to_owned()];
        let text = document(&head, &settings);
        let config = Layer::parse("okuo.toml", &text).unwrap().check().unwrap();
        assert_eq!(config.inputs, ["a b.csv", "c\\d"], "{text}");
        assert_eq!(
            config.input.columns.customer.names(),
            ["Kunden-Nr.", "\"x\""]
        );
        assert!(config.input.clock.utc());
        assert!(
            (config.rule.basket_share - 1.0).abs() < 1e-9,
            "shown, not set: {text}"
        );
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        assert!(text.contains("# basket_share = 0.5"), "{text}");
        assert!(text.find("[columns]") < text.find("[input]"), "{text}");
    }

    #[test]
    fn what_is_no_setting_is_not_written() {
        assert_eq!(
            WrittenSetting::new("input.nonsense", &json!(1), true, ""),
            None
        );
        assert_eq!(
            WrittenSetting::new("input.utc", &json!(null), true, ""),
            None
        );
    }

    #[test]
    fn what_was_given_says_by_whom() {
        let layer = Layer::parse("mine.toml", "[input]\nutc = true").unwrap();
        let given = WrittenSetting::given(&layer).unwrap();
        assert_eq!(given.len(), 1);
        assert_eq!(
            (given[0].path.as_str(), given[0].reason.as_str()),
            ("input.utc", "as mine.toml says")
        );
    }
}
