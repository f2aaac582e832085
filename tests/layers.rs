//! The order of the rooms in `src/lib.rs` holds: a room uses only rooms below it, and a crate or a
//! facility that is reserved for some rooms is used in no other.
//!
//! The test reads the source text: paths that begin with `crate::` or leave a room by `super::`, and
//! the names of crates. Tests of a room may use all rooms.

#![allow(
    clippy::disallowed_methods,
    reason = "the sources lie on the real disk"
)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use std::path::{Path, PathBuf};

/// What only some rooms may use: the words that show its use, the rooms, and the reason.
const RESERVED: [(&[&str], &[&str], &str); 12] = [
    (
        &["aws_config::", "aws_sdk_s3::", "aws_smithy"],
        &["store"],
        "S3 is one of the stores",
    ),
    (
        &["std::fs", "tempfile::", "tokio::fs"],
        &["store"],
        "files are read and written by the store",
    ),
    (
        &["polars::", "polars_parquet::", "polars_buffer::"],
        &["ingest", "publish"],
        "formats are read by ingest and written by publish",
    ),
    (
        &["linfa::", "linfa_linear::", "linfa_trees::", "ndarray::"],
        &["models"],
        "models are fitted in models",
    ),
    (
        &["bincode::"],
        &["artifact"],
        "a model's bytes are the artifact's",
    ),
    (
        &["minisign::"],
        &["artifact"],
        "models are signed as files, by the artifact",
    ),
    (
        &["clap::"],
        &["config", "cli"],
        "flags are declared in config and read by cli",
    ),
    (
        &["tracing::", "tracing_subscriber::"],
        &["cli"],
        "what happens is logged by cli; a job tells its progress",
    ),
    (&["indicatif::"], &["cli"], "progress bars are drawn by cli"),
    (
        &["toml::"],
        &["config", "cli"],
        "okuo.toml is read by config and shown by cli",
    ),
    (
        &["strsim::"],
        &["suggest"],
        "near names are found by suggest",
    ),
    (
        &[
            "println!",
            "print!(",
            "eprint",
            "stdout()",
            "stderr()",
            "process::exit",
        ],
        &["cli"],
        "only cli prints and ends the program",
    ),
];

/// One line of the library that is no test.
struct SourceLine {
    room: String,
    /// File and line number.
    place: String,
    /// How deep its module is: 1 in a room's own file.
    depth: usize,
    text: String,
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Whether a file is a module under `cfg(test)`: by the names that such modules have here.
fn is_test(file: &Path) -> bool {
    file.with_extension("").components().any(|part| {
        ["tests", "examples"]
            .iter()
            .any(|name| part.as_os_str() == *name)
    })
}

/// The lines of the library's rooms, without comments and tests.
fn lines() -> Vec<SourceLine> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut lines = vec![];
    for file in sources(&root) {
        let inside = file.strip_prefix(&root).unwrap();
        let room = inside
            .with_extension("")
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap()
            .to_owned();
        if is_test(inside) || ["lib", "main", "bin"].contains(&room.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        // Tests within a file stand at its end.
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
        for (number, line) in code.lines().enumerate() {
            if !line.trim_start().starts_with("//") {
                lines.push(SourceLine {
                    room: room.clone(),
                    place: format!("src/{}:{}", inside.display(), number + 1),
                    depth: inside.components().count(),
                    text: line.to_owned(),
                });
            }
        }
    }
    lines
}

/// The rooms, from the ground up, as `src/lib.rs` lists them.
fn rooms() -> Vec<String> {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let rooms = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    rooms.map(str::to_owned).collect()
}

/// The rooms that a line names: `crate::room::…`.
fn rooms_named(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// Whether a line names the crate's root by a chain of `super::`.
fn leaves_room(line: &str, depth: usize) -> bool {
    line.contains(&"super::".repeat(depth))
}

/// Whether a line has a word as such, and not as the end of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

#[test]
fn a_room_uses_the_rooms_below_it_only() {
    let rooms = rooms();
    let height = |room: &str| rooms.iter().position(|other| other == room);
    let mut upward = vec![];
    for SourceLine {
        room,
        place,
        depth,
        text,
    } in lines()
    {
        let here =
            height(&room).unwrap_or_else(|| panic!("{place}: src/lib.rs lists no room {room}"));
        if leaves_room(&text, depth) {
            upward.push(format!(
                "{place}: another room is named as crate::room::…, not by super: {}",
                text.trim()
            ));
        }
        for named in rooms_named(&text) {
            match height(named) {
                Some(there) if there <= here => {}
                Some(_) => {
                    upward.push(format!("{place}: {room} is below {named}: {}", text.trim()))
                }
                None => upward.push(format!(
                    "{place}: crate::{named} is no room; name it as crate::room::…"
                )),
            }
        }
    }
    assert!(
        rooms.len() > 10 && upward.is_empty(),
        "arrows upward:\n{}",
        upward.join("\n")
    );
}

#[test]
fn a_crate_stands_in_its_room() {
    let mut outside = vec![];
    for SourceLine {
        room, place, text, ..
    } in lines()
    {
        for (words, allowed, why) in RESERVED {
            if !allowed.contains(&room.as_str()) && words.iter().any(|word| has_word(&text, word)) {
                outside.push(format!("{place}: {why}: {}", text.trim()));
            }
        }
    }
    assert!(
        outside.is_empty(),
        "used outside their rooms:\n{}",
        outside.join("\n")
    );
}

#[test]
fn every_room_and_reserved_word_is_real() {
    let (rooms, lines) = (rooms(), lines());
    for room in &rooms {
        assert!(
            lines.iter().any(|line| line.room == *room),
            "src/lib.rs lists {room}, which has no code"
        );
    }
    for (words, allowed, why) in RESERVED {
        assert!(
            allowed
                .iter()
                .all(|room| rooms.iter().any(|other| other == room)),
            "{why}: {allowed:?}"
        );
        assert!(
            lines
                .iter()
                .any(|line| words.iter().any(|word| has_word(&line.text, word))),
            "{why}: nobody uses any of {words:?}"
        );
    }
}
