//! Whether a new model takes the place of the promoted one.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::eval::{HoldoutMetrics, HoldoutReport};
use crate::models::HELD_OUT_DAYS;

/// When a newly trained model is promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromotionPolicy {
    /// If it is no worse than the model that it replaces and than every baseline, on the same
    /// held-out nights.
    #[default]
    IfBetter,
    /// Whatever its figures.
    Always,
    /// Only by `okuo models promote`.
    Never,
}

impl FromStr for PromotionPolicy {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "if-better" => Ok(PromotionPolicy::IfBetter),
            "always" => Ok(PromotionPolicy::Always),
            "never" => Ok(PromotionPolicy::Never),
            _ => Err(
                Error::request(format!("\"{text}\" is not a way to promote"))
                    .hint("the ways are if-better, always and never"),
            ),
        }
    }
}

/// What was decided, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Whether the pointer moves.
    pub promote: bool,
    /// One sentence for the user.
    pub reason: String,
}

impl Decision {
    fn promote(reason: impl Into<String>) -> Self {
        Self {
            promote: true,
            reason: reason.into(),
        }
    }

    fn refuse(reason: impl Into<String>) -> Self {
        Self {
            promote: false,
            reason: reason.into(),
        }
    }
}

/// What is known of the model that a new one would replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StandingModel {
    /// No model is promoted.
    Absent,
    /// It could be read: the held-out report has its figures, or says why it has none.
    Readable {
        /// Its id.
        model_id: String,
    },
    /// It could not be read and was not measured.
    Unreadable {
        /// Its id.
        model_id: String,
    },
    /// Another model was promoted while the new one was trained and measured.
    Moved,
}

impl StandingModel {
    /// The id of the model that the pointer named.
    #[must_use]
    pub fn model_id(&self) -> Option<&str> {
        match self {
            Self::Readable { model_id } | Self::Unreadable { model_id } => Some(model_id),
            Self::Absent | Self::Moved => None,
        }
    }
}

/// Decides whether a new model takes the place of the one that stands. `held_out` has the figures
/// of both and of the baselines on the same nights; `None` if the new model could not be measured.
///
/// Under [`PromotionPolicy::IfBetter`] the new model's ndcg@10 must not be lower and its mae_all not
/// higher than those of the standing model and of every baseline. A figure that another does not
/// have is not compared, and the reason says so; a figure that the new model does not have, or that
/// is not a number, loses. A baseline has only one of the two figures.
#[must_use]
pub fn decide(
    held_out: Option<&HoldoutReport>,
    standing: &StandingModel,
    policy: PromotionPolicy,
) -> Decision {
    match (policy, held_out) {
        (PromotionPolicy::Always, _) => {
            Decision::promote("promotion was asked for, whatever the figures")
        }
        _ if *standing == StandingModel::Moved => {
            Decision::refuse("another model was promoted in the meantime, and was not compared")
        }
        (_, None) => Decision::refuse(format!(
            "it could not be measured on the last {HELD_OUT_DAYS} days"
        )),
        (PromotionPolicy::Never, Some(_)) => Decision::refuse("promotion was not asked for"),
        (PromotionPolicy::IfBetter, Some(report)) => if_better(report, standing),
    }
}

fn if_better(report: &HoldoutReport, standing: &StandingModel) -> Decision {
    let (new, replaced, baselines) = report.contenders();
    let decision = by_figures(&new, replaced.as_ref(), &baselines);
    let not_compared = match standing {
        _ if report.not_compared.is_some() => report.not_compared.clone(),
        StandingModel::Unreadable { model_id } => Some(format!(
            "the promoted model {model_id} could not be read and was not compared"
        )),
        _ => None,
    };
    match not_compared {
        Some(why) if decision.promote => {
            Decision::promote(format!("it is no worse than the baselines; {why}"))
        }
        _ => decision,
    }
}

fn by_figures(
    new: &HoldoutMetrics,
    replaced: Option<&HoldoutMetrics>,
    baselines: &[HoldoutMetrics],
) -> Decision {
    let mut others = replaced.into_iter().chain(baselines);
    if let Some(reason) = others.find_map(|other| worse_than(new, other)) {
        return Decision::refuse(reason);
    }
    let reason = match replaced {
        Some(replaced) => format!("it is no worse than {} and the baselines", replaced.name),
        None => "it is no worse than the baselines, and no model was promoted before".to_owned(),
    };
    let gaps = not_compared(replaced, baselines);
    Decision::promote(if gaps.is_empty() {
        reason
    } else {
        format!("{reason}; not compared: {}", gaps.join(", "))
    })
}

