//! Replays the corpus of the fuzz targets: what once was found, and one example of each kind.

#![allow(clippy::disallowed_methods, clippy::expect_used, reason = "a test may")]

use std::path::Path;

#[path = "../fuzz/entries.rs"]
mod entries;

/// Gives each file of a target's corpus to the target; how many there were.
fn replay(target: &str, entry: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files = std::fs::read_dir(&folder).expect("there is a corpus");
    let mut count = 0;
    for file in files {
        let path = file.expect("the folder can be listed").path();
        entry(&std::fs::read(&path).expect("the file can be read"));
        count += 1;
    }
    count
}

macro_rules! replays {
    ($($target:ident),+) => {$(
        #[test]
        fn $target() {
            let count = replay(stringify!($target), entries::$target);
            assert!(count >= 5, "the corpus has {count} files");
        }
    )+};
}

replays!(csv, parquet, json_lines, times, settings, model);
