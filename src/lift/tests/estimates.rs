//! The estimator beside values that were computed by hand or come from tables.

use super::super::estimate::student_quantile;
use super::*;

fn cluster(treatment: (f64, f64), control: (f64, f64)) -> ClusterTotals {
    let [treatment, control] =
        [treatment, control].map(|(outcome, size)| ArmTotals { outcome, size });
    ClusterTotals { treatment, control }
}

#[test]
fn students_quantile_is_that_of_the_tables() {
    for (freedom, expected) in [
        (2.0, 4.302_7),
        (3.0, 3.182_4),
        (5.0, 2.570_6),
        (10.0, 2.228_1),
        (30.0, 2.042_3),
        (1e9, 1.959_96),
    ] {
        let quantile = student_quantile(freedom);
        assert!(
            (quantile / expected - 1.0).abs() < 0.003,
            "{freedom}: {quantile}"
        );
    }
}

/// One offer a customer: Welch's interval of two means. By hand: means 0.75 and 0.25, variances of
/// the means 0.1875 · 4 / 3 / 4 = 0.0625 each, 6 degrees of freedom.
#[test]
fn with_one_offer_each_it_is_welchs_interval() {
    let treated = [1.0, 1.0, 1.0, 0.0].map(|outcome| cluster((outcome, 1.0), (0.0, 0.0)));
    let held_back = [0.0, 0.0, 1.0, 0.0].map(|outcome| cluster((0.0, 0.0), (outcome, 1.0)));
    let clusters = [treated, held_back].concat();
    let row = difference(&clusters, OutcomeKind::Share).unwrap();
    assert_eq!((row.treatment.value, row.control.value), (0.75, 0.25));
    assert_eq!((row.treatment.customers, row.control.customers), (4, 4));
    assert!((row.standard_error - 0.125_f64.sqrt()).abs() < 1e-12);
    let half = 2.446_9 * 0.125_f64.sqrt();
    assert!((row.high - (0.5 + half)).abs() < 0.003, "{row:?}");
    assert!((row.low - (0.5 - half)).abs() < 0.003, "{row:?}");
    assert!(row.smallest_visible > half);
}

/// What the two arms of a customer have in common does not count: customers differ a lot, and each
/// buys one in ten more of what was sent.
#[test]
fn within_customers_their_own_level_falls_out() {
    let levels = [0.0, 2.0, 4.0, 6.0, 8.0];
    let within: Vec<ClusterTotals> = levels
        .iter()
        .map(|level| cluster((level + 1.0, 10.0), (*level, 10.0)))
        .collect();
    let row = difference(&within, OutcomeKind::Amount).unwrap();
    assert!(
        (row.difference - 0.1).abs() < 1e-12 && row.standard_error < 1e-9,
        "{row:?}"
    );
    let between: Vec<ClusterTotals> = levels
        .iter()
        .flat_map(|level| {
            [
                cluster((level + 1.0, 10.0), (0.0, 0.0)),
                cluster((0.0, 0.0), (*level, 10.0)),
            ]
        })
        .collect();
    let row = difference(&between, OutcomeKind::Amount).unwrap();
    assert!(
        (row.difference - 0.1).abs() < 1e-12 && row.standard_error > 0.1,
        "{row:?}"
    );
}

#[test]
fn an_arm_in_which_nothing_was_bought_is_not_certain() {
    let clusters: Vec<ClusterTotals> = (0..20)
        .map(|at| match at % 2 {
            0 => cluster((0.0, 1.0), (0.0, 0.0)),
            _ => cluster((0.0, 0.0), (0.0, 1.0)),
        })
        .collect();
    let row = difference(&clusters, OutcomeKind::Share).unwrap();
    assert!(row.low < -0.1 && row.high > 0.1, "{row:?}");
    assert_eq!(
        difference(&clusters[..5], OutcomeKind::Share),
        None,
        "two in one arm"
    );
    let row = LiftRow::new(
        LiftMeasure::Bought,
        LiftArms::Customers,
        LiftGroup::All,
        None,
    );
    assert_eq!(row.verdict.words(), "too few customers to say");
}

/// A control arm of 18 of 176 customers.
#[test]
fn a_small_control_arm_is_warned_of() {
    let text = small_arm(176, 18, 3.0, 0.35).unwrap();
    assert!(
        text.starts_with("the control arm has 18 of 176 customers: in 4 weeks it can only show offers that raise the share of products bought by 12 points or more"),
        "{text}"
    );
    assert_eq!(small_arm(20_000, 2_000, 3.0, 0.35), None);
    assert_eq!(
        small_arm(100, 0, 3.0, 0.35),
        None,
        "no experiment was asked for"
    );
    assert_eq!(small_arm(100, 10, 0.0, 0.35), None, "nothing is sent");
    let hopeless = small_arm(8, 2, 1.0, 0.35).unwrap();
    assert!(
        hopeless.ends_with("there would have to be more customers"),
        "{hopeless}"
    );
}

#[test]
fn a_smaller_effect_needs_more() {
    let world = World::new(4, 150, 62);
    let nights = (0..4).map(|week| world.night(BEFORE + 8 * week));
    let offers = nights
        .flat_map(|night| world.offers(night, &even_mix()))
        .collect();
    let (outcomes, _) = world.outcomes(offers, planted(), world.parameters.last_day());
    let rows = lift_rows(&outcomes);
    let visible = bought(&rows, LiftArms::Customers, &LiftGroup::All).smallest_visible;
    let plan = EffectPlan::new(&outcomes, visible).unwrap();
    assert!((0.2..0.4).contains(&plan.control_share), "{plan:?}");
    // With the effect that is just visible now, about as many weeks are needed as there were.
    let weeks = |plan: &EffectPlan, share: f64| {
        let needed = plan
            .weeks_needed
            .iter()
            .find(|it| it.control_share == share);
        needed.unwrap().weeks.unwrap_or(u32::MAX)
    };
    assert!((3..=6).contains(&weeks(&plan, 0.3)), "{plan:?}");
    let smaller = EffectPlan::new(&outcomes, visible / 1.5).unwrap();
    assert!(weeks(&smaller, 0.3) > weeks(&plan, 0.3), "{smaller:?}");
    assert!(weeks(&plan, 0.5) <= weeks(&plan, 0.3) && weeks(&plan, 0.3) < weeks(&plan, 0.05));
    let tiny = EffectPlan::new(&outcomes, 0.000_1).unwrap();
    assert_eq!(
        (tiny.control_share_needed, tiny.weeks_needed[0].weeks),
        (None, None)
    );
}
