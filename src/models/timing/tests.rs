use proptest::prelude::*;

use super::calibration::{group, interval_masses, return_calibration};
use super::person_days::LongGoneAfter;
use super::return_time::tests::{any_distribution, distribution};
use super::*;
use crate::calendar::{AsOf, DateRange};
use crate::domain::Ids;
use crate::features::timing::TIMING_COLUMNS;
use crate::models::boosting::log_odds;
use crate::models::calibration::Platt;
use crate::models::examples::{NIGHT, read, rule, store, tiny_model};
use crate::purchases::PartitionedHistory;
use crate::purchases::{Line, Purchases};
use crate::recurrence::{ClosedDays, Rule};
use crate::sampling::{hash, unit};

/// A store that is always open.
static OPEN: ClosedDays = ClosedDays::NONE;

/// The timing model of [`tiny_model`], uncalibrated.
fn model() -> TimingModel {
    TimingModel {
        calibration: TimingCalibration::uncalibrated(LongGoneAfter::LEAST),
        ..tiny_model(NIGHT, 1).timing
    }
}

/// The same with these masses of intervals.
fn model_of_masses(interval_masses: [f64; 3]) -> TimingModel {
    let mut model = model();
    model.calibration.interval_masses = interval_masses;
    model
}

/// The same with these calibrations of the probabilities of a return.
fn model_of_returns(returns: [Platt; 3]) -> TimingModel {
    let mut model = model();
    model.calibration.returns = returns;
    model
}

/// The 80 % interval that a model publishes.
fn interval(model: &TimingModel, days: &ReturnTimeDistribution) -> (i32, i32) {
    model.forecast(days, 0).interval
}

/// One customer who buys on these days.
fn purchases_on(days: &[i32]) -> Purchases {
    let line = |day: &i32| Line {
        customer: 0,
        day: Day::from_epoch(*day),
        product: 0,
    };
    let lines = days.iter().map(line).collect();
    Purchases::from_lines(Ids::Integer(vec![7]), Ids::Integer(vec![1]), lines).unwrap()
}

fn sample(
    return_time: ReturnTimeDistribution,
    days: Option<i32>,
    followed: i32,
) -> CalibrationSample {
    CalibrationSample {
        customer: 0,
        night: NIGHT.day(),
        is_scored: true,
        elapsed: 2,
        return_time,
        days,
        followed,
    }
}

#[test]
fn a_constant_hazard_gives_a_geometric_distribution() {
    let model = TimingModel {
        hazard: Boosted::constant(HAZARD_WIDTH, log_odds(0.2)),
        ..model()
    };
    let purchases = purchases_on(&[100, 103, 109]);
    let history = purchases.until(AsOf(Day::from_epoch(110)));
    let return_time = model.return_time(
        &mut TimingFeatures::default(),
        &history.purchases_of(0),
        Day::from_epoch(110),
    );
    for (day, probability) in return_time.probability.iter().enumerate() {
        assert!((probability - 0.2 * 0.8_f64.powi(day as i32)).abs() < 1e-12);
    }
    // 1 − .8³ = .488 and 1 − .8⁴ = .590: half have returned by the fourth day.
    assert_eq!(return_time.median(), 4.0);
}

/// As long as a customer has not come, each night says the same of a coming day, given that there
/// is no purchase before it.
#[test]
fn a_night_later_says_the_same_of_the_days_to_come() {
    let purchases = read(store(20, 150, 3));
    let history = purchases.until(NIGHT);
    let model = model();
    for customer in 0..20 {
        let known = history.purchases_of(customer);
        let on = |night: Day| model.return_time(&mut TimingFeatures::default(), &known, night);
        let (tonight, tomorrow) = (on(NIGHT.day()), on(NIGHT.day() + 1));
        let stays_away = 1.0 - tonight.probability[0];
        for day in 0..HORIZON - 1 {
            let (now, later) = (tonight.probability[day + 1], tomorrow.probability[day]);
            assert!((now - stays_away * later).abs() < 1e-12, "{customer} {day}");
        }
        // And all of it are probabilities: of a return on each day, and of none.
        assert!(tonight.probability.iter().all(|p| *p > 0.0 && *p < 1.0));
        assert!(tonight.probability.iter().sum::<f64>() < 1.0);
    }
}

#[test]
fn the_interval_of_a_group_has_the_mass_of_the_group() {
    let model = model_of_masses([0.4, 0.6, 0.9]);
    let quick = distribution(&[0.5, 0.25, 0.125]);
    assert_eq!((quick.median(), interval(&model, &quick)), (1.0, (1, 1)));
    // The median is day 3: days 2 to 4 have .75, days 3 and 4 .625.
    let middle = distribution(&[0.125, 0.125, 0.375, 0.25]);
    assert_eq!((middle.median(), interval(&model, &middle)), (3.0, (3, 4)));
    let slow = distribution(&[0.0625, 0.0, 0.0, 0.0, 0.0, 0.5, 0.375]);
    // Days 6 and 7 have only .875, and then there are only days without a chance before day 1.
    assert_eq!((slow.median(), interval(&model, &slow)), (6.0, (1, 28)));
}

