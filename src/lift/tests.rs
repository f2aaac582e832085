use super::*;
use crate::calendar::{AsOf, DateRange, Day};
use crate::domain::{Id, Ids};
use crate::offers::{CampaignOffer, OfferMix};
use crate::purchases::{Line, PartitionedHistory, Purchases};
use crate::sampling::{Draw, unit};
use crate::simulate::{CampaignTruth, Order, PlantedUplift, Simulation, SimulationParameters};

mod estimates;

/// Days of history before the first offers.
const BEFORE: i32 = 30;
/// Days on which an offer is valid.
const VALID: i32 = 7;

/// A simulated store, and what its customers buy without offers.
struct World {
    parameters: SimulationParameters,
    untreated: Purchases,
}

impl World {
    fn new(seed: u64, customers: u32, days: u32) -> Self {
        let parameters = SimulationParameters {
            seed,
            customers,
            products: 150,
            days,
            ..SimulationParameters::default()
        };
        let untreated = purchases(&Simulation::new(parameters.clone()).unwrap());
        Self {
            parameters,
            untreated,
        }
    }

    fn night(&self, after: i32) -> AsOf {
        AsOf(self.parameters.start + after)
    }

    /// The offers of a night to all who were there before, without a model: as many of each strategy as
    /// the mix says, of products that the customer bought, or did not.
    fn offers(&self, night: AsOf, mix: &OfferMix) -> Vec<CampaignOffer> {
        let history = self.untreated.until(night);
        let seed = self.parameters.seed;
        let mut offers = vec![];
        for customer in 0..self.parameters.customers {
            let lines = history.purchases_of(customer).lines();
            if lines.len() < 10 {
                continue;
            }
            let key = self.untreated.customers().key(customer);
            let at_night = night.day().epoch() as u64;
            let draw = unit(Draw::OfferMix.hash(seed, &[key, at_night]));
            let quotas = mix.quotas(3, draw);
            for strategy in Strategy::ALL {
                for offer in 0..quotas[strategy as usize] {
                    let ids = [key, at_night, strategy as u64, offer as u64];
                    let drawn = Draw::SnapshotNights.hash(seed, &ids);
                    let product = match strategy {
                        Strategy::New => (drawn % 150) as u32,
                        _ => lines[(drawn % lines.len() as u64) as usize],
                    };
                    let offer = self.offer(night, customer, product, strategy);
                    // As okuo does, no product twice on one night.
                    let of_night = offers.iter().rev().take(3);
                    let mut same = of_night.filter(|other: &&CampaignOffer| {
                        other.customer == customer && other.product == offer.product
                    });
                    if same.next().is_none() {
                        offers.push(offer);
                    }
                }
            }
        }
        offers
    }

    /// An offer in arms that are drawn as okuo draws them.
    fn offer(&self, night: AsOf, customer: u32, product: u32, strategy: Strategy) -> CampaignOffer {
        let seed = self.parameters.seed;
        let id = i64::from(customer) + 1;
        let ids = [
            u64::from(customer),
            night.day().epoch() as u64,
            u64::from(product),
        ];
        let first = night.day() + 1;
        CampaignOffer {
            night,
            customer,
            product: Some(product),
            valid: DateRange {
                first,
                last: first + (VALID - 1),
            },
            strategy,
            arm: Arm::of(Id::Integer(id), &seed.to_string(), 0.3),
            offer_arm: match Draw::OfferArm.keeps(seed, &ids, 0.3) {
                true => Arm::Control,
                false => Arm::Treatment,
            },
            category: Some(["fruit", "bread"][product as usize % 2].into()),
        }
    }

    /// What the offers brought up to a day, and what is true of them.
    fn outcomes(
        &self,
        offers: Vec<CampaignOffer>,
        uplift: PlantedUplift,
        until: Day,
    ) -> (CampaignOutcomes, CampaignTruth) {
        let simulation = Simulation::new(self.parameters.clone()).unwrap();
        let (simulation, truth) = simulation
            .until(until)
            .with_campaign(&offers, uplift)
            .unwrap();
        let treated = purchases(&simulation);
        let history = PartitionedHistory::all(&treated);
        let outcomes = CampaignOutcomes::new(offers, history, &OfferPrices::default()).unwrap();
        (outcomes, truth)
    }
}

