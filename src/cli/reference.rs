//! The pages of the book that are written from the code: commands, settings, tables, features, exit
//! codes.
//!
//! A test compares them with the files in docs/reference. `OKUO_WRITE_REFERENCE=1 cargo nextest run
//! --release --test binary reference` writes them anew.

mod commands;
mod exit_codes;
mod features;
mod settings;
mod tables;

use crate::config::DeclaredSetting;

const HEADER: &str = "<!-- Written from the code: see \"Generated pages\" in CONTRIBUTING.md. -->";

/// A page of the book.
#[derive(Debug)]
pub struct ReferencePage {
    /// The file's name in docs/reference.
    pub file: &'static str,
    /// The page, as Markdown.
    pub text: String,
}

/// All pages that are written from the code.
#[must_use]
pub fn pages() -> Vec<ReferencePage> {
    [
        ("commands.md", commands::page()),
        ("settings.md", settings::page()),
        ("tables.md", tables::page()),
        ("features.md", features::page()),
        ("exit-codes.md", exit_codes::page()),
    ]
    .map(|(file, text)| ReferencePage {
        file,
        text: format!("{HEADER}\n{}\n", text.trim_end()),
    })
    .into()
}

/// A table of Markdown.
struct MarkdownTable {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl MarkdownTable {
    fn new(head: &[&'static str]) -> Self {
        Self {
            head: head.to_vec(),
            rows: vec![],
        }
    }

    fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Whether a row has anything in the column.
    fn is_used(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.any(|cell| !cell.is_empty())
    }

    /// The table, without the columns in which no row has anything; nothing if it has no rows.
    fn text(&self) -> String {
        let columns: Vec<usize> = (0..self.head.len())
            .filter(|column| self.is_used(*column))
            .collect();
        if columns.is_empty() {
            return String::new();
        }
        let head = columns.iter().map(|column| self.head[*column].to_owned());
        let rules = columns.iter().map(|_| "---".to_owned());
        let mut text = line(head) + &line(rules);
        for row in &self.rows {
            let cells = columns.iter().filter_map(|column| row.get(*column));
            // A bar would end the cell, in code too.
            text += &line(cells.map(|cell| cell.replace('|', "\\|")));
        }
        text + "\n"
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("| {} |\n", cells.join(" | "))
}

/// Text as code.
fn code(text: &str) -> String {
    format!("`{text}`")
}

/// What holds without the setting.
fn default_of(declared: &DeclaredSetting) -> String {
    let value = declared.default.as_ref().map(|value| match value {
        toml::Value::String(text) => code(text),
        value => code(&value.to_string()),
    });
    let note = declared.setting.default_note.map(str::to_owned);
    let words: Vec<String> = value.into_iter().chain(note).collect();
    words.join(", ")
}

/// The values that a setting may have, if not all of its type.
fn range_of(declared: &DeclaredSetting) -> String {
    declared.setting.range().unwrap_or_default()
}

/// Text with a capital letter at the beginning.
fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// A sentence: a meaning with its full stop.
fn sentence(meaning: &str) -> String {
    match meaning.ends_with('.') {
        true => meaning.to_owned(),
        false => format!("{meaning}."),
    }
}
