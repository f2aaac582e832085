#![no_main]

#[path = "../entries.rs"]
mod entries;

// Polars panics on some damaged files, and okuo says then that the file is damaged. libFuzzer's own
// hook would end at the panic; without it, only a panic that nobody catches does.
libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| {})),
    |data: &[u8]| entries::parquet(data)
);