/// All that a simulated store sells. Every customer and product has a code, so that codes are ids less
/// 1 whoever buys.
fn purchases(simulation: &Simulation) -> Purchases {
    let parameters = simulation.parameters();
    let ids = |count: u32| Ids::Integer((1..=i64::from(count)).collect());
    let before = parameters.start - 1;
    let mut lines: Vec<Line> = (0..parameters.customers)
        .map(|customer| Line {
            customer,
            day: before,
            product: customer % parameters.products,
        })
        .collect();
    lines.extend((0..parameters.products).map(|product| Line {
        customer: 0,
        day: before,
        product,
    }));
    simulation
        .for_each_chunk(Order::Customers(64), |chunk| {
            let sold = chunk.iter().filter(|line| line.quantity > 0);
            lines.extend(sold.map(|line| Line {
                customer: line.customer as u32 - 1,
                day: Day::from_epoch((line.time / 86_400_000_000) as i32),
                product: line.product as u32 - 1,
            }));
            Ok(())
        })
        .unwrap();
    Purchases::from_lines(ids(parameters.customers), ids(parameters.products), lines).unwrap()
}

fn even_mix() -> OfferMix {
    OfferMix {
        likely: Some(1.0),
        overdue: Some(1.0),
        winback: Some(1.0),
        new: Some(1.0),
    }
}

/// The uplift over all offers of a truth.
pub(crate) fn overall(truth: &CampaignTruth) -> f64 {
    let offers: usize = truth.strategies.iter().map(|it| it.offers).sum();
    let sum: f64 = truth
        .strategies
        .iter()
        .map(|it| it.uplift * it.offers as f64)
        .sum();
    sum / offers as f64
}

fn bought(rows: &[LiftRow], arms: LiftArms, of: &LiftGroup) -> ArmDifference {
    let found = rows
        .iter()
        .find(|row| row.measure == LiftMeasure::Bought && row.arms == arms && row.of == *of);
    found.unwrap().compared.unwrap()
}

fn planted() -> PlantedUplift {
    PlantedUplift {
        come: 0.5,
        ..PlantedUplift::NONE
            .with(Strategy::Overdue, 0.25)
            .with(Strategy::New, 0.1)
    }
}

/// Four nights of offers in one store: the rows, and the truth.
fn campaign(seed: u64, uplift: PlantedUplift) -> (Vec<LiftRow>, CampaignTruth) {
    let world = World::new(seed, 150, 62);
    let nights = (0..4).map(|week| world.night(BEFORE + 8 * week));
    let offers = nights
        .flat_map(|night| world.offers(night, &even_mix()))
        .collect();
    let (outcomes, truth) = world.outcomes(offers, uplift, world.parameters.last_day());
    assert_eq!((outcomes.waiting, truth.unfinished), (0, 0));
    (lift_rows(&outcomes), truth)
}

/// Of 100 stores, in how many the interval holds the truth: by customer, by offer, and by both of one
/// strategy. An interval that always holds it would be too wide.
#[test]
fn a_planted_uplift_is_within_the_interval_in_95_of_100_stores() {
    use rayon::prelude::*;
    let held: Vec<[bool; 4]> = (0..100_u64)
        .into_par_iter()
        .map(|seed| {
            let (rows, truth) = campaign(seed, planted());
            let overdue = truth.strategies.iter();
            let overdue = overdue.filter(|it| it.strategy == Strategy::Overdue);
            let overdue: Vec<f64> = overdue.map(|it| it.uplift).collect();
            let of_overdue = LiftGroup::Strategy(Strategy::Overdue);
            let holds = |arms, of: &LiftGroup, truth: f64| {
                let row = bought(&rows, arms, of);
                (row.low..=row.high).contains(&truth)
            };
            [
                holds(LiftArms::Customers, &LiftGroup::All, overall(&truth)),
                holds(LiftArms::Offers, &LiftGroup::All, overall(&truth)),
                holds(LiftArms::Customers, &of_overdue, overdue[0]),
                holds(LiftArms::Offers, &of_overdue, overdue[0]),
            ]
        })
        .collect();
    let counts = [0, 1, 2, 3].map(|at| held.iter().filter(|held| held[at]).count());
    for count in counts {
        assert!((92..=99).contains(&count), "{counts:?}");
    }
}

#[test]
fn where_nothing_is_planted_no_difference_can_be_seen() {
    let quiet = (0..20_u64).filter(|seed| {
        let (rows, _) = campaign(*seed, PlantedUplift::NONE);
        assert_eq!(rows[0].measure, LiftMeasure::Bought);
        rows[0].verdict.words() == "no difference can be seen"
    });
    assert!((17..=20).contains(&quiet.count()));
    let large = PlantedUplift {
        come: 1.0,
        ..PlantedUplift {
            by_strategy: [0.6; 4],
            come: 1.0,
        }
    };
    let (rows, _) = campaign(1, large);
    let bought = |arms| {
        let row = rows
            .iter()
            .find(|row| row.arms == arms && row.of == LiftGroup::All);
        row.unwrap().verdict
    };
    assert_eq!(bought(LiftArms::Customers), LiftVerdict::More);
    assert_eq!(bought(LiftArms::Offers), LiftVerdict::More);
    let visits = rows
        .iter()
        .find(|row| row.measure == LiftMeasure::Visits)
        .unwrap();
    // Most come anyway, and customers differ a lot in how often they do.
    assert!(visits.compared.unwrap().difference > 0.05, "{visits:?}");
}