#[test]
fn an_interval_that_calibration_makes_small_still_holds_the_median() {
    let model = model_of_masses([0.0; 3]);
    let mut late = distribution(&[0.2, 0.2, 0.2]);
    late.probability[19] = 0.3;
    // The likeliest day is the 20th, but half return by the third.
    assert_eq!((late.interval(0.0), late.median()), ((20, 20), 3.0));
    assert_eq!(interval(&model, &late), (3, 20));
}

proptest! {
    #[test]
    fn the_interval_holds_the_median_whatever_the_calibration(
        days in any_distribution(),
        masses in [0.0..=1.0_f64, 0.0..=1.0, 0.0..=1.0],
    ) {
        let model = model_of_masses(masses);
        let (first, last) = interval(&model, &days);
        let median = days.median() as i32;
        prop_assert!(1 <= first && first <= median && median <= last && last <= 28);
    }

    #[test]
    fn return_probabilities_ascend_whatever_the_calibration(
        days in any_distribution(),
        maps in [(-3.0..3.0_f64, 0.1..3.0_f64), (-3.0..3.0, 0.1..3.0), (-3.0..3.0, 0.1..3.0)],
    ) {
        let maps = maps.map(|(intercept, slope)| Platt::new(intercept, slope));
        let model = model_of_returns(maps);
        let [week, fortnight, month] = model.forecast(&days, 0).returns;
        prop_assert!(0.0 < week && week <= fortnight && fortnight <= month && month < 1.0);
        prop_assert_eq!(week, maps[0].probability(days.within(7)));
    }

    #[test]
    fn uncalibrated_return_probabilities_are_those_of_the_days(days in any_distribution()) {
        let found = model().forecast(&days, 0).returns;
        for (found, horizon) in found.into_iter().zip(RETURN_HORIZONS) {
            // Kept away from 0 and 1 by a millionth.
            prop_assert!((found - days.within(horizon)).abs() < 1.1e-6);
        }
    }
}

/// What is published of one customer is one distribution: an interval that ends after day 14 and a
/// return within 14 days at 93 % would contradict each other.
#[test]
fn the_interval_agrees_with_the_probabilities_of_a_return() {
    let mut model = model_of_returns([Platt::new(2.27, 1.0); 3]);
    model.calibration.interval_masses = [0.85; 3];
    let days = ReturnTimeDistribution::from_hazards([0.06; HORIZON]);
    // Models of former versions: 1 − .94¹⁴ = .579 has odds of 1.377, times e^2.27: .930.
    let former = model.forecast(&days, 2);
    assert!((former.returns[1] - 0.930).abs() < 1e-3, "{former:?}");
    assert_eq!((former.median, former.interval), (12, (1, 28)));
    assert_eq!(former.distribution, days);
    model.calibration.away = Some([[0.0; 3]; 2]);
    let forecast = model.forecast(&days, 2);
    assert_eq!(forecast.returns, former.returns);
    // Half return within a week: .84.
    assert_eq!((forecast.median, forecast.interval), (7, (1, 14)));
    // And not before the horizons within which fewer than half do.
    model.calibration.returns = [
        Platt::new(-2.0, 1.0),
        Platt::new(-2.0, 1.0),
        Platt::IDENTITY,
    ];
    let late = model.forecast(&days, 2);
    assert_eq!((late.median, late.interval), (15, (1, 28)));
    model.calibration.returns = [Platt::new(-4.0, 1.0); 3];
    assert_eq!(model.forecast(&days, 2).median, 28);
}

proptest! {
    #[test]
    fn nothing_that_is_published_contradicts_the_probabilities_of_a_return(
        days in any_distribution(),
        elapsed in 0..100_i32,
        masses in [0.0..=1.0_f64, 0.0..=1.0, 0.0..=1.0],
        maps in [(-3.0..3.0_f64, 0.1..3.0_f64), (-3.0..3.0, 0.1..3.0), (-3.0..3.0, 0.1..3.0)],
        shifts in [[-3.0..3.0_f64, -3.0..3.0, -3.0..3.0], [-3.0..3.0, -3.0..3.0, -3.0..3.0]],
    ) {
        let mut model = model_of_returns(maps.map(|(intercept, slope)| Platt::new(intercept, slope)));
        (model.calibration.away, model.calibration.interval_masses) = (Some(shifts), masses);
        let forecast = model.forecast(&days, elapsed);
        let (first, last) = forecast.interval;
        prop_assert!(1 <= first && first <= forecast.median);
        prop_assert!(forecast.median <= last && last <= 28);
        for (within, horizon) in forecast.returns.into_iter().zip(RETURN_HORIZONS) {
            prop_assert!((within - forecast.distribution.within(horizon)).abs() < 1e-9);
            let is_within = forecast.median <= horizon as i32;
            prop_assert!(horizon == 28 || is_within == (within >= 0.5));
            prop_assert!(within < 0.9 || last <= horizon as i32);
        }
        prop_assert!(forecast.distribution.probability.iter().all(|day| (0.0..=1.0).contains(day)));
    }
}

