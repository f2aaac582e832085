use std::collections::BTreeMap;

use super::*;
use crate::calendar::Day;
use crate::eval::{Contender, Evaluation, Figures};

/// A baseline that has both figures.
const COUNTING: &str = "counting";
/// The id of the standing model.
const STANDING: &str = "2017-10-31-0123456789ab";

/// A night after that of [`STANDING`].
fn later() -> AsOf {
    "2017-11-30".parse().unwrap()
}

/// A difference whose interval is this far to both sides; signs as they are good or bad.
fn difference(figure: Figure, to: &str, gain: f64, doubt: f64) -> Difference {
    let sign = if figure.higher_is_better() { 1.0 } else { -1.0 };
    let verdict = match gain.abs() <= doubt {
        true => Verdict::Tie,
        false if gain > 0.0 => Verdict::Better,
        false => Verdict::Worse,
    };
    Difference {
        figure,
        to: to.to_owned(),
        difference: sign * gain,
        interval: Interval {
            low: sign * gain - doubt,
            high: sign * gain + doubt,
        },
        verdict,
    }
}

fn contender(name: &str, baseline: bool) -> Contender {
    Contender {
        name: name.to_owned(),
        baseline,
        figures: Figures {
            ndcg_at_10: Some(0.3),
            mae_all: Some(3.6),
            mae: Some(3.0),
            ..Figures::default()
        },
        intervals: BTreeMap::new(),
        differences: vec![],
    }
}

/// A report in which okuo, one baseline, and the replaced model have all figures; `gains` are over
/// the latter in ndcg@10, mae_all and mae, each with a doubt of 0.01, and okuo is better than
/// counting.
fn report(gains: [f64; 3]) -> HoldoutReport {
    let figures = [Figure::NdcgAt10, Figure::MaeAll, Figure::Mae];
    let to_replaced = figures.into_iter().zip(gains);
    let to_counting = figures.map(|figure| difference(figure, COUNTING, 0.1, 0.01));
    let okuo = Contender {
        differences: to_counting
            .into_iter()
            .chain(to_replaced.map(|(figure, gain)| difference(figure, REPLACED, gain, 0.01)))
            .collect(),
        ..contender(OKUO, false)
    };
    HoldoutReport {
        evaluation: Evaluation {
            offers: None,
            nights: vec![],
            contenders: vec![okuo, contender(COUNTING, true), contender(REPLACED, false)],
            best_baselines: figures.map(|figure| (figure, COUNTING.to_owned())).into(),
            warnings: vec![],
        },
        final_model: None,
        not_compared: None,
        trained_again: None,
        same_settings: None,
    }
}

/// The same without a replaced model, with these gains over the best baseline.
fn first_model(ndcg_at_10: f64, mae_all: f64) -> HoldoutReport {
    let mut report = report([0.0; 3]);
    report.evaluation.contenders.pop();
    report.evaluation.contenders[0].differences = vec![
        difference(Figure::NdcgAt10, COUNTING, ndcg_at_10, 0.01),
        difference(Figure::MaeAll, COUNTING, mae_all, 0.01),
    ];
    report
}

fn readable() -> StandingModel {
    StandingModel::Readable {
        model_id: STANDING.to_owned(),
        has_same_data: false,
    }
}

/// A model that was trained on the very data of the new one.
fn of_same_data() -> StandingModel {
    StandingModel::Readable {
        model_id: STANDING.to_owned(),
        has_same_data: true,
    }
}

fn unreadable(is_newer: bool) -> StandingModel {
    StandingModel::Unreadable {
        model_id: STANDING.to_owned(),
        is_newer,
    }
}

/// What is decided of a model that is trained up to a later night than the standing one.
fn decided(report: &HoldoutReport, standing: &StandingModel) -> (bool, String) {
    let decision = decide(Some(report), later(), standing, PromotionPolicy::IfBetter);
    (decision.promote, decision.reason)
}

