//! Whether a new model takes the place of the promoted one.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::eval::HoldoutMetrics;

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

/// Decides by figures that were all measured on the same nights: the new model's ndcg@10 must not
/// be lower and its mae_all not higher than the replaced model's and than those of every baseline.
/// A figure that another does not have is not compared, and the reason says so; one that the new
/// model does not have, or that is not a number, loses. A baseline has one of the two figures by
/// its nature.
#[must_use]
pub fn decide(
    new: &HoldoutMetrics,
    replaced: Option<&HoldoutMetrics>,
    baselines: &[HoldoutMetrics],
    policy: PromotionPolicy,
) -> Decision {
    let decision = |promote, reason: String| Decision { promote, reason };
    match policy {
        PromotionPolicy::Always => {
            return decision(
                true,
                "promotion was asked for, whatever the figures".to_owned(),
            );
        }
        PromotionPolicy::Never => return decision(false, "promotion was not asked for".to_owned()),
        PromotionPolicy::IfBetter => {}
    }
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    for other in replaced.into_iter().chain(baselines) {
        for (figure, of, higher_is_better) in FIGURES {
            let Some(known) = finite(of(other)) else {
                continue;
            };
            let no_worse = finite(of(new)).is_some_and(|new| {
                if higher_is_better {
                    new >= known
                } else {
                    new <= known
                }
            });
            if !no_worse {
                let new = of(new).map_or("unknown".to_owned(), |new| format!("{new:.4}"));
                return decision(
                    false,
                    format!(
                        "its {figure} is {new}, that of {} is {known:.4}",
                        other.name
                    ),
                );
            }
        }
    }
    let mut not_compared = vec![];
    for (figure, of, _) in FIGURES {
        if let Some(replaced) = replaced.filter(|replaced| finite(of(replaced)).is_none()) {
            not_compared.push(format!("{figure} with {}, which has none", replaced.name));
        }
        if !baselines
            .iter()
            .any(|baseline| finite(of(baseline)).is_some())
        {
            not_compared.push(format!("{figure} with a baseline, of which none has it"));
        }
    }
    let reason = match replaced {
        Some(replaced) => format!("it is no worse than {} and the baselines", replaced.name),
        None => "it is no worse than the baselines, and no model was promoted before".to_owned(),
    };
    let not_compared = if not_compared.is_empty() {
        String::new()
    } else {
        format!("; not compared: {}", not_compared.join(", "))
    };
    decision(true, reason + &not_compared)
}

/// A figure that decides: its name, its value, and whether higher is better.
type Deciding = (&'static str, fn(&HoldoutMetrics) -> Option<f64>, bool);
const FIGURES: [Deciding; 2] = [
    ("ndcg@10", |held_out| held_out.ndcg_at_10, true),
    ("mae_all", |held_out| held_out.mae_all, false),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(name: &str, ndcg_at_10: f64, mae_all: f64) -> HoldoutMetrics {
        HoldoutMetrics {
            name: name.into(),
            ndcg_at_10: Some(ndcg_at_10),
            mae_all: Some(mae_all),
        }
    }

    fn decided(
        new: &HoldoutMetrics,
        replaced: Option<&HoldoutMetrics>,
        baselines: &[HoldoutMetrics],
    ) -> Decision {
        decide(new, replaced, baselines, PromotionPolicy::IfBetter)
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
        assert!(decided(&figures("new", 0.30, 3.5), Some(&old), &counting).promote);
        assert!(
            decided(&figures("new", 0.29, 3.6), Some(&old), &counting).promote,
            "a tie is no worse"
        );
        assert!(decided(&figures("new", 0.285, 3.8), None, &counting).promote);
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
                decided(&new, Some(&old), &counting),
                Decision {
                    promote: false,
                    reason: reason.into()
                }
            );
        }
        assert!(
            decided(&figures("new", 0.284, 3.5), None, &counting)
                .reason
                .contains("tifuknn")
        );
        assert!(
            decided(&figures("new", 0.30, 3.9), None, &counting)
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
            decided(&new, None, &counting).reason,
            "it is no worse than the baselines, and no model was promoted before"
        );
        assert_eq!(
            decided(&new, Some(&figures("old", f64::NAN, 3.6)), &counting).reason,
            "it is no worse than old and the baselines; not compared: ndcg@10 with old, which has none"
        );
        let reason = decided(&new, Some(&figures("old", 0.29, 3.6)), &counting[..1]).reason;
        assert_eq!(
            reason,
            "it is no worse than old and the baselines; not compared: ndcg@10 with a baseline, of which none has it"
        );
    }

    #[test]
    fn a_policy_may_overrule_the_figures() {
        let (worse, old) = (figures("new", 0.1, 9.0), figures("old", 0.3, 3.0));
        assert!(decide(&worse, Some(&old), &[], PromotionPolicy::Always).promote);
        assert!(!decide(&old, Some(&worse), &[], PromotionPolicy::Never).promote);
        for policy in [
            PromotionPolicy::IfBetter,
            PromotionPolicy::Always,
            PromotionPolicy::Never,
        ] {
            assert_eq!(
                serde_json::to_value(policy)
                    .unwrap()
                    .as_str()
                    .unwrap()
                    .parse::<PromotionPolicy>()
                    .unwrap(),
                policy
            );
        }
        assert!(
            "yes"
                .parse::<PromotionPolicy>()
                .unwrap_err()
                .to_string()
                .contains("hint: the ways are")
        );
    }
}
