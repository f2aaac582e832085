//! The real binary in temporary folders: what it prints, how it ends, and what it leaves behind.
//!
//! Snapshots hold what does not depend on the models; learned numbers are filtered out, so that a
//! better model changes no snapshot but the demo's.

#![allow(
    clippy::disallowed_methods,
    reason = "what the binary reads and leaves behind lies on the real disk"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may; clippy sees that only of functions that are tests themselves"
)]

mod bad_input;
mod bad_places;
mod commands;
mod decisions;
mod demo;
mod deploy;
mod environment_of_s3;
mod faults;
mod guards;
mod joined;
mod log;
mod init;
mod lift;
mod model_history;
mod monitor;
mod nights;
mod plan;
mod record;
mod reference;
mod sandbox;
mod signatures;
#[cfg(unix)]
mod signals;
mod words;

#[allow(dead_code, reason = "shared with tests/store.rs, which uses all of it")]
#[path = "../support/mod.rs"]
mod support;
