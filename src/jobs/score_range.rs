//! Score nights in a row, each as if it was run alone.

use serde::Serialize;

use super::guards::WarningLog;
use super::registry::load_for_night;
use super::score::{read_and_score, required_output};
use super::sent::inputs_of_night;
use super::{Progress, ScoreRequest, ScoreSummary, StoredModel};
use crate::calendar::AsOf;
use crate::config::Config;
use crate::domain::Details;
use crate::domain::words::counted;
use crate::error::{Error, Kind, Result};
use crate::publish::manifest::{Manifest, ManifestInput};
use crate::publish::runs::standing_run;
use crate::publish::tables::{Format, Tables};
use crate::record::Build;
use crate::store::{self, InputObject, Location};

/// What is asked of [`score_range`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreRangeRequest {
    /// The first night.
    pub from: AsOf,
    /// The last night.
    pub to: AsOf,
    /// As in a [`ScoreRequest`]: without a name, each night has the promoted model for it.
    pub model: Option<String>,
    /// Formats in which the offers are written besides Parquet.
    pub formats: Vec<Format>,
    /// Whether a night is published although guards would stop it.
    pub force: bool,
}

/// What became of one night of a range.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum NightOutcome {
    /// It was published.
    Published(Box<ScoreSummary>),
    /// It was published before, of the same tickets with the same model and settings.
    Unchanged {
        /// The night.
        as_of: AsOf,
        /// The model that predicted.
        model_id: String,
        /// The run's id.
        run_id: String,
    },
    /// A guard stopped it, and nothing was published.
    Stopped {
        /// The night.
        as_of: AsOf,
        /// What the guards said.
        reason: String,
    },
    /// Its tickets have not come yet, and nothing was published.
    NoData {
        /// The night.
        as_of: AsOf,
        /// What is missing.
        reason: String,
    },
    /// It failed, which ended the range.
    Failed {
        /// The night.
        as_of: AsOf,
        /// Why.
        reason: String,
    },
}

/// Scores all nights from one to another, as [`score`](super::score()) does with each alone: the run
/// ids are the same. `take` is told what became of each, as soon as it is known.
///
/// A night whose run stands, made of the same objects with the same model, settings and okuo, is not
/// scored again. A night that a guard stops, or whose tickets have not come yet, does not stop the
/// nights after it.
///
/// # Errors
/// If the nights are in the wrong order or the input can be read only once. As
/// [`score`](super::score()) for the first night that fails, after which no other night is scored.
/// If a guard stopped any night ([`Kind::Guard`]), or tickets of any night have not come yet
/// ([`Kind::NoData`]).
pub async fn score_range(
    config: &Config,
    request: &ScoreRangeRequest,
    progress: &dyn Progress,
    take: &mut (dyn FnMut(NightOutcome) -> Result<()> + Send),
) -> Result<()> {
    let output = store::open(required_output(config)?).await?;
    check(config, request)?;
    let (mut stopped, mut waiting, mut nights) = (vec![], vec![], 0);
    let mut night = request.from;
    while night <= request.to {
        let outcome = match one_night(config, request, night, &output, progress).await {
            Ok(outcome) => outcome,
            Err(error) if error.kind() == Kind::Guard => {
                stopped.push(night.to_string());
                NightOutcome::Stopped {
                    as_of: night,
                    reason: error.what().to_owned(),
                }
            }
            Err(error) if error.kind() == Kind::NoData => {
                waiting.push(night.to_string());
                NightOutcome::NoData {
                    as_of: night,
                    reason: error.what().to_owned(),
                }
            }
            Err(error) => {
                take(NightOutcome::Failed {
                    as_of: night,
                    reason: error.what().to_owned(),
                })?;
                return Err(error);
            }
        };
        take(outcome)?;
        (night, nights) = (AsOf(night.day() + 1), nights + 1);
    }
    outcome_of_range(nights, &stopped, &waiting)
}

