//! `okuo check`.

use bytes::Bytes;

use super::CheckArguments;
use super::metrics;
use super::output::Output;
use super::table::{Align, Column, Table};
use crate::error::{Error, Result};
use crate::guards::{GUARDS, GuardFinding, Warning};
use crate::jobs::{self, CheckRequest, CheckSummary};
use crate::store::{self, PutMode};
use crate::visible::visible_line;

pub(super) async fn run(arguments: CheckArguments, output: &Output) -> Result<()> {
    let config = arguments.common.config().await?;
    if let Some(file) = &arguments.junit {
        store::check_file(file).map_err(|error| error.hint("name another file with --junit"))?;
    }
    let request = CheckRequest {
        as_of: arguments
            .schedule
            .night(arguments.as_of, &config.input.clock)?,
        model: arguments.model,
    };
    let progress = output.progress();
    let summary = jobs::check(&config, &request, &progress).await?;
    drop(progress);
    if let Some(file) = &arguments.junit {
        let content = Bytes::from(junit(&summary));
        store::open(file)
            .await?
            .put("", content, PutMode::Overwrite)
            .await?;
    }
    keep_metrics(&summary);
    // What the guards say decides how the run ends, whether or not it can be printed.
    let told = output
        .text(&check_text(&summary))
        .and_then(|()| output.summary(&summary));
    match refusal(&summary) {
        Some(error) => Err(error),
        None => told,
    }
}

/// Keeps what is told of the run when it ends.
pub(super) fn keep_metrics(summary: &CheckSummary) {
    metrics::keep(
        &summary.measured,
        &[
            ("warnings", summary.warnings.len()),
            ("breaches", summary.breaches.len()),
        ],
    );
}

/// The error of a feed that `okuo score` would not publish; `None` if it would.
pub(super) fn refusal(summary: &CheckSummary) -> Option<Error> {
    let outcome = format!(
        "`okuo score` would not publish the night of {}",
        summary.as_of
    );
    jobs::refusal(&summary.findings, &summary.lines, &outcome)
}

/// A line for each guard that found something.
fn check_text(summary: &CheckSummary) -> String {
    let beside = match &summary.model_id {
        Some(model) => format!("beside the training of model {model}"),
        None => "without a model".to_owned(),
    };
    if summary.findings.is_empty() {
        return format!("the feed of {} is as it was, {beside}", summary.as_of);
    }
    let left = Column::fitted(Align::Left);
    let right = Column::fitted(Align::Right);
    let mut table = Table::new([left, left, right, right, left]);
    table.row(["", "guard", "value", "limit", "what"]);
    for finding in &summary.findings {
        let Warning {
            code,
            text,
            value,
            limit,
        } = &finding.warning;
        let shown =
            |number: &Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
        table.row([
            outcome(finding).to_owned(),
            code.clone(),
            shown(value),
            shown(limit),
            text.clone(),
        ]);
    }
    format!("the feed of {}, {beside}:\n{table}", summary.as_of)
}

fn outcome(finding: &GuardFinding) -> &'static str {
    match finding.is_breach {
        true => "stop",
        false => "warn",
    }
}

/// The guards as the tests of a JUnit report: a breach is a failure, and a warning its output.
fn junit(summary: &CheckSummary) -> String {
    let mut failed = 0;
    let mut cases = String::new();
    for (code, about) in GUARDS {
        let found: Vec<&GuardFinding> = summary
            .findings
            .iter()
            .filter(|finding| finding.warning.code == code)
            .collect();
        failed += usize::from(found.iter().any(|finding| finding.is_breach));
        cases += &format!(
            "  <testcase classname=\"okuo.guards\" name=\"{code}: {}\">\n",
            escaped(about)
        );
        for finding in found {
            let text = escaped(&finding.warning.text);
            cases += &match finding.is_breach {
                true => format!("    <failure message=\"{text}\"/>\n"),
                false => format!("    <system-out>{text}</system-out>\n"),
            };
        }
        cases += "  </testcase>\n";
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"okuo check {}\" tests=\"{}\" failures=\"{failed}\">\n{cases}</testsuite>\n",
        summary.as_of,
        GUARDS.len()
    )
}

/// A text as XML has it, which can have no control characters.
fn escaped(text: &str) -> String {
    visible_line(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::report::Report;
    use crate::record::Measured;

    fn summary(findings: Vec<GuardFinding>) -> CheckSummary {
        CheckSummary {
            as_of: "2025-12-01".parse().unwrap(),
            model_id: None,
            passed: findings.is_empty(),
            no_data_yet: false,
            breaches: vec![],
            warnings: vec![],
            lines: Report::default(),
            measured: Measured::default(),
            findings,
        }
    }

    fn finding(code: &str, is_breach: bool) -> GuardFinding {
        let warning = Warning {
            value: Some(0.25),
            limit: Some(0.5),
            ..Warning::note("less < \"usual\" & more")
        };
        GuardFinding {
            is_breach,
            warning: Warning {
                code: code.to_owned(),
                ..warning
            },
        }
    }

    #[test]
    fn each_guard_is_a_test_and_each_breach_a_failure() {
        let report = junit(&summary(vec![
            finding("stale", true),
            finding("low-days", false),
        ]));
        assert!(
            report.contains(&format!("tests=\"{}\" failures=\"1\"", GUARDS.len())),
            "{report}"
        );
        assert_eq!(report.matches("<testcase ").count(), GUARDS.len());
        assert!(
            report.contains("<failure message=\"less &lt; &quot;usual&quot; &amp; more\"/>"),
            "{report}"
        );
        assert_eq!(report.matches("<system-out>").count(), 1);
    }

    #[test]
    fn a_quiet_feed_is_told_in_a_line_and_others_in_a_table() {
        assert_eq!(
            check_text(&summary(vec![])),
            "the feed of 2025-12-01 is as it was, without a model"
        );
        let text = check_text(&summary(vec![
            finding("stale", true),
            finding("low-days", false),
        ]));
        assert!(
            text.contains("stop  stale      0.25    0.5  less"),
            "{text}"
        );
        assert!(text.contains("warn  low-days"), "{text}");
    }
}
