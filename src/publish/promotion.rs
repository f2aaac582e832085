//! Whether a new model takes the place of the promoted one.
//!
//! Figures of two models on the same days differ by chance. So what decides is the 95 % interval of
//! their difference, by bootstrap over customers ([`crate::eval::bootstrap`]): a difference whose
//! interval holds 0 is a tie, and a tie is no reason to stay with the older model. Nor is it one to
//! replace a model of the same data: nothing would be new but the settings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::calendar::AsOf;
use crate::error::{Error, Result};
use crate::eval::{Difference, Figure, HoldoutReport, Interval, OKUO, REPLACED, Verdict};
use crate::models::HELD_OUT_DAYS;
use crate::publish::registry::model_night;

pub mod last_days;
#[cfg(test)]
mod tests;

/// When a newly trained model is promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromotionPolicy {
    /// Unless it is significantly worse than the model that it replaces or than the best baseline,
    /// on the same held-out nights.
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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// Whether the pointer moves.
    pub promote: bool,
    /// One sentence for the user.
    pub reason: String,
    /// The differences that were looked at: to the promoted model, where it could be compared, then
    /// to the best baseline by each figure.
    pub compared: Vec<Difference>,
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
        /// Whether it was trained on the very purchases of the new model.
        has_same_data: bool,
    },
    /// It could not be read and was not measured.
    Unreadable {
        /// Its id.
        model_id: String,
        /// Whether a newer okuo wrote it, which can still read it.
        is_newer: bool,
    },
    /// Another model was promoted while the new one was trained and measured.
    Moved,
}

impl StandingModel {
    /// The id of the model that the pointer named.
    #[must_use]
    pub fn model_id(&self) -> Option<&str> {
        match self {
            Self::Readable { model_id, .. } | Self::Unreadable { model_id, .. } => Some(model_id),
            Self::Absent | Self::Moved => None,
        }
    }

    /// The night up to which it was trained, which its id begins with.
    fn as_of(&self) -> Option<AsOf> {
        model_night(self.model_id()?)
    }
}

/// Decides whether a new model, trained up to `as_of`, takes the place of the one that stands.
/// `held_out` has the differences between the new model, the standing one and the baselines on the
/// same nights; `None` if the new model could not be measured.
///
/// Under [`PromotionPolicy::IfBetter`] a model is promoted unless it is significantly worse, in
/// ndcg@10 or mae_all, than the standing model or than the best baseline by that figure. Where
/// mae_all ties with the standing model's, mae must not be significantly worse either. A model of the
/// standing one's data must also be significantly better in one of these. A model that
/// knows fewer days than the standing one is not promoted, nor one that could not be compared with
/// a standing model that is still of use. One of the same settings that has seen the held-out days
/// is not told apart from it, and the baselines alone decide. A figure that another does not have is
/// not compared, and the reason says so; a figure that the new model alone does not have loses.
#[must_use]
pub fn decide(
    held_out: Option<&HoldoutReport>,
    as_of: AsOf,
    standing: &StandingModel,
    policy: PromotionPolicy,
) -> Decision {
    let decided = match policy {
        PromotionPolicy::Always => Ok("promotion was asked for, whatever the figures".to_owned()),
        PromotionPolicy::Never => Err("promotion was not asked for".to_owned()),
        PromotionPolicy::IfBetter => unless_worse(held_out, as_of, standing),
    };
    Decision {
        promote: decided.is_ok(),
        reason: decided.unwrap_or_else(|refusal| refusal),
        compared: held_out.map(compared).unwrap_or_default(),
    }
}

/// The differences to the replaced model, then those to the best baselines.
fn compared(report: &HoldoutReport) -> Vec<Difference> {
    let both = [
        Comparison::with_promoted(report, REPLACED),
        Comparison::with_baselines(report),
    ];
    both.iter()
        .flat_map(Comparison::differences)
        .cloned()
        .collect()
}

/// Why a model is promoted, or why it is not.
fn unless_worse(
    held_out: Option<&HoldoutReport>,
    as_of: AsOf,
    standing: &StandingModel,
) -> Result<String, String> {
    refuse_unseen(as_of, standing)?;
    let report = held_out
        .ok_or_else(|| format!("it could not be measured on the last {HELD_OUT_DAYS} days"))?;
    let baselines = Comparison::with_baselines(report);
    if let StandingModel::Readable {
        model_id,
        has_same_data,
    } = standing
    {
        let newer = match standing.as_of() {
            _ if *has_same_data => "",
            Some(theirs) if theirs < as_of => ", and it has newer data",
            _ => "",
        };
        return beside_readable(report, model_id, *has_same_data, newer);
    }
    baselines.refuse_worse()?;
    let before = match standing.model_id() {
        Some(id) => format!("the promoted model {id} could not be read and was not compared"),
        None => "no model was promoted before".to_owned(),
    };
    let verdict = baselines.verdict(BASELINES);
    Ok(format!("{before}, and {verdict}: {baselines}"))
}

