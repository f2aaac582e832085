#![doc = include_str!("../README.md")]
// Data flows one way; a module may use what stands above it here, never below.

pub mod error;
pub mod suggest;
pub mod settings;
pub mod calendar;
pub mod stats;
pub mod sampling;
pub mod domain;
pub mod store;
pub mod purchases;
pub mod ingest;
pub mod recurrence;
pub mod features;
pub mod models;
pub mod offers;
pub mod artifact;
pub mod eval;
pub mod publish;
pub mod simulate;
pub mod config;
pub mod cli;
