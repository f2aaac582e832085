//! The difference of two arms, with its interval.
//!
//! Offers of one customer are alike, so the customer is the unit: an arm's figure is a ratio of two
//! sums over its customers, and the variance of the difference of two such ratios comes from the
//! customers' own contributions (the delta method for ratio metrics: Deng, Knoblich & Lu, KDD 2018;
//! the cluster-robust variance of Liang & Zeger, Biometrika 1986). A customer may stand in both arms,
//! as where single offers are held back: what they have in common falls out. The interval takes the
//! quantile of Student's t with the degrees of freedom of Welch (Biometrika 1947), since a control arm
//! may be small.

use serde::Serialize;

/// What one customer adds to both arms: the sum of the outcomes and what it is divided by.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct ClusterTotals {
    pub(super) treatment: ArmTotals,
    pub(super) control: ArmTotals,
}

/// A sum of outcomes, and of what it is divided by: offers, or weeks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct ArmTotals {
    pub(super) outcome: f64,
    pub(super) size: f64,
}

impl ArmTotals {
    pub(super) fn add(&mut self, outcome: f64, size: f64) {
        self.outcome += outcome;
        self.size += size;
    }

    fn ratio(self) -> f64 {
        self.outcome / self.size
    }
}

/// The figure of one arm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ArmFigure {
    /// Customers who are in it.
    pub customers: usize,
    /// Offers, or weeks of customers.
    pub size: f64,
    /// The outcome for each of them.
    pub value: f64,
}

/// Treatment less control.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ArmDifference {
    /// What was sent.
    pub treatment: ArmFigure,
    /// What was held back.
    pub control: ArmFigure,
    /// The difference of the two.
    pub difference: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// The smallest difference that arms of this size show in 80 of 100 cases.
    pub smallest_visible: f64,
}

/// The two-sided 95 % quantile of the normal distribution.
pub(super) const Z_95: f64 = 1.959_963_984_540_054;
/// The 80 % quantile, for the power.
pub(super) const Z_80: f64 = 0.841_621_233_572_914;
/// Fewer customers in an arm say nothing about how customers differ.
const FEWEST_CUSTOMERS: usize = 3;

/// How outcomes are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutcomeKind {
    /// Each is 0 or 1.
    Share,
    /// Any number.
    Amount,
}

/// Treatment less control, of the sums of each customer; `None` if an arm has fewer than three
/// customers.
pub(super) fn difference(clusters: &[ClusterTotals], kind: OutcomeKind) -> Option<ArmDifference> {
    let [treatment, control] = [
        ArmSums::of(clusters, |cluster| cluster.treatment)?,
        ArmSums::of(clusters, |cluster| cluster.control)?,
    ];
    let mut common = 0.0;
    for cluster in clusters {
        common += treatment.influence(cluster.treatment) * control.influence(cluster.control);
    }
    common *= (treatment.correction() * control.correction()).sqrt();
    let variances = [&treatment, &control].map(|arm| arm.variance(kind));
    let variance = (variances[0] + variances[1] - 2.0 * common).max(0.0);
    let standard_error = variance.sqrt();
    let freedoms = [&treatment, &control].map(|arm| arm.customers as f64 - 1.0);
    let spread = variances[0].powi(2) / freedoms[0] + variances[1].powi(2) / freedoms[1];
    let freedom = match spread > 0.0 {
        // At least that of the smaller arm, whatever the two have in common.
        true => ((variances[0] + variances[1]).powi(2) / spread).max(freedoms[0].min(freedoms[1])),
        false => freedoms[0].min(freedoms[1]),
    };
    let quantile = student_quantile(freedom);
    let difference = treatment.totals.ratio() - control.totals.ratio();
    Some(ArmDifference {
        treatment: treatment.figure(),
        control: control.figure(),
        difference,
        low: difference - quantile * standard_error,
        high: difference + quantile * standard_error,
        standard_error,
        smallest_visible: (quantile + Z_80) * standard_error,
    })
}

/// One arm over all its customers.
struct ArmSums {
    totals: ArmTotals,
    customers: usize,
    /// Sum of the squared influences.
    squares: f64,
}

impl ArmSums {
    fn of(clusters: &[ClusterTotals], arm: impl Fn(&ClusterTotals) -> ArmTotals) -> Option<Self> {
        let mut sums = Self {
            totals: ArmTotals::default(),
            customers: 0,
            squares: 0.0,
        };
        for totals in clusters.iter().map(&arm).filter(|totals| totals.size > 0.0) {
            sums.totals.add(totals.outcome, totals.size);
            sums.customers += 1;
        }
        if sums.customers < FEWEST_CUSTOMERS {
            return None;
        }
        for totals in clusters.iter().map(&arm) {
            sums.squares += sums.influence(totals).powi(2);
        }
        Some(sums)
    }

    /// By how much a customer moves the ratio.
    fn influence(&self, of_customer: ArmTotals) -> f64 {
        (of_customer.outcome - self.totals.ratio() * of_customer.size) / self.totals.size
    }

    /// The variance of the ratio.
    fn variance(&self, kind: OutcomeKind) -> f64 {
        let ArmTotals { outcome, size } = self.totals;
        if kind == OutcomeKind::Share && (outcome <= 0.0 || outcome >= size) {
            // All alike, by which the sample looks more certain than it is: one more of each kind
            // (Agresti & Caffo, The American Statistician 2000).
            let share = (outcome + 1.0) / (size + 2.0);
            return share * (1.0 - share) / (size + 2.0);
        }
        self.squares * self.correction()
    }

    /// For the degree of freedom that the ratio takes.
    fn correction(&self) -> f64 {
        let customers = self.customers as f64;
        customers / (customers - 1.0)
    }

    fn figure(&self) -> ArmFigure {
        ArmFigure {
            customers: self.customers,
            size: self.totals.size,
            value: self.totals.ratio(),
        }
    }
}

/// The two-sided 95 % quantile of Student's t: the expansion by the normal quantile (Abramowitz &
/// Stegun 1964, 26.7.5), within 0.3 % from 3 degrees of freedom on and larger below.
pub(super) fn student_quantile(freedom: f64) -> f64 {
    if freedom < 3.0 {
        // Two degrees have a closed form: t² = 2 · 0.95² / (1 − 0.95²).
        return (2.0 * 0.95_f64.powi(2) / (1.0 - 0.95_f64.powi(2))).sqrt();
    }
    let z = Z_95;
    let terms = [
        (z.powi(3) + z) / 4.0,
        (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0,
        (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0,
        (79.0 * z.powi(9) + 776.0 * z.powi(7) + 1482.0 * z.powi(5)
            - 1920.0 * z.powi(3)
            - 945.0 * z)
            / 92_160.0,
    ];
    let mut quantile = z;
    let mut power = 1.0;
    for term in terms {
        power /= freedom;
        quantile += term * power;
    }
    quantile
}
