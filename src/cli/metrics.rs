//! What a run measured of itself, as a line for CloudWatch.
//!
//! In the embedded metric format, a line of a log carries metrics: whoever collects the log of a
//! container or a function needs no agent for them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::log;
use crate::config::MetricsFormat;
use crate::error::{Error, ExitCode};
use crate::record::Measured;

/// The namespace of the metrics.
const NAMESPACE: &str = "okuo";

/// The dimension by which they are told apart.
const DIMENSION: &str = "command";

/// What is to be told when the run ends.
struct Kept {
    format: MetricsFormat,
    measured: Option<Measured>,
    counts: Vec<(&'static str, usize)>,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept {
    format: MetricsFormat::None,
    measured: None,
    counts: vec![],
});

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Metrics are told like this.
pub(super) fn set_format(format: MetricsFormat) {
    kept().format = format;
}

/// A run begins: of one before it in the same process, nothing is kept.
pub(super) fn begin() {
    *kept() = Kept {
        format: MetricsFormat::None,
        measured: None,
        counts: vec![],
    };
}

/// Keeps what a job measured, and what it counted.
pub(super) fn keep(measured: &Measured, counts: &[(&'static str, usize)]) {
    let mut kept = kept();
    kept.measured = Some(measured.clone());
    kept.counts = counts.to_vec();
}

/// Tells what was kept, or what is known of a run that failed.
pub(super) fn tell(command: &str, error: Option<&Error>) {
    let kept = kept();
    if kept.format == MetricsFormat::None {
        return;
    }
    let of_error = error.and_then(Error::record).cloned();
    let measured = kept
        .measured
        .clone()
        .or(of_error)
        .unwrap_or_else(Measured::of_build);
    let exit = error.map_or(ExitCode::Done, |error| error.kind().exit_code());
    let line = emf_line(command, exit, &measured, &kept.counts, log::now());
    log::line(&line.to_string());
}

/// A line in the embedded metric format.
fn emf_line(
    command: &str,
    exit: ExitCode,
    measured: &Measured,
    counts: &[(&'static str, usize)],
    milliseconds: i64,
) -> Value {
    let is = |code: ExitCode| f64::from(u8::from(exit == code));
    let mut metrics: Vec<(&str, &str, f64)> = vec![
        ("done", "Count", is(ExitCode::Done)),
        ("refused", "Count", is(ExitCode::Refused)),
        ("failed", "Count", is(ExitCode::Failed)),
        ("stopped", "Count", is(ExitCode::Stopped)),
        ("no_data", "Count", is(ExitCode::NoData)),
        ("bytes_read", "Bytes", measured.bytes_read as f64),
        ("objects_read", "Count", measured.objects_read as f64),
    ];
    metrics.extend(
        measured
            .total_seconds
            .map(|seconds| ("seconds", "Seconds", seconds)),
    );
    let peak = measured.peak_memory_bytes;
    metrics.extend(peak.map(|bytes| ("peak_memory", "Bytes", bytes as f64)));
    let counts = counts.iter();
    metrics.extend(counts.map(|(name, count)| (*name, "Count", *count as f64)));
    let declared: Vec<Value> = metrics
        .iter()
        .map(|(name, unit, _)| json!({"Name": name, "Unit": unit}))
        .collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": milliseconds,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [[DIMENSION]],
                "Metrics": declared,
            }],
        }),
    );
    line.insert(DIMENSION.to_owned(), json!(command));
    line.insert("version".to_owned(), json!(measured.build.version));
    line.insert("commit".to_owned(), json!(measured.build.commit));
    line.insert("stage".to_owned(), json!(measured.stage));
    line.insert("seconds_by_stage".to_owned(), json!(measured.seconds));
    for (name, _, value) in metrics {
        line.insert(name.to_owned(), json!(value));
    }
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_that_is_declared_stands_in_the_line() {
        let measured = Measured {
            total_seconds: Some(1.5),
            bytes_read: 7,
            ..Measured::default()
        };
        let line = emf_line("score", ExitCode::Stopped, &measured, &[("offers", 3)], 9);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(line["_aws"]["Timestamp"], 9);
        assert_eq!(directive["Dimensions"], json!([["command"]]));
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            assert!(line[name].is_number(), "{name}");
        }
        assert_eq!(line["command"], "score");
        assert_eq!(
            ["done", "stopped", "seconds", "bytes_read", "offers"].map(|name| line[name].clone()),
            [json!(0.0), json!(1.0), json!(1.5), json!(7.0), json!(3.0)]
        );
        assert!(line.get("peak_memory").is_none());
    }
}