/// A day on which nobody can come stays one.
#[test]
fn calibration_keeps_the_proportions_of_the_days_between_two_horizons() {
    let days = distribution(&[0.1, 0.0, 0.3, 0.0, 0.0, 0.0, 0.0, 0.1]);
    let found = days.with_returns(RETURN_HORIZONS, [0.6, 0.8, 0.94]);
    let expected = [0.15, 0.0, 0.45, 0.0, 0.0, 0.0, 0.0, 0.2, 0.0];
    for (found, expected) in found.probability.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{found:?}");
    }
    // Where none was likelier than another, none is.
    assert!((found.probability[20] - 0.01).abs() < 1e-12, "{found:?}");
}

#[test]
fn a_horizon_is_at_least_as_likely_as_the_one_before() {
    let days = distribution(&[0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2]);
    let model = model_of_returns([Platt::new(3.0, 1.0), Platt::IDENTITY, Platt::new(4.0, 1.0)]);
    // Odds of .3/.7 · e³ = 8.6082: .89592. Within 14 days .5 is less. Odds of 1 · e⁴: .98201.
    let found = model.forecast(&days, 0).returns;
    assert!((found[0] - 0.895_92).abs() < 1e-5, "{found:?}");
    assert_eq!(found[1], found[0]);
    assert!((found[2] - 0.982_01).abs() < 1e-5, "{found:?}");
}

/// Samples of which a model says the log-odds `x` that they return on the first day, `x` from −3 to
/// 3, and of which so many do as `truth` says.
fn drawn(count: u64, followed: i32, truth: impl Fn(f64) -> f64) -> Vec<CalibrationSample> {
    (0..count)
        .map(|i| {
            let x = 6.0 * unit(hash(i, &[1])) - 3.0;
            let days = (unit(hash(i, &[2])) < truth(x)).then_some(1);
            sample(distribution(&[sigmoid(x)]), days, followed)
        })
        .collect()
}

/// What a calibration sees of one month does not hold in full in the next one, however many customers
/// there are: probabilities move towards the shares that returned, and not all the way.
#[test]
fn calibrated_return_probabilities_move_towards_the_shares_that_return() {
    let truth = |x: f64| sigmoid(0.6 * x - 0.5);
    let moved = |count: u64| {
        let returns = return_calibration(&drawn(count, 28, truth).iter().collect::<Vec<_>>());
        // At log-odds of 1, .731 was said and .525 seen.
        (sigmoid(1.0) - returns[0].probability(sigmoid(1.0))) / (sigmoid(1.0) - truth(1.0))
    };
    let [small, large, huge] = [200, 20_000, 60_000].map(moved);
    assert!(small < 0.1, "{small}");
    assert!((0.15..0.4).contains(&large), "{large}");
    assert!((large - huge).abs() < 0.02, "{large} {huge}");
}

/// Customers who are away have a calibration of their own: the trees hardly see any, and those whom
/// a run scores say nothing of them.
#[test]
fn customers_who_are_away_return_as_often_as_is_said() {
    let mut samples = drawn(6_000, 28, sigmoid);
    let away = drawn(6_000, 28, |x| sigmoid(x - 1.5));
    samples.extend(away.into_iter().map(|sample| CalibrationSample {
        is_scored: false,
        elapsed: 80,
        ..sample
    }));
    let mut model = model();
    model.calibrate(&samples);
    let said = |elapsed: i32| model.forecast(&distribution(&[0.5]), elapsed).returns[0];
    assert!((said(5) - 0.5).abs() < 0.02, "{}", said(5));
    assert!((0.18..0.32).contains(&said(80)), "{}", said(80));
    // From 28 to 58 days on there are no samples: nothing is added.
    assert!((said(40) - 0.5).abs() < 1e-6, "{}", said(40));
    // Three samples say next to nothing.
    let few: Vec<CalibrationSample> = samples.split_off(11_997);
    model.calibrate(&few);
    let said = model.forecast(&distribution(&[0.5]), 80).returns[0];
    assert!((said - 0.5).abs() < 0.02, "{said}");
}

