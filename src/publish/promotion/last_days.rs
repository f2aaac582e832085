//! The last days of a training: whether they are whole, and what the final model, which has learned
//! from them, makes of them.
//!
//! What [`decide`](super::decide) looks at is the training's procedure, by a backtest model that has
//! not seen the last days. What goes live is another model. If these days have gaps, it has learned
//! that customers stay away.

use crate::eval::{Contender, HoldoutReport, OKUO, Verdict};
use crate::guards::GuardFinding;

/// The final model may be worse than the backtest model by this share of a figure: both are fitted on
/// samples.
const MOST_WORSE: f64 = 0.05;

/// The final model's mean prediction may be off from that of the backtest model, on the same nights, by
/// this share of the mean error.
const MOST_SHIFT: f64 = 0.5;

/// The share that the 80 % intervals are meant to hold.
const COVERAGE: f64 = 0.8;

/// The coverage may be farther from [`COVERAGE`] than that of the backtest model by this much, and by
/// twice its standard error.
const MOST_OFF_COVERAGE: f64 = 0.1;

/// Why a model is not to be promoted whatever its backtest says; `None` if nothing is against it. `gaps`
/// are the breaches of its last days.
#[must_use]
pub fn refusal(gaps: &[GuardFinding], held_out: Option<&HoldoutReport>) -> Option<String> {
    if !gaps.is_empty() {
        let gaps: Vec<&str> = gaps.iter().map(|gap| gap.warning.text.as_str()).collect();
        return Some(format!(
            "its last days have gaps, from which it would learn that customers stay away: {}",
            gaps.join("; ")
        ));
    }
    let report = held_out?;
    let odd = odd(report.final_model.as_ref()?, report.contender(OKUO)?)?;
    Some(format!(
        "on the last days, from which it has learned, {odd}, beside a model that has not seen them: look \
         at the tickets of these days"
    ))
}

/// What is odd about the final model beside the backtest model on the same nights, if anything is.
fn odd(last: &Contender, backtest: &Contender) -> Option<String> {
    let worse = last.differences.iter().find(|difference| {
        let before = difference.figure.of(&backtest.figures).unwrap_or(f64::NAN);
        difference.verdict == Verdict::Worse && difference.difference.abs() > MOST_WORSE * before
    });
    if let Some(worse) = worse {
        return Some(format!(
            "its {} is significantly worse: {:+.4} ({:+.4} … {:+.4})",
            worse.figure.name(),
            worse.difference,
            worse.interval.low,
            worse.interval.high
        ));
    }
    let (one, other) = (&last.figures, &backtest.figures);
    let shift = one.bias? - other.bias?;
    if shift.abs() > MOST_SHIFT * other.mae? {
        return Some(format!(
            "it expects customers {:.1} days {}",
            shift.abs(),
            if shift > 0.0 { "later" } else { "earlier" }
        ));
    }
    let (coverage, before) = (one.coverage_80?, other.coverage_80?);
    let chance = 2.0 * (COVERAGE * (1.0 - COVERAGE) / one.rows.max(1) as f64).sqrt();
    let limit = (before - COVERAGE).abs() + MOST_OFF_COVERAGE + chance;
    ((coverage - COVERAGE).abs() > limit).then(|| {
        format!(
            "its 80 % intervals hold {coverage:.2} of the outcomes, and those before {before:.2}"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::eval::{Difference, Evaluation, Figure, Figures, Interval};
    use crate::guards::Warning;

    fn contender(bias: f64, coverage: f64) -> Contender {
        Contender {
            name: OKUO.to_owned(),
            baseline: false,
            figures: Figures {
                rows: 400,
                mae: Some(1.5),
                mae_all: Some(2.0),
                bias: Some(bias),
                coverage_80: Some(coverage),
                ..Figures::default()
            },
            intervals: BTreeMap::new(),
            differences: vec![],
        }
    }

    fn report(last: Contender) -> HoldoutReport {
        HoldoutReport {
            evaluation: Evaluation {
                offers: None,
                nights: vec![],
                contenders: vec![contender(-0.2, 0.82)],
                best_baselines: BTreeMap::new(),
                warnings: vec![],
            },
            final_model: Some(last),
            not_compared: None,
            trained_again: None,
            same_settings: None,
        }
    }

    fn worse_by(difference: f64) -> Contender {
        let difference = Difference {
            figure: Figure::MaeAll,
            to: OKUO.to_owned(),
            difference,
            interval: Interval {
                low: 0.01,
                high: 2.0 * difference,
            },
            verdict: Verdict::Worse,
        };
        Contender {
            differences: vec![difference],
            ..contender(-0.2, 0.82)
        }
    }

    fn refused(last: Contender) -> String {
        refusal(&[], Some(&report(last))).unwrap_or_default()
    }

    #[test]
    fn a_final_model_like_its_backtest_is_no_reason_to_refuse() {
        for (bias, coverage) in [(-0.2, 0.82), (0.3, 0.8), (-0.6, 0.9), (0.5, 0.72)] {
            assert_eq!(refused(contender(bias, coverage)), "", "{bias} {coverage}");
        }
        assert_eq!(refusal(&[], None), None);
    }

    #[test]
    fn a_final_model_that_is_shifted_or_unsure_is_refused() {
        assert!(refused(contender(0.7, 0.8)).contains("expects customers 0.9 days later"));
        assert!(refused(contender(-1.2, 0.8)).contains("1.0 days earlier"));
        assert!(refused(contender(-0.2, 0.97)).contains("hold 0.97 of the outcomes"));
        assert!(refused(worse_by(0.3)).contains("its mae_all is significantly worse"));
        assert_eq!(refused(worse_by(0.05)), "", "by a hair");
    }

    #[test]
    fn gaps_are_named() {
        let gap = GuardFinding {
            is_breach: true,
            warning: Warning::note("10 days of the last 35 have no sales"),
        };
        let refused = refusal(&[gap], None).unwrap();
        assert!(refused.ends_with("stay away: 10 days of the last 35 have no sales"));
    }
}
