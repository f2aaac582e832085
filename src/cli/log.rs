//! What is said on stderr: each message is an event, written as a line of text for people, or as an
//! object of JSON for a collector of logs.
//!
//! The library knows nothing of it: its jobs tell a [`Progress`](crate::jobs::Progress).

use std::fmt::Debug;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::config::LogFormat;
use crate::error::Error;
use crate::store::sha256_hex;
use crate::visible::{visible, visible_json};

/// What marks okuo's own events: other crates have events too, which are nobody's to read.
const TARGET: &str = "okuo::log";

/// Digits of a run's id.
const RUN_DIGITS: usize = 12;

/// Whether lines are JSON.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// What lines of JSON say of the run that they belong to.
struct LoggedRun {
    /// Tells the lines of one run from those of others; `None` before the first line.
    id: Option<String>,
    /// The request of a caller that the run answers, by the caller's name for it.
    request: Option<String>,
    /// What the run is doing.
    stage: Option<String>,
}

static RUN: Mutex<LoggedRun> = Mutex::new(LoggedRun {
    id: None,
    request: None,
    stage: None,
});

fn logged_run() -> MutexGuard<'static, LoggedRun> {
    RUN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lines are written like this from now on.
pub(super) fn set_format(format: LogFormat) {
    IS_JSON.store(format == LogFormat::Json, Ordering::Relaxed);
}

/// The log begins.
pub(super) fn start(format: LogFormat) {
    set_format(format);
    let lines = tracing_subscriber::registry().with(Lines);
    // Where a program around okuo has a subscriber of its own, that one has the events.
    _ = tracing::subscriber::set_global_default(lines);
}

/// Whether lines are JSON.
pub(super) fn is_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// The run goes on with its next stage. Whether that is a line of its own, is for the caller to say.
pub(super) fn enter_stage(what: &str) {
    logged_run().stage = Some(what.to_owned());
}

/// In a process that answers one request after another, the next one begins: lines are of a run of
/// its own from now on, which has no stage yet.
pub(super) fn begin_request(request: &str) {
    *logged_run() = LoggedRun {
        id: Some(new_run_id(request)),
        request: Some(request.to_owned()),
        stage: None,
    };
    note(&format!("request {request}"));
}

/// What goes on, in detail.
pub(super) fn detail(text: &str) {
    tracing::debug!(target: TARGET, "{text}");
}

/// What is good to know.
pub(super) fn note(text: &str) {
    tracing::info!(target: TARGET, "{text}");
}

/// What the user should know.
pub(super) fn warn(text: &str) {
    tracing::warn!(target: TARGET, "{text}");
}

/// Why the run ends. With `as_document`, the line of text is one of JSON too.
pub(super) fn error(error: &Error, as_document: bool) {
    let document = json!(error).to_string();
    tracing::error!(target: TARGET, document, as_document, "{error}");
}

/// The same without an error of okuo.
pub(super) fn end(text: &str) {
    tracing::error!(target: TARGET, "{text}");
}

/// A line that is written as it is, whatever the format.
pub(super) fn line(text: &str) {
    // Where stderr is gone there is nobody left to tell.
    _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[allow(
    clippy::disallowed_methods,
    reason = "a log has the time of each of its lines"
)]
fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    i64::try_from(since_1970().as_millis()).unwrap_or_default()
}

/// An id by which the lines of one run are told from those of others.
fn new_run_id(request: &str) -> String {
    // Two processes of one number do not begin in the same nanosecond.
    let (process, begun) = (std::process::id(), since_1970().as_nanos());
    sha256_hex(format!("{process} {begun} {request}").as_bytes())
        .chars()
        .take(RUN_DIGITS)
        .collect()
}

/// Writes each of okuo's events as a line.
struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match metadata.target() == TARGET {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() == TARGET
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = EventFields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        line(&match is_json() {
            true => visible_json(&json_line(level, &fields, now())).into_owned(),
            false => text_line(level, fields),
        });
    }
}

/// What an event says.
#[derive(Default)]
struct EventFields {
    message: String,
    /// An error as JSON.
    document: Option<String>,
    as_document: bool,
}

impl Visit for EventFields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "document" => self.document = Some(value.to_owned()),
            "message" => value.clone_into(&mut self.message),
            _ => {}
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "as_document" {
            self.as_document = value;
        }
    }
}

/// An event for people.
fn text_line(level: Level, fields: EventFields) -> String {
    match (level, fields.document) {
        (Level::ERROR, Some(document)) if fields.as_document => {
            visible_json(&format!("{{\"error\":{document}}}")).into_owned()
        }
        (Level::ERROR, _) => format!("error: {}", visible(&fields.message)),
        (Level::WARN, _) => format!("warning: {}", visible(&fields.message)),
        _ => visible(&fields.message).into_owned(),
    }
}

/// An event for machines: `time`, `level`, `run`, `stage`, `message`, of a request `request`, and of
/// an error `error`.
fn json_line(level: Level, fields: &EventFields, milliseconds: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(milliseconds).unwrap_or_default();
    let mut run = logged_run();
    let mut object = Map::new();
    let mut add = |key: &str, value: Value| object.insert(key.to_owned(), value);
    add(
        "time",
        json!(time.to_rfc3339_opts(SecondsFormat::Millis, true)),
    );
    add("level", json!(level.as_str().to_lowercase()));
    let id = run.id.get_or_insert_with(|| new_run_id(""));
    add("run", json!(id));
    add("stage", json!(run.stage));
    add("message", json!(fields.message));
    if let Some(request) = &run.request {
        add("request", json!(request));
    }
    let document = fields.document.as_deref();
    if let Some(error) = document.and_then(|text| serde_json::from_str(text).ok()) {
        add("error", error);
    }
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(document: Option<&str>, as_document: bool) -> EventFields {
        EventFields {
            message: "no \"rows\"\nhint: look".to_owned(),
            document: document.map(str::to_owned),
            as_document,
        }
    }

    #[test]
    fn text_is_for_people_but_where_an_error_is_wanted_as_a_document() {
        let text = |level, document, as_document| text_line(level, fields(document, as_document));
        assert_eq!(
            text(Level::ERROR, Some("{}"), false),
            "error: no \"rows\"\nhint: look"
        );
        assert_eq!(text(Level::ERROR, Some("{}"), true), "{\"error\":{}}");
        assert!(text(Level::WARN, None, false).starts_with("warning: no"));
        assert!(text(Level::INFO, None, false).starts_with("no"));
    }

    #[test]
    fn json_is_one_line_with_time_level_run_stage_and_message() {
        let line = json_line(
            Level::ERROR,
            &fields(Some("{\"kind\":\"input\"}"), false),
            1_700_000_000_123,
        );
        assert_eq!(line.lines().count(), 1);
        let object: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["time"], "2023-11-14T22:13:20.123Z");
        assert_eq!(object["level"], "error");
        assert_eq!(object["run"].as_str().unwrap().len(), RUN_DIGITS);
        assert_eq!(object["message"], "no \"rows\"\nhint: look");
        assert_eq!(object["error"]["kind"], "input");
    }
}