#[test]
fn a_tie_in_both_figures_is_promoted_with_the_newer_data() {
    // A little worse in both, and not beyond chance.
    let decision = decide(
        Some(&report([-0.002, -0.005, 0.001])),
        later(),
        &readable(),
        PromotionPolicy::IfBetter,
    );
    assert_eq!(
        (decision.promote, decision.reason.as_str()),
        (
            true,
            "it is no worse than the promoted model 2017-10-31-0123456789ab and the baselines, and \
             it has newer data: ndcg@10 -0.0020 (-0.0120 … +0.0080), a tie; \
             mae_all +0.0050 (-0.0050 … +0.0150), a tie; mae -0.0010 (-0.0110 … +0.0090), a tie"
        )
    );
    let compared: Vec<_> = decision
        .compared
        .iter()
        .map(|difference| (difference.figure, difference.to.as_str()))
        .collect();
    assert_eq!(
        compared,
        [
            (Figure::NdcgAt10, REPLACED),
            (Figure::MaeAll, REPLACED),
            (Figure::Mae, REPLACED),
            (Figure::NdcgAt10, COUNTING),
            (Figure::MaeAll, COUNTING),
        ]
    );
    let json = serde_json::to_value(&decision).unwrap();
    assert_eq!(json["compared"][0]["figure"], "ndcg@10");
    assert_eq!(json["compared"][0]["verdict"], "tie");
    assert!(json["compared"][0]["low"].is_number());
}

#[test]
fn significantly_worse_in_either_figure_is_not_promoted() {
    for (gains, figure) in [
        ([-0.02, 0.5, 0.5], "ndcg@10"),
        ([0.5, -0.02, 0.5], "mae_all"),
        // mae has a say where mae_all does not tell them apart,
        ([0.5, 0.005, -0.02], "mae"),
    ] {
        let (promote, reason) = decided(&report(gains), &readable());
        let worse = format!(
            "its {figure} is significantly worse than that of the promoted model {STANDING}: ndcg@10 "
        );
        assert!(!promote && reason.starts_with(&worse), "{reason}");
        assert!(reason.contains(", worse"), "{reason}");
    }
    // and none where it does.
    let (promote, reason) = decided(&report([0.0, 0.02, -0.5]), &readable());
    assert!(promote && !reason.contains("mae -"), "{reason}");
}

#[test]
fn the_first_model_is_promoted_unless_it_is_worse_than_counting() {
    let absent = StandingModel::Absent;
    let (promote, reason) = decided(&first_model(-0.009, 0.02), &absent);
    assert_eq!(
        (promote, reason.as_str()),
        (
            true,
            "no model was promoted before, and it is no worse than the baselines: \
             ndcg@10 -0.0090 (-0.0190 … +0.0010), a tie with counting; \
             mae_all -0.0200 (-0.0300 … -0.0100), better than counting"
        )
    );
    let (promote, reason) = decided(&first_model(0.02, -0.02), &absent);
    let worse = "its mae_all is significantly worse than that of counting: ndcg@10 +0.0200 ";
    assert!(!promote && reason.starts_with(worse), "{reason}");
}

#[test]
fn better_than_the_promoted_one_and_worse_than_counting_is_not_promoted() {
    let mut report = report([0.5; 3]);
    report.evaluation.contenders[0].differences[0] =
        difference(Figure::NdcgAt10, COUNTING, -0.02, 0.01);
    let (promote, reason) = decided(&report, &readable());
    assert!(!promote && reason.contains("that of counting"), "{reason}");
}

#[test]
fn older_data_do_not_take_the_place_of_newer_ones_unless_asked() {
    let earlier = AsOf(Day::from_epoch(17_469));
    let better = report([0.5; 3]);
    for standing in [readable(), unreadable(false)] {
        let of = |policy| decide(Some(&better), earlier, &standing, policy);
        let decision = of(PromotionPolicy::IfBetter);
        assert!(!decision.promote);
        assert_eq!(
            decision.reason,
            format!(
                "the promoted model {STANDING} was trained up to a later night; `--promote always` goes back"
            )
        );
        assert!(of(PromotionPolicy::Always).promote);
    }
    // The same night again, with other tickets, is not older.
    let same = decide(
        Some(&report([0.0; 3])),
        AsOf(earlier.day() + 1),
        &readable(),
        PromotionPolicy::IfBetter,
    );
    assert!(
        same.promote && !same.reason.contains("newer data"),
        "{}",
        same.reason
    );
}

