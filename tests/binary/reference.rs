//! The pages of the book that are written from the code.

use std::path::Path;

use okuo::cli::reference::pages;

/// With this variable the test writes the pages instead of comparing them.
const WRITE: &str = "OKUO_WRITE_REFERENCE";

#[test]
fn the_reference_is_that_of_the_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference");
    for page in pages() {
        let file = folder.join(page.file);
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(&file, &page.text).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == page.text,
            "docs/reference/{} is not that of the code: write it anew with \
             {WRITE}=1 cargo nextest run --release --test binary reference",
            page.file
        );
    }
}

#[test]
fn every_setting_and_every_flag_is_in_the_reference() {
    let page = |file: &str| {
        let mut pages = pages().into_iter();
        pages.find(|page| page.file == file).unwrap().text
    };
    let (settings, commands) = (page("settings.md"), page("commands.md"));
    for declared in okuo::config::keys() {
        let row = format!("| `{}` |", declared.setting.key);
        assert!(settings.contains(&row), "{row}");
        if let Some(flag) = &declared.flag {
            for name in [format!("--{}", flag.long), flag.variable.clone()] {
                assert!(
                    commands.contains(&name) && settings.contains(&name),
                    "{name}"
                );
            }
        }
    }
    for command in [
        "train",
        "score",
        "explain",
        "eval",
        "models promote",
        "config",
    ] {
        assert!(
            commands.contains(&format!("## okuo {command}\n")),
            "{command}"
        );
    }
}

/// The example of the README is too long to be compiled there with all that it needs: it is, line by
/// line, the one of the library's page, which is compiled and run.
#[test]
fn the_example_in_the_readme_is_that_of_the_library() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let (readme, library) = (read("README.md"), read("src/lib.rs"));
    let example = readme.split("```rust\n").nth(1).unwrap();
    let example = example.split("```").next().unwrap();
    // Where its models and predictions go is a temporary folder in the other.
    let lines = example.lines().filter(|line| !line.contains("\"out/"));
    let missing: Vec<&str> = lines
        .filter(|line| !library.contains(line.trim()))
        .collect();
    assert!(
        example.lines().count() >= 8 && missing.is_empty(),
        "{missing:#?}"
    );
}
