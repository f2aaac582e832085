//! What is fuzzed: every reader of bytes from outside. Whatever the bytes are, it must end with a result or
//! an error: no panic, no hang, no gigabytes. `tests/fuzz_corpus.rs` replays the corpus in every test run.
#![allow(dead_code)] // each target uses one of them

use okuo::artifact;
use okuo::config::Layer;
use okuo::ingest::{InputOptions, Reader};

/// An object of tickets under this name: its ending tells the format where its bytes do not.
fn object(name: &str, data: &[u8]) {
    let options = InputOptions {
        max_bad_share: 1.0,
        ..InputOptions::default()
    };
    let mut reader = Reader::new(&options, None);
    if reader.object(name, data.to_vec().into()).is_ok()
        && let Ok(read) = reader.finish()
    {
        assert!(read.report.balanced(), "{}", read.report);
    }
}

/// Text as CSV, with whatever layout and encoding it has.
pub fn csv(data: &[u8]) {
    object("tickets.csv", data);
}

/// A Parquet file: footer, pages, values.
pub fn parquet(data: &[u8]) {
    object("tickets.parquet", data);
}

/// JSON lines, or an array of objects.
pub fn json_lines(data: &[u8]) {
    object("tickets.jsonl", data);
}

/// Each line of the bytes as the time of a ticket line.
pub fn times(data: &[u8]) {
    let mut text = b"customer_id;product_id;timestamp\n".to_vec();
    for line in data.split(|byte| *byte == b'\n') {
        text.extend_from_slice(b"1;1;");
        text.extend(
            line.iter()
                .filter(|byte| !matches!(byte, b';' | b'"' | b'\r')),
        );
        text.push(b'\n');
    }
    object("tickets.csv", &text);
}

/// An okuo.toml.
pub fn settings(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(layer) = Layer::parse("okuo.toml", text)
    {
        let _ = layer.check();
    }
}

/// A model file.
pub fn model(data: &[u8]) {
    let _ = artifact::read_header("model.okuo", data);
    let _ = artifact::decode("model.okuo", data);
}