#[test]
fn on_the_same_data_a_tie_changes_nothing() {
    let again = |gains| HoldoutReport {
        trained_again: Some("trained again up to 2017-11-02".to_owned()),
        ..report(gains)
    };
    let (promote, reason) = decided(&again([0.005, -0.005, 0.005]), &of_same_data());
    let said = format!(
        "the promoted model {STANDING} (trained again up to 2017-11-02) was trained on the same data, \
         and it is not significantly better: ndcg@10 +0.0050 (-0.0050 … +0.0150), a tie; mae_all "
    );
    assert!(!promote && reason.starts_with(&said), "{reason}");
    let asked = "; `--promote always` promotes the new one all the same";
    assert!(reason.ends_with(asked), "{reason}");
    // One figure is enough, mae too where mae_all ties, and none may be worse.
    for gains in [[0.02, 0.0, 0.0], [0.0, 0.02, 0.0], [0.0, 0.0, 0.02]] {
        let (promote, reason) = decided(&again(gains), &of_same_data());
        let said = format!(
            "it is significantly better than the promoted model {STANDING} (trained again up to \
             2017-11-02) on the same data: ndcg@10 "
        );
        assert!(promote && reason.starts_with(&said), "{reason}");
    }
    for gains in [[0.02, -0.02, 0.0], [-0.02, 0.02, 0.0], [0.02, 0.0, -0.02]] {
        let (promote, reason) = decided(&again(gains), &of_same_data());
        assert!(
            !promote && reason.contains("significantly worse"),
            "{reason}"
        );
    }
    // Nothing to compare by is a tie, as are the same settings.
    let mut one_customer = again([0.5; 3]);
    one_customer.evaluation.contenders[0].differences = vec![];
    assert!(!decided(&one_customer, &of_same_data()).0);
    let same = HoldoutReport {
        same_settings: Some("the same settings".to_owned()),
        ..first_model(0.02, 0.02)
    };
    assert_eq!(
        decided(&same, &of_same_data()),
        (
            false,
            format!(
                "the promoted model {STANDING} has the same settings and was trained on the same data, \
                 so nothing tells the two apart{asked}"
            )
        )
    );
}

#[test]
fn what_is_trained_again_is_said_and_what_cannot_be_compared_is_not_replaced() {
    let again = HoldoutReport {
        trained_again: Some("trained again up to 2017-11-02".to_owned()),
        ..report([0.0; 3])
    };
    let (promote, reason) = decided(&again, &readable());
    assert!(promote, "{reason}");
    let named = format!("the promoted model {STANDING} (trained again up to 2017-11-02) and the");
    assert!(reason.contains(&named), "{reason}");
    let seen = HoldoutReport {
        not_compared: Some("it has seen these days".to_owned()),
        ..first_model(0.5, 0.5)
    };
    assert_eq!(
        decided(&seen, &readable()),
        (
            false,
            format!(
                "it could not be compared with the promoted model {STANDING}: it has seen these days"
            )
        )
    );
}

#[test]
fn a_model_of_a_newer_okuo_stays_and_one_that_is_of_no_use_to_anyone_does_not() {
    let better = first_model(0.5, 0.5);
    let (promote, reason) = decided(&better, &unreadable(true));
    assert!(!promote, "{reason}");
    assert!(reason.contains("written by a newer okuo"), "{reason}");
    let (promote, reason) = decided(&better, &unreadable(false));
    let said = format!("the promoted model {STANDING} could not be read and was not compared, and");
    assert!(promote && reason.starts_with(&said), "{reason}");
    let (promote, _) = decided(&first_model(-0.5, 0.5), &unreadable(false));
    assert!(!promote);
}

#[test]
fn a_figure_that_the_new_model_alone_does_not_have_loses() {
    for value in [None, Some(f64::NAN)] {
        let mut report = report([0.5; 3]);
        let okuo = &mut report.evaluation.contenders[0];
        okuo.figures.mae_all = value;
        okuo.differences
            .retain(|difference| difference.figure != Figure::MaeAll);
        let (promote, reason) = decided(&report, &readable());
        let unknown =
            format!("its mae_all is unknown, that of the promoted model {STANDING} is 3.6000: ");
        assert!(!promote && reason.starts_with(&unknown), "{reason}");
    }
}

