//! okuo learns from a supermarket's tickets which customers come back regularly, on which day each
//! of them will buy next, and what will be in the basket. It makes offers from that, night by night.
//!
//! The `okuo` program is a thin layer over this library. What the program does stands in [`jobs`],
//! one function each: a job takes a checked [`config::Config`] and returns plain values.
//!
//! ```
//! use okuo::config::{Config, Layer};
//! use okuo::jobs::{self, ScoreRequest, Silent};
//!
//! #[tokio::main]
//! async fn main() -> okuo::error::Result<()> {
//! #   let temporary = tempfile::tempdir().unwrap();
//! #   let folder = temporary.path().display();
//!     let config = Config {
//!         inputs: vec!["data/tickets.csv.gz".into()], // or s3://bucket/prefix
//!         registry: format!("{folder}/models"),
//!         output: Some(format!("{folder}/predictions")),
//!         ..Layer::default().check()?
//!     };
//! #   let mut config = config; // fewer trees, so that the example is quick
//! #   config.parameters.timing.boosting.trees = 5;
//! #   config.parameters.basket.boosting.trees = 5;
//!     let model = jobs::train(&config, "2025-06-30".parse()?, &Silent).await?;
//!     println!("{}, promoted: {}, {}", model.model_id, model.promoted, model.reason);
//!     let request = ScoreRequest { model: Some(model.model_id), ..ScoreRequest::new("2025-07-10".parse()?) };
//!     let night = jobs::score(&config, &request, &Silent).await?;
//!     println!("{} customers, {} offers: {}", night.customers, night.offers, night.manifest);
//! #   assert!(night.customers > 50 && night.manifest.ends_with("as_of=2025-07-10/manifest.json"));
//!     Ok(())
//! }
//! ```
//!
//! Without an async runtime, the same with [`jobs::blocking`]:
//!
//! ```
//! # use okuo::config::{Config, Layer};
//! # use okuo::jobs::{ScoreRequest, Silent};
//! use okuo::jobs::blocking;
//!
//! # fn main() -> okuo::error::Result<()> {
//! # let temporary = tempfile::tempdir().unwrap();
//! # let folder = temporary.path().display();
//! # let mut config = Config {
//! #     inputs: vec!["data/tickets.csv.gz".into()],
//! #     registry: format!("{folder}/models"),
//! #     output: Some(format!("{folder}/predictions")),
//! #     ..Layer::default().check()?
//! # };
//! # config.parameters.timing.boosting.trees = 5;
//! # config.parameters.basket.boosting.trees = 5;
//! let model = blocking::train(&config, "2025-06-30".parse()?, &Silent)?;
//! let request = ScoreRequest { model: Some(model.model_id), ..ScoreRequest::new("2025-07-10".parse()?) };
//! let night = blocking::score(&config, &request, &Silent)?;
//! # assert!(night.customers > 50 && night.manifest.ends_with("as_of=2025-07-10/manifest.json"));
//! # Ok(())
//! # }
//! ```
//!
//! The modules are rooms in one order, and a room uses only those above it in this list:
//! [`visible`], [`record`], [`error`], [`suggest`], [`settings`], [`calendar`], [`stats`], [`sampling`] and [`domain`] are shared ground;
//! [`store`] reads and writes objects on disk, S3 or in memory; [`purchases`] is the compact
//! history, and [`ingest`] reads tickets into it; [`guards`] judges what was read; [`recurrence`], [`features`], [`models`] and
//! [`offers`] compute, without I/O and without chance; [`lift`] measures what offers brought; [`artifact`] is a model as a file; [`eval`]
//! measures; [`publish`] makes results visible; [`simulate`] makes tickets whose truth is known;
//! [`config`], [`jobs`] and [`cli`] put all of it together.

pub mod visible;
pub mod record;
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
pub mod guards;
pub mod recurrence;
pub mod features;
pub mod models;
pub mod offers;
pub mod lift;
pub mod artifact;
pub mod eval;
pub mod publish;
pub mod simulate;
pub mod config;
pub mod jobs;
pub mod cli;