/// Of a rule of 60 days, customers who are away are scored too: what became of them calibrates what
/// is said of them, and nothing else.
#[test]
fn scored_customers_who_are_away_calibrate_those_who_are() {
    let mut samples = drawn(6_000, 28, sigmoid);
    let away = drawn(6_000, 28, |x| sigmoid(x - 1.5));
    samples.extend(away.into_iter().map(|sample| CalibrationSample {
        elapsed: 40,
        ..sample
    }));
    let mut model = model();
    // Of one who is long gone, the rule keeps nobody.
    model.calibration.long_gone = LongGoneAfter::of(&Rule {
        period_days: 60,
        ..rule()
    });
    model.calibrate(&samples);
    let said = |elapsed: i32| model.forecast(&distribution(&[0.5]), elapsed).returns[0];
    assert!((said(5) - 0.5).abs() < 0.02, "{}", said(5));
    assert!((0.18..0.32).contains(&said(40)), "{}", said(40));
    assert_eq!(said(88), said(40));
    assert!((said(89) - 0.5).abs() < 1e-6, "{}", said(89));
}

/// The probabilities of customers who are away are calibrated as they are said: by hazards at the
/// strength that they are taken at.
#[test]
fn customers_who_are_away_are_calibrated_at_the_strength_of_hazards() {
    let geometric = |hazard: f64| ReturnTimeDistribution::from_hazards([hazard; HORIZON]);
    let outcome = |i: u64, truth: f64| {
        let u = unit(hash(i, &[2]));
        let days = (1..=28_u32).find(|day| geometric(truth).within(*day) > u);
        days.map(|day| day as i32)
    };
    // Whom a run scores come at one rate, whatever the trees say.
    let mut samples: Vec<CalibrationSample> = (0..4_000)
        .map(|i| {
            let said = 0.15 + 0.2 * unit(hash(i, &[1]));
            sample(geometric(said), outcome(i, 0.25), 28)
        })
        .collect();
    // Trees say 2 % of those who are away, and it is true.
    samples.extend((0..6_000).map(|i| CalibrationSample {
        is_scored: false,
        elapsed: 40,
        ..sample(geometric(0.02), outcome(i, 0.02), 28)
    }));
    let mut model = model();
    model.calibrate(&samples);
    let hazards = (40..).zip([0.02; HORIZON]);
    let said = ReturnTimeDistribution::from_hazards(
        hazards.map(|(elapsed, hazard)| model.calibration.hazard(hazard, elapsed)),
    );
    let truth = geometric(0.02).within(7);
    let [uncalibrated, found] = [said.within(7), model.forecast(&said, 40).returns[0]];
    assert!(
        (found - truth).abs() < 0.5 * (uncalibrated - truth).abs(),
        "{uncalibrated} {found} {truth}"
    );
}

#[test]
fn a_night_says_nothing_of_horizons_that_the_data_do_not_follow() {
    let honest = drawn(3_000, 28, sigmoid);
    let calibrated =
        |samples: &[CalibrationSample]| return_calibration(&samples.iter().collect::<Vec<_>>());
    let before = calibrated(&honest);
    // Nobody of these has come back, as far as is known after so many days.
    let after =
        |followed: i32| calibrated(&[honest.clone(), drawn(3_000, followed, |_| 0.0)].concat());
    assert_eq!(after(6), before);
    let week = after(13);
    assert!(week[0] != before[0] && week[1..] == before[1..]);
    let fortnight = after(27);
    assert!(fortnight[1] != before[1] && fortnight[2] == before[2]);
    assert!(after(28)[2] != before[2]);
}

#[test]
fn what_was_known_of_a_night_on_an_earlier_day() {
    let night = NIGHT.day();
    let later = sample(distribution(&[0.5]), Some(10), 20);
    let known = |days: i32| {
        let known = later.known_by(night + days);
        known.map(|known| (known.days, known.followed, known.is_followed()))
    };
    assert_eq!(known(-1), None);
    assert_eq!(known(0), Some((None, 0, false)));
    assert_eq!(known(6), Some((None, 6, false)));
    assert_eq!(known(7), Some((None, 7, true)));
    assert_eq!(known(9), Some((None, 9, true)));
    assert_eq!(known(10), Some((Some(10), 10, true)));
}

/// Many samples of one distribution, of which `outcomes` says how many had which outcome.
fn samples_of(
    return_time: &ReturnTimeDistribution,
    outcomes: &[(usize, Option<i32>)],
) -> Vec<CalibrationSample> {
    outcomes
        .iter()
        .flat_map(|(count, days)| vec![sample(return_time.clone(), *days, 28); *count])
        .collect()
}

/// The masses of samples without what most stores need.
fn own_masses(samples: &[CalibrationSample]) -> [f64; 3] {
    interval_masses(&samples.iter().collect::<Vec<_>>()).map(|mass| {
        // Half of it is .77.
        let own = 2.0 * mass - 0.77;
        (own * 1e9).round() / 1e9
    })
}

/// What masses are where too few samples say anything.
const UNCALIBRATED: [f64; 3] = [0.85; 3];