/// The first figure in which a model is worse than another, as a reason.
fn worse_than(new: &HoldoutMetrics, other: &HoldoutMetrics) -> Option<String> {
    FIGURES.iter().find_map(|figure| {
        let known = figure.finite(other)?;
        let no_worse = figure.finite(new).is_some_and(|new| {
            if figure.higher_is_better {
                new >= known
            } else {
                new <= known
            }
        });
        let new = (figure.value)(new).map_or("unknown".to_owned(), |new| format!("{new:.4}"));
        let (name, other) = (figure.name, &other.name);
        (!no_worse).then(|| format!("its {name} is {new}, that of {other} is {known:.4}"))
    })
}

/// The figures that the others do not have.
fn not_compared(replaced: Option<&HoldoutMetrics>, baselines: &[HoldoutMetrics]) -> Vec<String> {
    let mut gaps = vec![];
    for figure in &FIGURES {
        let name = figure.name;
        if let Some(replaced) = replaced.filter(|replaced| figure.finite(replaced).is_none()) {
            gaps.push(format!("{name} with {}, which has none", replaced.name));
        }
        if baselines.iter().all(|other| figure.finite(other).is_none()) {
            gaps.push(format!("{name} with a baseline, of which none has it"));
        }
    }
    gaps
}

/// A figure that decides.
struct DecidingFigure {
    name: &'static str,
    value: fn(&HoldoutMetrics) -> Option<f64>,
    higher_is_better: bool,
}

impl DecidingFigure {
    fn finite(&self, of: &HoldoutMetrics) -> Option<f64> {
        (self.value)(of).filter(|value| value.is_finite())
    }
}

