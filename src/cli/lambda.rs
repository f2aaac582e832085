//! okuo as a Lambda function: an event is a command in JSON, or one that follows from a schedule or
//! from a new object. The program `okuo-lambda` hands events to [`answer`].

mod command;
mod event;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

pub(super) use event::LOCAL_PLACES;

use super::output::{self, Output, Terminal};
use super::{log, metrics};
use crate::domain::words::counted;
use crate::error::{Error, Kind, Result};
use crate::jobs::{NightOutcome, Progress};
use crate::store::InputObject;

/// Of the time that an invocation has, the part that is kept to answer in.
const MARGIN_SHARE: u32 = 10;
const LEAST_MARGIN: Duration = Duration::from_millis(500);
const LARGEST_MARGIN: Duration = Duration::from_secs(5);

/// What an invocation is answered if it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What callers tell failures apart by: `Okuo.` and the error's kind, or `Okuo.Deadline`.
    pub error_type: String,
    /// The error as JSON: kind, exit code, place, what and hint; and, in `summary`, what a run did
    /// that got so far: the nights of a range, or what the guards found.
    pub error_message: String,
    /// Whether the work may still go on in this process, which has to end for that.
    pub is_abandoned: bool,
}

/// Does what an event asks for, and returns the summary of the run as `--json` prints it. The log
/// names the request.
///
/// # Errors
/// If the event cannot be understood, the run fails, or it is not done shortly before `remaining`
/// is over.
pub async fn answer(event: Value, request_id: &str, remaining: Duration) -> Result<Value, Failure> {
    log::begin_request(request_id);
    metrics::begin();
    let progress = Arc::new(InvocationProgress::new());
    let told = Arc::clone(&progress);
    let mut run = tokio::spawn(async move { command::run(&event, &told).await });
    // The run computes without looking at the time: only another task can see that it is over.
    match tokio::time::timeout(remaining - margin(remaining), &mut run).await {
        Ok(Ok(Ok(summary))) => {
            progress.tell_metrics(None);
            Ok(summary)
        }
        Ok(Ok(Err(error))) => Err(failure(&error, &progress)),
        Ok(Err(broken)) => Err(failure(&broken_off(&broken), &progress)),
        Err(_) => {
            run.abort();
            Err(Failure {
                error_type: "Okuo.Deadline".to_owned(),
                is_abandoned: true,
                ..failure(&too_late(&progress, remaining), &progress)
            })
        }
    }
}

/// Begins the log of a function, and gives the runtime that it lives in.
///
/// # Errors
/// If too few threads can be started.
pub fn start() -> Result<tokio::runtime::Runtime> {
    log::start(super::early_log_format(&[]));
    super::threads::runtime()
}

fn margin(remaining: Duration) -> Duration {
    let margin = (remaining / MARGIN_SHARE).clamp(LEAST_MARGIN, LARGEST_MARGIN);
    margin.min(remaining)
}

/// The answer to an error, which is told on stderr as well: there a metric can count it.
fn failure(error: &Error, progress: &InvocationProgress) -> Failure {
    output::error(error, true);
    progress.tell_metrics(Some(error));
    let kind = match error.kind() {
        Kind::Request => "Request",
        Kind::Input => "Input",
        Kind::NotFound => "NotFound",
        Kind::Conflict => "Conflict",
        Kind::System => "System",
        Kind::Guard => "Guard",
        Kind::NoData => "NoData",
    };
    Failure {
        error_type: format!("Okuo.{kind}"),
        error_message: document(error, progress.summary()).unwrap_or_else(|| error.to_string()),
        is_abandoned: false,
    }
}

/// An error as JSON, with what was done before it.
fn document(error: &Error, summary: Option<Value>) -> Option<String> {
    let mut document = serde_json::to_value(error).ok()?;
    let fields = document.as_object_mut()?;
    fields.extend(summary.map(|summary| ("summary".to_owned(), summary)));
    Some(document.to_string())
}

fn broken_off(broken: &tokio::task::JoinError) -> Error {
    Error::system(format!("okuo failed inside: {broken}"))
        .hint("this is a bug; please report it with the event. Nothing half-written was published")
}

fn too_late(progress: &InvocationProgress, remaining: Duration) -> Error {
    Error::system(format!(
        "the function's time of {:.0} seconds is nearly over, and the run is not done: {}",
        remaining.as_secs_f64(),
        progress.how_far()
    ))
    .hint("give the function more memory, with which it also gets more processors, or a longer time-out; or run this command in a container. Nothing half-written was published")
}