#[test]
fn the_mass_of_an_interval_is_a_conformal_quantile() {
    // Nested intervals: day 1 (.5), days 1 and 2 (.75). Outcomes score 0, .5 and 1.
    let days = distribution(&[0.5, 0.25]);
    let mass = |outcomes: &[(usize, Option<i32>)]| own_masses(&samples_of(&days, outcomes));
    // Of 199 scores the ⌈.8 · 200⌉ = 160th counts.
    assert_eq!(mass(&[(160, Some(1)), (39, Some(2))]), [0.0; 3]);
    assert_eq!(mass(&[(159, Some(1)), (40, Some(2))]), [0.5; 3]);
    // Who does not come back is in no interval.
    assert_eq!(mass(&[(159, Some(1)), (40, None)]), [1.0; 3]);
    assert_eq!(mass(&[(150, Some(1))]), [0.0; 3]);
    // 149 are too few to say anything.
    let samples = samples_of(&days, &[(149, Some(1))]);
    assert_eq!(too_few_for_intervals(&samples), Some(149));
    let samples: Vec<&CalibrationSample> = samples.iter().collect();
    assert_eq!(interval_masses(&samples), UNCALIBRATED);
}

#[test]
fn a_group_has_a_mass_of_its_own_where_it_is_large_enough() {
    let (quick, slow) = (
        distribution(&[0.5, 0.25]),
        distribution(&[0.1, 0.0, 0.0, 0.0, 0.0, 0.5]),
    );
    assert_eq!([group(&quick), group(&slow)], [0, 2]);
    let masses = |slow_count: usize| {
        let samples = [
            samples_of(&quick, &[(300, Some(1))]),
            samples_of(&slow, &[(slow_count, Some(7))]),
        ];
        own_masses(&samples.concat())
    };
    // Day 7 is outside of day 6 (.5): with 300 zeros of 450 the 361st is .5 for all, and so for
    // the group in the middle, which has no samples.
    assert_eq!(masses(150), [0.0, 0.5, 0.5]);
    // 149 are no group of their own: the 360th of 449 scores is .5 for all the same.
    assert_eq!(masses(149), [0.0, 0.5, 0.5]);
    // Of 350 scores the 281st is 0: too few to be told from the others.
    assert_eq!(masses(50), [0.0, 0.0, 0.0]);
}

#[test]
fn nights_that_are_followed_for_less_than_a_fortnight_do_not_calibrate_intervals() {
    let days = distribution(&[0.5, 0.25]);
    let known = samples_of(&days, &[(200, Some(1))]);
    let with_open_ones = |followed: i32| {
        let open = vec![sample(days.clone(), None, followed); 400];
        own_masses(&[known.clone(), open].concat())
    };
    assert_eq!(with_open_ones(13), [0.0; 3]);
    assert_eq!(with_open_ones(14), [1.0; 3]);
}

#[test]
fn where_few_samples_are_known_intervals_are_wider() {
    let mut model = model();
    let days = distribution(&[0.5, 0.25]);
    model.calibrate(&samples_of(&days, &[(149, Some(1))]));
    assert_eq!(model.calibration.interval_masses, UNCALIBRATED);
    model.calibrate(&samples_of(&days, &[(150, Some(1))]));
    assert_eq!(model.calibration.interval_masses, [0.385; 3]);
    // Those of customers who are away do not count.
    let mut samples = samples_of(&days, &[(150, Some(1))]);
    samples[0].is_scored = false;
    assert_eq!(too_few_for_intervals(&samples), Some(149));
}

/// Trees that learned noise say different hazards for customers who come at one rate: later nights
/// show it, and all are said to come at that rate.
#[test]
fn hazards_without_a_signal_become_the_same() {
    let geometric = |hazard: f64| ReturnTimeDistribution::from_hazards([hazard; HORIZON]);
    let samples = |truth: &dyn Fn(f64) -> f64| -> Vec<CalibrationSample> {
        (0..4_000)
            .map(|i| {
                let said = 0.15 + 0.2 * unit(hash(i, &[1]));
                let u = unit(hash(i, &[2]));
                let days = (1..=28_u32).find(|day| geometric(truth(said)).within(*day) > u);
                sample(geometric(said), days.map(|day| day as i32), 28)
            })
            .collect()
    };
    let mut model = model();
    model.calibrate(&samples(&|_| 0.25));
    let hazard =
        |model: &TimingModel, said: f64, elapsed: i32| model.calibration.hazard(said, elapsed);
    let [low, high] = [0.15, 0.35].map(|said| hazard(&model, said, 3));
    assert!(
        high - low < 0.05 && low < 0.25 && high > 0.24,
        "{low} {high}"
    );
    // The long gone are of another kind.
    assert_eq!(hazard(&model, 0.15, 59), 0.15);
    // Where the hazards hold, nothing changes at all.
    model.calibrate(&samples(&|said| said));
    let same = [0.15, 0.35];
    assert_eq!(same.map(|said| hazard(&model, said, 3)), same);
}