/// The share of the offers that `overdue` gets after 12 weeks, of which it alone brings something.
fn learned_share(seed: u64) -> f64 {
    let world = World::new(seed, 150, (BEFORE + 7 * 13) as u32);
    let paying = PlantedUplift {
        come: 0.5,
        ..PlantedUplift::NONE.with(Strategy::Overdue, 0.3)
    };
    let configured = even_mix();
    let mut mix = configured;
    let mut offers = vec![];
    let mut share = 0.0;
    for week in 0..12 {
        let night = world.night(BEFORE + 7 * week);
        offers.extend(world.offers(night, &mix));
        let (outcomes, _) = world.outcomes(offers.clone(), paying, night.day() + VALID);
        let learned = LearnedMix::new(&outcomes, &configured, seed).unwrap();
        let overdue = learned.strategies.iter();
        let overdue = overdue.filter(|it| it.strategy == Strategy::Overdue);
        share = overdue.map(|it| it.share).sum();
        mix = learned.applied_to(&configured);
    }
    share
}

#[test]
fn the_mix_moves_to_what_pays_within_12_weeks_in_9_of_10_stores() {
    use rayon::prelude::*;
    let shares: Vec<f64> = (0..10_u64).into_par_iter().map(learned_share).collect();
    let moved = shares.iter().filter(|share| **share > 0.5).count();
    assert!(moved >= 9, "{shares:?}");
    assert!(
        shares.iter().all(|share| *share <= 0.85 + 1e-9),
        "a floor is left: {shares:?}"
    );
}

#[test]
fn without_evidence_all_strategies_get_about_the_same() {
    let world = World::new(3, 60, 62);
    let offers = world.offers(world.night(BEFORE), &even_mix());
    let (outcomes, _) = world.outcomes(offers, PlantedUplift::NONE, world.parameters.last_day());
    let nothing = CampaignOutcomes::default();
    assert_eq!(LearnedMix::new(&nothing, &even_mix(), 1), None);
    let learned = LearnedMix::new(&outcomes, &even_mix(), 1).unwrap();
    assert_eq!(learned, LearnedMix::new(&outcomes, &even_mix(), 1).unwrap());
    let total: f64 = learned.strategies.iter().map(|it| it.share).sum();
    assert!((total - 1.0).abs() < 1e-9);
    assert!(learned.strategies.iter().all(|it| it.share >= 0.05));
    // What the manager does not use gets nothing.
    let two = OfferMix {
        overdue: None,
        winback: None,
        ..even_mix()
    };
    let learned = LearnedMix::new(&outcomes, &two, 1).unwrap();
    let names: Vec<&str> = learned
        .strategies
        .iter()
        .map(|it| it.strategy.word())
        .collect();
    assert_eq!(names, ["likely", "new"]);
    let applied = learned.applied_to(&even_mix());
    assert!(applied.uses(Strategy::New) && !applied.uses(Strategy::Winback));
    let only_winback = OfferMix {
        likely: None,
        new: None,
        ..OfferMix {
            winback: Some(2.0),
            ..two
        }
    };
    assert_eq!(learned.applied_to(&only_winback), only_winback);
}

#[test]
fn only_offers_whose_days_are_covered_count() {
    let world = World::new(3, 60, 62);
    let offers = world.offers(world.night(BEFORE), &even_mix());
    let count = offers.len();
    let night = world.night(BEFORE).day();
    let late = |days| {
        world
            .outcomes(offers.clone(), PlantedUplift::NONE, night + days)
            .0
    };
    assert_eq!(
        (late(VALID - 1).offers.len(), late(VALID - 1).waiting),
        (0, count)
    );
    assert_eq!((late(VALID).offers.len(), late(VALID).waiting), (count, 0));
    let days = late(VALID).days.unwrap();
    assert_eq!((days.first - night, days.last - night), (1, VALID));
    let groups: Vec<String> = lift_rows(&late(VALID))
        .iter()
        .filter(|row| row.arms == LiftArms::Offers)
        .map(|row| row.of.words())
        .collect();
    assert_eq!(
        groups,
        [
            "all",
            "likely",
            "overdue",
            "winback",
            "new",
            "category bread",
            "category fruit",
            "2025-01"
        ]
    );
}