/// The error of a range of which some nights were not published.
fn outcome_of_range(nights: i64, stopped: &[String], waiting: &[String]) -> Result<()> {
    if stopped.is_empty() && waiting.is_empty() {
        return Ok(());
    }
    if stopped.is_empty() {
        return Err(Error::no_data(format!(
            "the tickets of {} of {} have not come yet: {}",
            waiting.len(),
            counted(nights, "night"),
            waiting.join(", ")
        ))
        .hint(
            "run the range again when they have; nights that are published are not scored again",
        ));
    }
    Err(Error::guard(format!(
        "guards stopped {} of {}: {}",
        stopped.len(),
        counted(nights, "night"),
        stopped.join(", ")
    ))
    .hint("look at the feed of these nights, and run the range again when it is mended; nights that are published are not scored again. If the feed is right, --force publishes all the same"))
}

/// Refuses what cannot be scored, before anything is read.
fn check(config: &Config, request: &ScoreRangeRequest) -> Result<()> {
    let inputs = config.required_inputs()?;
    if request.to < request.from {
        return Err(Error::request(format!(
            "the nights end on {}, before they begin on {}",
            request.to, request.from
        ))
        .hint("give the first night with --from and the last with --to"));
    }
    if inputs.iter().any(|uri| uri == store::STANDARD_INPUT) {
        return Err(Error::request(
            "the standard input can be read only once, and each night reads it",
        )
        .hint("write the tickets to a file, and name that with --input"));
    }
    Ok(())
}

async fn one_night(
    config: &Config,
    request: &ScoreRangeRequest,
    as_of: AsOf,
    output: &Location,
    progress: &dyn Progress,
) -> Result<NightOutcome> {
    let night = NightProgress { as_of, progress };
    let log = WarningLog::new(&night);
    log.end(scored_night(config, request, as_of, output, &log).await)
}

/// Scores one night, unless its run stands.
async fn scored_night(
    config: &Config,
    request: &ScoreRangeRequest,
    as_of: AsOf,
    output: &Location,
    log: &WarningLog<'_>,
) -> Result<NightOutcome> {
    let named = request.model.as_deref();
    let (model, config) = load_for_night(config, named, as_of, log).await?;
    if let Some(standing) = standing_run(output, as_of).await? {
        let inputs = inputs_of_night(&config, output, as_of).await?;
        if is_same_run(&standing, &model, &config, request, &inputs) {
            return Ok(NightOutcome::Unchanged {
                as_of,
                model_id: standing.model.id,
                run_id: standing.run_id,
            });
        }
    }
    let request = ScoreRequest {
        as_of,
        model: None,
        formats: request.formats.clone(),
        examples: 0,
        force: request.force,
    };
    let summary = read_and_score(&config, &model, &request, log).await?;
    Ok(NightOutcome::Published(Box::new(summary)))
}

/// Whether scoring the night would give the run that stands: everything that it is made of is the
/// same.
fn is_same_run(
    standing: &Manifest,
    model: &StoredModel,
    config: &Config,
    request: &ScoreRangeRequest,
    inputs: &[ManifestInput],
) -> bool {
    let names = Tables::new(&request.formats, Details::default());
    let mut names: Vec<String> = names.names().collect();
    names.sort_unstable();
    let is_forced = standing.guards.as_ref().is_some_and(|guards| guards.forced);
    let is_by_another = standing
        .measured
        .as_ref()
        .is_some_and(|measured| Build::current().differs(&measured.build));
    !is_by_another
        && standing.okuo_version == env!("CARGO_PKG_VERSION")
        && standing.model.id == model.id()
        && standing.model.sha256 == model.header.body_sha256
        && standing.config == config.summary()
        && standing.tables.keys().eq(&names)
        && (request.force || !is_forced)
        && are_same(&standing.inputs, inputs)
}

fn are_same(read: &[ManifestInput], found: &[ManifestInput]) -> bool {
    let [mut read, mut found] = [read, found].map(|inputs| {
        let tags = inputs.iter().map(|it| (&it.object, it.size, &it.etag));
        tags.collect::<Vec<_>>()
    });
    read.sort_unstable();
    found.sort_unstable();
    read == found
}

/// Hands on what a night tells, with the night before it. What becomes of its tickets is not told.
struct NightProgress<'a> {
    as_of: AsOf,
    progress: &'a dyn Progress,
}

impl Progress for NightProgress<'_> {
    fn stage(&self, what: &str) {
        self.progress.stage(&format!("{}: {what}", self.as_of));
    }

    fn object(&self, object: &InputObject, count: usize) {
        self.progress.object(object, count);
    }

    fn warning(&self, what: &str) {
        self.progress.warning(&format!("{}: {what}", self.as_of));
    }
}