/// A model that believes in quicker returns than there are: its own 80 % intervals are too short,
/// the calibrated ones are longer.
#[test]
fn calibrated_intervals_move_towards_the_share_that_they_say() {
    let geometric = |hazard: f64| ReturnTimeDistribution::from_hazards([hazard; HORIZON]);
    let (said, truth) = (geometric(0.3), geometric(0.12));
    let outcomes = |seed: u64| -> Vec<CalibrationSample> {
        (0..4_000)
            .map(|i| {
                let u = unit(hash(seed, &[i]));
                let days = (1..=28_u32).find(|day| truth.within(*day) > u);
                sample(said.clone(), days.map(|day| day as i32), 28)
            })
            .collect()
    };
    let mut model = model();
    let share_held = |model: &TimingModel| {
        let (first, last) = model.calibration.interval(&said);
        let holds = |days: i32| (first..=last).contains(&days);
        let later = outcomes(2);
        later
            .iter()
            .filter(|sample| sample.days.is_some_and(holds))
            .count() as f64
            / later.len() as f64
    };
    let before = share_held(&model_of_masses([0.77; 3]));
    assert!(before < 0.55, "{before}");
    model.calibrate(&outcomes(1));
    let held = share_held(&model);
    assert!((before + 0.03..0.8).contains(&held), "{before} {held}");
}

/// From the first purchase to a night.
fn all_days(purchases: &Purchases, night: AsOf) -> DateRange {
    let history = purchases.until(night);
    let firsts = (0..history.customer_count())
        .filter_map(|customer| history.purchases_of(customer).days().first().copied());
    DateRange {
        first: firsts.min().unwrap(),
        last: night.day(),
    }
}

/// The person-days of a customer who buys on `days`, at the end of the history.
fn person_days(days: &[i32], end: i32, parameters: &TimingParameters) -> Vec<(i32, Option<i32>)> {
    person_days_but(days, end, parameters, &[])
}

/// The same in a store that was closed on some days.
fn person_days_but(
    days: &[i32],
    end: i32,
    parameters: &TimingParameters,
    closed: &[i32],
) -> Vec<(i32, Option<i32>)> {
    let closed = ClosedDays::on(closed.iter().copied().map(Day::from_epoch).collect());
    let purchases = purchases_on(days);
    let history = PartitionedHistory::new(&purchases, AsOf(Day::from_epoch(end)));
    let rule = rule();
    let sample = PersonDaySample::new(
        all_days(&purchases, history.as_of()),
        false,
        &rule,
        &closed,
        parameters,
        1,
    )
    .walk(history);
    let of_row = |row: &PersonDayRow| {
        let row = row.person_day;
        (row.eve.epoch(), row.next.map(|day| day.epoch()))
    };
    let rows = sample.unwrap().finish();
    rows.map_or(vec![], |rows| rows.iter().map(of_row).collect())
}

#[test]
fn a_customer_counts_for_every_day_that_they_stay_away() {
    let parameters = TimingParameters {
        days: 15,
        min_purchases: 3,
        ..TimingParameters::default()
    };
    // The purchase of day 125 is not known by day 120.
    let found = person_days(&[100, 102, 104, 110, 125], 120, &parameters);
    let waits = (105..110).map(|eve| (eve, Some(110)));
    let open = (110..120).map(|eve| (eve, None));
    assert_eq!(found, waits.chain(open).collect::<Vec<_>>());
    // The third purchase is on day 104: earlier eves are of a customer who is hardly known.
    let longer = TimingParameters {
        days: 40,
        ..parameters.clone()
    };
    let found = person_days(&[100, 102, 104, 110], 120, &longer);
    assert_eq!(found.first(), Some(&(104, Some(110))));
    // Someone who does not come back counts for every day up to the 58th, as never having bought,
    // and then for every third one up to the 240th.
    let long = TimingParameters {
        days: 400,
        ..parameters
    };
    let found = person_days(&[100, 101, 102], 400, &long);
    let gone = (162..=342).step_by(3);
    assert_eq!(
        found,
        (102..=160)
            .chain(gone)
            .map(|eve| (eve, None))
            .collect::<Vec<_>>()
    );
}