/// Why a model is promoted, or why it is not, in place of `model_id`, which could be read. `newer` is
/// what the new model has besides, as a part of a sentence.
fn beside_readable(
    report: &HoldoutReport,
    model_id: &str,
    has_same_data: bool,
    newer: &str,
) -> Result<String, String> {
    let baselines = Comparison::with_baselines(report);
    if let Some(same) = &report.same_settings {
        baselines.refuse_worse()?;
        if has_same_data {
            return Err(format!(
                "the promoted model {model_id} has {same} and was trained on the same data, so \
                 nothing tells the two apart; {PROMOTE_ALWAYS}"
            ));
        }
        let verdict = baselines.verdict(BASELINES);
        return Ok(format!(
            "the promoted model {model_id} has {same} and has seen these days, which cannot tell \
             the two apart; {verdict}{newer}: {baselines}"
        ));
    }
    if let Some(why) = &report.not_compared {
        return Err(format!(
            "it could not be compared with the promoted model {model_id}: {why}"
        ));
    }
    let promoted = Comparison::with_promoted(report, &format!("the promoted model {model_id}"));
    promoted.refuse_worse()?;
    baselines.refuse_worse()?;
    let again = match &report.trained_again {
        Some(why) => format!(" ({why})"),
        None => String::new(),
    };
    let whom = format!("the promoted model {model_id}{again}");
    if has_same_data {
        return promoted.refuse_tie(&whom);
    }
    let verdicts = match promoted.is_empty() == baselines.is_empty() {
        true => promoted.verdict(&format!("{whom} and {BASELINES}")),
        false => format!(
            "{}, and {}",
            promoted.verdict(&whom),
            baselines.verdict(BASELINES)
        ),
    };
    Ok(format!("{verdicts}{newer}: {promoted}"))
}

/// What a user can do who wants a model of the same data all the same.
const PROMOTE_ALWAYS: &str = "`--promote always` promotes the new one all the same";

/// The baselines, as a sentence names them.
const BASELINES: &str = "the baselines";

/// Refuses whatever the figures are: where the standing model is not to be replaced by a model
/// that was not, or could not be, compared with it.
fn refuse_unseen(as_of: AsOf, standing: &StandingModel) -> Result<(), String> {
    match standing {
        StandingModel::Moved => {
            Err("another model was promoted in the meantime, and was not compared".to_owned())
        }
        StandingModel::Unreadable {
            model_id,
            is_newer: true,
        } => Err(format!(
            "the promoted model {model_id} was written by a newer okuo and cannot be compared; \
             train with that okuo, or with `--promote always`"
        )),
        StandingModel::Readable { model_id, .. } | StandingModel::Unreadable { model_id, .. } => {
            match standing.as_of() {
                Some(theirs) if theirs > as_of => Err(format!(
                    "the promoted model {model_id} was trained up to a later night; \
                     `--promote always` goes back"
                )),
                _ => Ok(()),
            }
        }
        StandingModel::Absent => Ok(()),
    }
}

/// The figures that decide.
const DECIDING: [Figure; 2] = [Figure::NdcgAt10, Figure::MaeAll];

/// How the new model does beside another one, or beside the best baseline by each figure.
struct Comparison<'a> {
    figures: Vec<FigureComparison<'a>>,
}

/// How the new model does in one figure.
struct FigureComparison<'a> {
    figure: Figure,
    /// The other, as a sentence names it.
    whom: String,
    is_baseline: bool,
    measured: MeasuredDifference<'a>,
}

/// What is known of a figure of two contenders.
#[derive(Clone, Copy)]
enum MeasuredDifference<'a> {
    /// Both have it, and there is an interval of their difference.
    Interval(&'a Difference),
    /// Both have it, without an interval.
    TooFewCustomers,
    /// Only the other has it.
    OnlyTheirs(f64),
    /// Only the new model has it.
    NotTheirs,
    /// Neither has it.
    Neither,
}

impl<'a> Comparison<'a> {
    /// `whom` is the replaced model, as a sentence names it. Where mae_all does not tell the two
    /// apart, mae may.
    fn with_promoted(report: &'a HoldoutReport, whom: &str) -> Self {
        let mut figures: Vec<_> = DECIDING
            .into_iter()
            .map(|figure| FigureComparison::with_promoted(report, figure, whom))
            .collect();
        let mae = FigureComparison::with_promoted(report, Figure::Mae, whom);
        let is_told_apart = figures
            .iter()
            .any(|it| it.figure == Figure::MaeAll && it.is_told_apart());
        if !is_told_apart && mae.interval().is_some() {
            figures.push(mae);
        }
        Self { figures }
    }

