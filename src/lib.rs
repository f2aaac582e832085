#![doc = include_str!("../README.md")]
// Data flows one way; a module may use what stands above it here, never below.

pub mod error;
pub mod calendar;
pub mod sampling;
pub mod store;
pub mod ingest;
pub mod purchases;
pub mod recurrence;
pub mod features;
pub mod models;
pub mod artifact;
pub mod predictions;
pub mod publish;
pub mod pipeline;
pub mod eval;
pub mod simulate;
pub mod config;
pub mod cli;