/// Every third day of customers who are long gone stands for three, and least squares, which
/// expects a return within the horizon, does not see them.
#[test]
fn the_days_of_the_long_gone_keep_their_weight() {
    let on = |is_long_gone: bool| person_days::PersonDay {
        customer: 0,
        eve: Day::from_epoch(100),
        next: None,
        is_long_gone,
    };
    assert_eq!([false, true].map(|gone| on(gone).weight()), [1.0, 3.0]);
    let purchases = read(store(60, 200, 1));
    let history = PartitionedHistory::new(&purchases, NIGHT);
    let (rule, parameters) = (rule(), TimingParameters::default());
    let sample = PersonDaySample::new(
        all_days(&purchases, NIGHT),
        false,
        &rule,
        &OPEN,
        &parameters,
        1,
    );
    let rows = sample.walk(history).unwrap().finish().unwrap();
    let fit =
        |rows: &[PersonDayRow]| fit_least_squares(rows, NIGHT, history.customers(), 1).unwrap();
    let mut with_gone = rows.clone();
    with_gone.extend(rows.iter().map(|row| {
        let mut row = *row;
        row.person_day.is_long_gone = true;
        row.features = [1e6; _];
        row
    }));
    assert_eq!(fit(&rows), fit(&with_gone));
}

/// A closed day is not a day on which the customer stayed away.
#[test]
fn closed_days_are_no_person_days() {
    let parameters = TimingParameters {
        days: 15,
        min_purchases: 3,
        ..TimingParameters::default()
    };
    let found = person_days_but(&[100, 102, 104, 110], 120, &parameters, &[107, 115]);
    let eves = (105..120).filter(|eve| *eve != 106 && *eve != 114);
    let expected: Vec<_> = eves.map(|eve| (eve, (eve < 110).then_some(110))).collect();
    assert_eq!(found, expected);
}

/// Nobody is expected on a weekday on which the store is always closed.
#[test]
fn a_weekday_that_is_always_closed_is_no_day_of_return() {
    let night = NIGHT.day();
    let closed = (night + 3).weekday();
    let mut lines = store(150, 200, 3);
    lines.retain(|line| line.day.weekday() != closed);
    let purchases = read(lines);
    let model = crate::models::train(
        &purchases,
        NIGHT,
        &rule(),
        &crate::models::examples::small(),
        &|_| {},
    )
    .unwrap()
    .model;
    let history = purchases.until(NIGHT);
    for customer in 0..20 {
        let return_time = model.timing.return_time(
            &mut TimingFeatures::default(),
            &history.purchases_of(customer),
            night,
        );
        for (ahead, probability) in (1..).zip(return_time.probability) {
            let is_closed = (night + ahead).weekday() == closed;
            assert_eq!(probability == 0.0, is_closed, "{customer} {ahead}");
        }
    }
}

/// A weekday that was open once in six weeks is hardly a day of return.
#[test]
fn a_weekday_that_is_nearly_always_closed_is_hardly_a_day_of_return() {
    let night = NIGHT.day();
    let (closed, open_once) = (night + 3, night + 3 - 21);
    let mut lines = store(150, 200, 3);
    lines.retain(|line| line.day.weekday() != closed.weekday() || line.day == open_once);
    let purchases = read(lines);
    let model = crate::models::train(
        &purchases,
        NIGHT,
        &rule(),
        &crate::models::examples::small(),
        &|_| {},
    )
    .unwrap()
    .model;
    let history = purchases.until(NIGHT);
    let mut hazards = [0.0; HORIZON];
    for customer in 0..150 {
        let return_time = model.timing.return_time(
            &mut TimingFeatures::default(),
            &history.purchases_of(customer),
            night,
        );
        for (sum, hazard) in hazards.iter_mut().zip(return_time.hazards()) {
            *sum += hazard;
        }
    }
    let [before, on, after] = [hazards[1], hazards[2], hazards[3]];
    assert!(
        0.0 < on && on < 0.5 * f64::min(before, after),
        "{hazards:?}"
    );
}

/// A rule of 60 days keeps customers who stay away for longer: they have each of their days.
#[test]
fn whom_a_longer_rule_keeps_is_not_long_gone() {
    let of = |period_days: u32| {
        LongGoneAfter::of(&Rule {
            period_days,
            ..rule()
        })
    };
    for (period_days, last) in [(7, 58), (30, 58), (60, 88), (365, 393)] {
        let long_gone = of(period_days);
        assert_eq!(
            [last, last + 1].map(|it| long_gone.is_reached(it)),
            [false, true]
        );
    }
}

#[test]
fn a_purchase_on_the_next_day_is_an_outcome_and_a_long_wait_is_censored() {
    let on = |eve: i32, next: Option<i32>| person_days::PersonDay {
        customer: 0,
        eve: Day::from_epoch(eve),
        next: next.map(Day::from_epoch),
        is_long_gone: false,
    };
    assert!(on(100, Some(101)).bought());
    assert!(!on(100, Some(102)).bought() && !on(100, None).bought());
    let days = [Some(101), Some(127), Some(128), Some(129), None].map(|next| on(100, next));
    assert_eq!(days.map(|day| day.censored_days()), [1, 27, 28, 28, 28]);
}