    fn with_baselines(report: &'a HoldoutReport) -> Self {
        let best = DECIDING.into_iter().map(|figure| {
            let best = report.evaluation.best_baselines.get(&figure);
            let name = best.map_or("any baseline", String::as_str);
            FigureComparison {
                figure,
                whom: name.to_owned(),
                is_baseline: true,
                measured: MeasuredDifference::new(report, figure, name),
            }
        });
        Self {
            figures: best.collect(),
        }
    }

    fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.figures.iter().filter_map(FigureComparison::interval)
    }

    /// Whether no figure could be compared.
    fn is_empty(&self) -> bool {
        self.differences().next().is_none()
    }

    /// What the comparison says of the new model where it is not refused.
    fn verdict(&self, whom: &str) -> String {
        match self.is_empty() {
            true => format!("nothing tells it from {whom}"),
            false => format!("it is no worse than {whom}"),
        }
    }

    /// Why a model that is no worse than one of the same data is promoted: it is better in a figure.
    /// A tie is a refusal, since the new model has nothing that the other has not.
    fn refuse_tie(&self, whom: &str) -> Result<String, String> {
        let is_better = self
            .differences()
            .any(|difference| difference.verdict == Verdict::Better);
        match is_better {
            true => Ok(format!(
                "it is significantly better than {whom} on the same data: {self}"
            )),
            false => Err(format!(
                "{whom} was trained on the same data, and it is not significantly better: {self}; \
                 {PROMOTE_ALWAYS}"
            )),
        }
    }

    /// The first figure in which the new model is worse, as a reason.
    fn refuse_worse(&self) -> Result<(), String> {
        match self.figures.iter().find_map(FigureComparison::worse) {
            Some(worse) => Err(format!("{worse}: {self}")),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures: Vec<String> = self.figures.iter().map(ToString::to_string).collect();
        f.write_str(&figures.join("; "))
    }
}

impl<'a> MeasuredDifference<'a> {
    fn new(report: &'a HoldoutReport, figure: Figure, other: &str) -> Self {
        match (
            finite(report, figure, OKUO),
            finite(report, figure, other),
            report.difference(figure, other),
        ) {
            (None, None, _) => Self::Neither,
            (Some(_), None, _) => Self::NotTheirs,
            (None, Some(theirs), _) => Self::OnlyTheirs(theirs),
            (Some(_), Some(_), None) => Self::TooFewCustomers,
            (Some(_), Some(_), Some(difference)) => Self::Interval(difference),
        }
    }
}

/// A figure of a contender, if it has it.
fn finite(report: &HoldoutReport, figure: Figure, contender: &str) -> Option<f64> {
    let figures = &report.contender(contender)?.figures;
    figure.of(figures).filter(|value| value.is_finite())
}

impl<'a> FigureComparison<'a> {
    fn with_promoted(report: &'a HoldoutReport, figure: Figure, whom: &str) -> Self {
        Self {
            figure,
            whom: whom.to_owned(),
            is_baseline: false,
            measured: MeasuredDifference::new(report, figure, REPLACED),
        }
    }

    fn interval(&self) -> Option<&'a Difference> {
        match self.measured {
            MeasuredDifference::Interval(difference) => Some(difference),
            _ => None,
        }
    }

    fn is_told_apart(&self) -> bool {
        self.interval()
            .is_some_and(|difference| difference.verdict != Verdict::Tie)
    }

    /// Why the new model loses by this figure, if it does.
    fn worse(&self) -> Option<String> {
        let (figure, whom) = (self.figure.name(), &self.whom);
        match self.measured {
            MeasuredDifference::Interval(difference) if difference.verdict == Verdict::Worse => {
                Some(format!(
                    "its {figure} is significantly worse than that of {whom}"
                ))
            }
            MeasuredDifference::OnlyTheirs(theirs) => Some(format!(
                "its {figure} is unknown, that of {whom} is {theirs:.4}"
            )),
            _ => None,
        }
    }
}

impl fmt::Display for FigureComparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (figure, whom) = (self.figure.name(), &self.whom);
        let it = match self.measured {
            MeasuredDifference::Interval(difference) => difference,
            MeasuredDifference::TooFewCustomers => {
                return write!(f, "{figure} not compared (too few customers)");
            }
            MeasuredDifference::OnlyTheirs(_) => return write!(f, "{figure} unknown"),
            MeasuredDifference::NotTheirs => {
                return write!(f, "{figure} not compared (there is none of {whom})");
            }
            MeasuredDifference::Neither => {
                return write!(f, "{figure} not compared (there is none)");
            }
        };
        let Interval { low, high } = it.interval;
        write!(
            f,
            "{figure} {:+.4} ({low:+.4} … {high:+.4}), {}",
            it.difference,
            it.verdict.words()
        )?;
        match (self.is_baseline, it.verdict) {
            (false, _) => Ok(()),
            (true, Verdict::Tie) => write!(f, " with {whom}"),
            (true, _) => write!(f, " than {whom}"),
        }
    }
}