const FIGURES: [DecidingFigure; 2] = [
    DecidingFigure {
        name: "ndcg@10",
        value: |held_out| held_out.ndcg_at_10,
        higher_is_better: true,
    },
    DecidingFigure {
        name: "mae_all",
        value: |held_out| held_out.mae_all,
        higher_is_better: false,
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::eval::{Contender, Evaluation, Figures, OKUO, REPLACED};

    fn figures(name: &str, ndcg_at_10: f64, mae_all: f64) -> HoldoutMetrics {
        HoldoutMetrics {
            name: name.into(),
            ndcg_at_10: Some(ndcg_at_10),
            mae_all: Some(mae_all),
        }
    }

    #[test]
    fn it_must_be_no_worse_than_all_others_in_both_figures() {
        let old = figures("old", 0.29, 3.6);
        let counting = [
            HoldoutMetrics {
                name: "personal median gap".into(),
                ndcg_at_10: None,
                mae_all: Some(3.8),
            },
            HoldoutMetrics {
                name: "tifuknn".into(),
                ndcg_at_10: Some(0.285),
                mae_all: None,
            },
        ];
        assert!(by_figures(&figures("new", 0.30, 3.5), Some(&old), &counting).promote);
        assert!(
            by_figures(&figures("new", 0.29, 3.6), Some(&old), &counting).promote,
            "a tie is no worse"
        );
        assert!(by_figures(&figures("new", 0.285, 3.8), None, &counting).promote);
        for (new, reason) in [
            (
                figures("new", 0.28, 3.5),
                "its ndcg@10 is 0.2800, that of old is 0.2900",
            ),
            (
                figures("new", 0.30, 3.7),
                "its mae_all is 3.7000, that of old is 3.6000",
            ),
            (
                figures("new", f64::NAN, 3.5),
                "its ndcg@10 is NaN, that of old is 0.2900",
            ),
            (
                HoldoutMetrics {
                    mae_all: None,
                    ..figures("new", 0.3, 3.5)
                },
                "its mae_all is unknown, that of old is 3.6000",
            ),
        ] {
            assert_eq!(
                by_figures(&new, Some(&old), &counting),
                Decision {
                    promote: false,
                    reason: reason.into()
                }
            );
        }
        assert!(
            by_figures(&figures("new", 0.284, 3.5), None, &counting)
                .reason
                .contains("tifuknn")
        );
        assert!(
            by_figures(&figures("new", 0.30, 3.9), None, &counting)
                .reason
                .contains("personal median gap")
        );
    }

    #[test]
    fn what_could_not_be_compared_is_said() {
        let counting = [
            HoldoutMetrics {
                name: "personal median gap".into(),
                ndcg_at_10: None,
                mae_all: Some(3.8),
            },
            HoldoutMetrics {
                name: "tifuknn".into(),
                ndcg_at_10: Some(0.285),
                mae_all: None,
            },
        ];
        let new = figures("new", 0.30, 3.5);
        assert_eq!(
            by_figures(&new, None, &counting).reason,
            "it is no worse than the baselines, and no model was promoted before"
        );
        assert_eq!(
            by_figures(&new, Some(&figures("old", f64::NAN, 3.6)), &counting).reason,
            "it is no worse than old and the baselines; not compared: ndcg@10 with old, which has none"
        );
        let reason = by_figures(&new, Some(&figures("old", 0.29, 3.6)), &counting[..1]).reason;
        assert_eq!(
            reason,
            "it is no worse than old and the baselines; not compared: ndcg@10 with a baseline, of which none has it"
        );
    }

    /// A report in which okuo, the replaced model where there is one, and one baseline stand.
    fn report(new: (f64, f64), replaced: Option<(f64, f64)>) -> HoldoutReport {
        let contender = |name: &str, (ndcg_at_10, mae_all): (f64, f64), baseline| Contender {
            name: name.into(),
            baseline,
            figures: Figures {
                ndcg_at_10: Some(ndcg_at_10),
                mae_all: Some(mae_all),
                ..Figures::default()
            },
            intervals: BTreeMap::new(),
            differences: vec![],
        };
        let mut contenders = vec![
            contender(OKUO, new, false),
            contender("counting", (0.2, 4.0), true),
        ];
        contenders.extend(replaced.map(|figures| contender(REPLACED, figures, false)));
        HoldoutReport {
            evaluation: Evaluation {
                nights: vec![],
                contenders,
                best_baselines: BTreeMap::new(),
                warnings: vec![],
            },
            not_compared: None,
        }
    }

    fn readable() -> StandingModel {
        StandingModel::Readable {
            model_id: "old".into(),
        }
    }

    fn unreadable() -> StandingModel {
        StandingModel::Unreadable {
            model_id: "old".into(),
        }
    }

    #[test]
    fn each_thing_that_may_be_known_has_its_sentence() {
        let better = report((0.3, 3.0), Some((0.29, 3.1)));
        let worse = report((0.28, 3.0), Some((0.29, 3.1)));
        let alone = report((0.3, 3.0), None);
        let below_counting = report((0.1, 3.0), None);
        let seen = HoldoutReport {
            not_compared: Some("the replaced model has seen these days".into()),
            ..alone.clone()
        };
        let (absent, moved) = (StandingModel::Absent, StandingModel::Moved);
        for (held_out, standing, promote, reason) in [
            (
                Some(&better),
                readable(),
                true,
                "it is no worse than replaced model and the baselines",
            ),
            (
                Some(&worse),
                readable(),
                false,
                "its ndcg@10 is 0.2800, that of replaced model is 0.2900",
            ),
            (
                Some(&alone),
                absent.clone(),
                true,
                "it is no worse than the baselines, and no model was promoted before",
            ),
            (
                Some(&below_counting),
                absent.clone(),
                false,
                "its ndcg@10 is 0.1000, that of counting is 0.2000",
            ),
            (
                Some(&seen),
                readable(),
                true,
                "it is no worse than the baselines; the replaced model has seen these days",
            ),
            (
                Some(&alone),
                unreadable(),
                true,
                "it is no worse than the baselines; the promoted model old could not be read and was not compared",
            ),
            (
                Some(&below_counting),
                unreadable(),
                false,
                "its ndcg@10 is 0.1000, that of counting is 0.2000",
            ),
            (
                Some(&better),
                moved.clone(),
                false,
                "another model was promoted in the meantime, and was not compared",
            ),
            (
                None,
                moved,
                false,
                "another model was promoted in the meantime, and was not compared",
            ),
            (
                None,
                absent,
                false,
                "it could not be measured on the last 28 days",
            ),
            (
                None,
                readable(),
                false,
                "it could not be measured on the last 28 days",
            ),
        ] {
            let decision = decide(held_out, &standing, PromotionPolicy::IfBetter);
            assert_eq!(
                (decision.promote, decision.reason.as_str()),
                (promote, reason)
            );
        }
    }

    #[test]
    fn a_policy_may_overrule_the_figures() {
        let (better, worse) = (
            report((0.3, 3.0), Some((0.29, 3.1))),
            report((0.1, 9.0), Some((0.29, 3.1))),
        );
        for held_out in [Some(&worse), None] {
            for standing in [
                readable(),
                unreadable(),
                StandingModel::Absent,
                StandingModel::Moved,
            ] {
                assert_eq!(
                    decide(held_out, &standing, PromotionPolicy::Always),
                    Decision::promote("promotion was asked for, whatever the figures")
                );
            }
        }
        assert_eq!(
            decide(Some(&better), &readable(), PromotionPolicy::Never),
            Decision::refuse("promotion was not asked for")
        );
        assert!(!decide(None, &StandingModel::Absent, PromotionPolicy::Never).promote);
    }

    #[test]
    fn policies_are_read_as_they_are_written() {
        for policy in [
            PromotionPolicy::IfBetter,
            PromotionPolicy::Always,
            PromotionPolicy::Never,
        ] {
            let text = serde_json::to_value(policy).unwrap();
            assert_eq!(
                text.as_str().unwrap().parse::<PromotionPolicy>().unwrap(),
                policy
            );
        }
        let error = "yes".parse::<PromotionPolicy>().unwrap_err().to_string();
        assert!(error.contains("hint: the ways are"), "{error}");
    }
}