#[test]
fn a_sample_of_the_person_days_has_the_size_that_is_wanted() {
    let purchases = read(store(80, 200, 1));
    let parameters = TimingParameters {
        max_training_rows: 3_000,
        background_share: 0.4,
        ..TimingParameters::default()
    };
    let sampled = |parameters: &TimingParameters| {
        let (history, rule) = (PartitionedHistory::new(&purchases, NIGHT), rule());
        let sample = PersonDaySample::new(
            all_days(&purchases, NIGHT),
            false,
            &rule,
            &OPEN,
            parameters,
            1,
        );
        sample.walk(history).unwrap().finish().unwrap()
    };
    let all = sampled(&TimingParameters {
        max_training_rows: 1_000_000,
        ..parameters.clone()
    });
    let some = sampled(&parameters);
    assert!(all.len() > 8_000, "{}", all.len());
    assert!((2_700..3_300).contains(&some.len()), "{}", some.len());
    // In the order of customers and eves, and each of them one of all.
    let key = |row: &PersonDayRow| (row.person_day.customer, row.person_day.eve);
    let keys: Vec<_> = all.iter().map(key).collect();
    assert!(keys.is_sorted() && some.iter().map(key).is_sorted());
    for row in &some {
        let at = keys.binary_search(&key(row)).unwrap();
        assert_eq!(row.features, all[at].features);
    }
}

/// Least squares must not see waits that are cut off by the end of the data.
#[test]
fn least_squares_sees_only_nights_that_are_followed_for_the_whole_horizon() {
    let purchases = read(store(60, 200, 1));
    let history = PartitionedHistory::new(&purchases, NIGHT);
    let (rule, parameters) = (rule(), TimingParameters::default());
    let sample = PersonDaySample::new(
        all_days(&purchases, NIGHT),
        false,
        &rule,
        &OPEN,
        &parameters,
        1,
    );
    let rows = sample.walk(history).unwrap().finish().unwrap();
    let latest = NIGHT.day() - HORIZON_DAYS;
    let changed: Vec<PersonDayRow> = rows
        .iter()
        .map(|row| {
            let mut row = *row;
            if row.person_day.eve > latest {
                row.features = [1e6; _];
            }
            row
        })
        .collect();
    assert!(changed.iter().any(|row| row.features[0] == 1e6));
    let fit =
        |rows: &[PersonDayRow]| fit_least_squares(rows, NIGHT, history.customers(), 1).unwrap();
    assert_eq!(fit(&rows), fit(&changed));
    // A night earlier it would not be so: the last one that is looked at does count.
    let earlier: Vec<PersonDayRow> = rows
        .iter()
        .filter(|row| row.person_day.eve < latest)
        .copied()
        .collect();
    assert_ne!(fit(&rows), fit(&earlier));
}

#[test]
fn the_hazard_model_sees_what_least_squares_expects() {
    let model = model();
    let mut features = [2.0; _];
    features[TIMING_COLUMNS.elapsed] = 5.0;
    let row = hazard_row(&model.linear, &features);
    let expected = model.linear.days(&features);
    assert_eq!(row[..row.len() - 2], features);
    assert_eq!(row[row.len() - 2], expected as f32);
    assert_eq!(row[row.len() - 1], (expected + 5.0) as f32);
}

#[test]
fn a_young_history_does_not_teach_the_calendar() {
    let purchases = read(store(150, 100, 1));
    let history = PartitionedHistory::new(&purchases, NIGHT);
    let (rule, parameters) = (rule(), TimingParameters::default());
    let days = all_days(&purchases, NIGHT);
    let rows = |is_young: bool| {
        let sample = PersonDaySample::new(days, is_young, &rule, &OPEN, &parameters, 1);
        let sample = sample.walk(history).unwrap();
        (sample.first_eve(), sample.finish().unwrap())
    };
    let (first_eve, young) = rows(true);
    let (_, old) = rows(false);
    assert_eq!(first_eve, days.first + (rule.window_days() - 1));
    let of = |rows: &[PersonDayRow], column: usize| -> Vec<f32> {
        rows.iter().map(|row| row.features[column]).collect()
    };
    for column in [
        TIMING_COLUMNS.span,
        TIMING_COLUMNS.purchases,
        TIMING_COLUMNS.purchases_long,
    ] {
        assert!(
            of(&young, column)
                .iter()
                .all(|value| *value == crate::features::MISSING)
        );
        assert!(of(&old, column).iter().any(|value| *value > 1.0));
    }
    assert_eq!(
        of(&young, TIMING_COLUMNS.elapsed),
        of(&old, TIMING_COLUMNS.elapsed)
    );
    // Hazards learn from the eves that have the rule's window behind them, if these are enough.
    let count = young.len();
    let late = from_eve(young.clone(), first_eve);
    assert!(late.len() < count && late.iter().all(|row| row.person_day.eve >= first_eve));
    assert_eq!(from_eve(young, NIGHT.day() - 2).len(), count);
}