fn count(number: usize, what: &str) -> String {
    counted(i64::try_from(number).unwrap_or(i64::MAX), what)
}

fn held<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the log how a run goes on, and remembers how far it came.
struct InvocationProgress {
    terminal: Terminal,
    stage: Mutex<String>,
    objects: AtomicUsize,
    /// How many nights of a range are done.
    nights: AtomicUsize,
    /// The command that runs; `None` if the event asks for none.
    command: Mutex<Option<&'static str>>,
    /// What was done so far.
    summary: Mutex<Option<Value>>,
}

impl InvocationProgress {
    fn new() -> Self {
        Self {
            terminal: Self::output().progress(),
            stage: Mutex::default(),
            objects: AtomicUsize::default(),
            nights: AtomicUsize::default(),
            command: Mutex::default(),
            summary: Mutex::default(),
        }
    }

    /// How a function speaks: in its log, about everything; ids of customers are in none of it.
    fn output() -> Output {
        Output {
            json: true,
            verbose: true,
            quiet: false,
        }
    }

    /// A night of a range has ended. One that was not published is to be scored again.
    fn night_ended(&self, outcome: &NightOutcome) {
        if matches!(
            outcome,
            NightOutcome::Published(_) | NightOutcome::Unchanged { .. }
        ) {
            self.nights.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// This command runs now, or none.
    fn set_command(&self, command: Option<&'static str>) {
        *held(&self.command) = command;
    }

    /// Keeps what was done so far, for an error that may follow.
    fn keep(&self, summary: Value) {
        *held(&self.summary) = Some(summary);
    }

    fn summary(&self) -> Option<Value> {
        held(&self.summary).clone()
    }

    /// Tells the metrics of the run, which has ended.
    fn tell_metrics(&self, error: Option<&Error>) {
        if let Some(command) = *held(&self.command) {
            metrics::tell(command, error);
        }
    }

    fn how_far(&self) -> String {
        let stage = held(&self.stage);
        let stage = match stage.as_str() {
            "" => "it had not begun".to_owned(),
            stage => format!("it was {stage}"),
        };
        let mut done = vec![];
        match self.objects.load(Ordering::Relaxed) {
            0 => {}
            objects => done.push(format!("{} opened", count(objects, "object"))),
        }
        match self.nights.load(Ordering::Relaxed) {
            0 => {}
            nights => done.push(format!(
                "{} of the range done, not to be scored again",
                count(nights, "night")
            )),
        }
        std::iter::once(stage)
            .chain(done)
            .collect::<Vec<_>>()
            .join("; ")
    }
}

impl Progress for InvocationProgress {
    fn stage(&self, what: &str) {
        what.clone_into(&mut held(&self.stage));
        self.terminal.stage(what);
    }

    fn object(&self, object: &InputObject, count: usize) {
        self.objects.fetch_add(1, Ordering::Relaxed);
        self.terminal.object(object, count);
    }

    fn warning(&self, what: &str) {
        self.terminal.warning(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_time_is_left_to_answer_in() {
        let margins = [0, 1, 20, 900].map(|seconds| margin(Duration::from_secs(seconds)));
        assert_eq!(
            margins.map(|margin| margin.as_millis()),
            [0, 500, 2_000, 5_000]
        );
    }

    #[test]
    fn a_failure_has_a_type_to_tell_it_by_and_says_what_to_do() {
        let progress = InvocationProgress::new();
        progress.keep(serde_json::json!({"nights": []}));
        let error = Error::guard("the feed is stale").hint("look at it");
        let failure = failure(&error, &progress);
        assert_eq!(failure.error_type, "Okuo.Guard");
        let document: Value = serde_json::from_str(&failure.error_message).unwrap();
        assert_eq!(document["exit_code"], 3);
        assert_eq!(document["hint"], "look at it");
        assert_eq!(document["summary"], serde_json::json!({"nights": []}));
    }

    #[test]
    fn how_far_a_run_came_is_known() {
        let progress = InvocationProgress::new();
        assert_eq!(progress.how_far(), "it had not begun");
        progress.stage("scoring");
        let (as_of, reason) = ("2017-11-07".parse().unwrap(), String::new());
        progress.night_ended(&NightOutcome::Stopped { as_of, reason });
        assert_eq!(progress.how_far(), "it was scoring");
        let (model_id, run_id) = (String::new(), String::new());
        progress.night_ended(&NightOutcome::Unchanged {
            as_of,
            model_id,
            run_id,
        });
        assert_eq!(
            progress.how_far(),
            "it was scoring; 1 night of the range done, not to be scored again"
        );
    }
}