#[test]
fn what_could_not_be_compared_is_said() {
    let mut no_figure = report([0.5; 3]);
    no_figure.evaluation.contenders[2].figures.ndcg_at_10 = None;
    let (promote, reason) = decided(&no_figure, &readable());
    assert!(
        promote && reason.contains("ndcg@10 not compared (there is none of the promoted model"),
        "{reason}"
    );
    let mut no_baseline = first_model(0.5, 0.5);
    no_baseline.evaluation.best_baselines = BTreeMap::new();
    let (promote, reason) = decided(&no_baseline, &StandingModel::Absent);
    assert_eq!(
        (promote, reason.as_str()),
        (
            true,
            "no model was promoted before, and nothing tells it from the baselines: \
             ndcg@10 not compared (there is none of any baseline); \
             mae_all not compared (there is none of any baseline)"
        )
    );
    // A single customer gives no interval.
    let mut one_customer = report([0.5; 3]);
    one_customer.evaluation.contenders[0].differences = vec![];
    let (promote, reason) = decided(&one_customer, &readable());
    let nothing = format!(
        "nothing tells it from the promoted model {STANDING} and the baselines, and it has newer data: \
         ndcg@10 not compared (too few customers); mae_all not compared (too few customers)"
    );
    assert_eq!((promote, reason), (true, nothing));
    // Nor do figures that neither has; the baselines may tell all the same.
    let mut neither = report([0.5; 3]);
    for contender in [0, 2] {
        let figures = &mut neither.evaluation.contenders[contender].figures;
        (figures.ndcg_at_10, figures.mae_all, figures.mae) = (None, None, None);
    }
    neither.evaluation.best_baselines = BTreeMap::new();
    let (promote, reason) = decided(&neither, &readable());
    let none = "ndcg@10 not compared (there is none); mae_all not compared (there is none)";
    assert!(promote && reason.ends_with(none), "{reason}");
    let mut baselines_alone = report([0.5; 3]);
    baselines_alone.evaluation.contenders[0]
        .differences
        .retain(|difference| difference.to != REPLACED);
    let (promote, reason) = decided(&baselines_alone, &readable());
    let said = format!(
        "nothing tells it from the promoted model {STANDING}, and it is no worse than the baselines, \
         and it has newer data: ndcg@10 not compared (too few customers)"
    );
    assert!(promote && reason.starts_with(&said), "{reason}");
}

#[test]
fn one_of_the_same_settings_is_not_told_apart_and_the_baselines_decide() {
    let same = |gain| HoldoutReport {
        same_settings: Some("the same settings".to_owned()),
        ..first_model(gain, 0.02)
    };
    let (promote, reason) = decided(&same(0.02), &readable());
    let said = format!(
        "the promoted model {STANDING} has the same settings and has seen these days, which cannot \
         tell the two apart; it is no worse than the baselines, and it has newer data: ndcg@10 +0.0200 "
    );
    assert!(promote && reason.starts_with(&said), "{reason}");
    let (promote, reason) = decided(&same(-0.02), &readable());
    let worse = "its ndcg@10 is significantly worse than that of counting: ";
    assert!(!promote && reason.starts_with(worse), "{reason}");
}

#[test]
fn without_figures_nothing_is_promoted() {
    let unmeasured = "it could not be measured on the last 28 days";
    let moved = "another model was promoted in the meantime, and was not compared";
    for (held_out, standing, expected) in [
        (None, StandingModel::Absent, unmeasured),
        (None, readable(), unmeasured),
        (None, StandingModel::Moved, moved),
        (Some(report([0.5; 3])), StandingModel::Moved, moved),
    ] {
        let decision = decide(
            held_out.as_ref(),
            later(),
            &standing,
            PromotionPolicy::IfBetter,
        );
        assert_eq!(
            (decision.promote, decision.reason.as_str()),
            (false, expected)
        );
    }
}

#[test]
fn a_policy_may_overrule_the_figures() {
    for held_out in [Some(report([-0.5; 3])), None] {
        for standing in [
            readable(),
            unreadable(true),
            StandingModel::Absent,
            StandingModel::Moved,
        ] {
            let of = |policy| decide(held_out.as_ref(), later(), &standing, policy);
            let always = of(PromotionPolicy::Always);
            assert_eq!(
                (always.promote, always.reason.as_str()),
                (true, "promotion was asked for, whatever the figures")
            );
            let never = of(PromotionPolicy::Never);
            assert_eq!(
                (never.promote, never.reason.as_str()),
                (false, "promotion was not asked for")
            );
        }
    }
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
