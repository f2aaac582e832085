//! Means, medians and quantiles: one definition for features, models, figures and messages.
//!
//! Sums run in the order of their values, so that a result never depends on threads. An empty
//! sample has no mean and no median: `None`, never 0 or NaN.

/// The arithmetic mean; `None` of nothing.
#[must_use]
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}

/// The median of values in any order: the mean of the middle two where their number is even; `None`
/// of nothing.
#[must_use]
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    median_of_sorted(&values)
}

/// As [`median`], of values that ascend.
#[must_use]
pub fn median_of_sorted(values: &[f64]) -> Option<f64> {
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(if values.len() % 2 == 1 {
        upper
    } else {
        (lower + upper) / 2.0
    })
}

/// The quantile of a share, 0 to 1, of values that ascend: linear between the two nearest values,
/// as `numpy.quantile` does by default (type 7 of Hyndman & Fan, The American Statistician 1996).
/// `None` of nothing.
#[must_use]
pub fn quantile_of_sorted(values: &[f64], share: f64) -> Option<f64> {
    let position = share * values.len().checked_sub(1)? as f64;
    let below = values.get(position.floor() as usize)?;
    let above = values.get(position.ceil() as usize)?;
    Some(below + (above - below) * position.fract())
}

/// The sample standard deviation (denominator n − 1) around a known mean, of durations or other
/// values of moderate size; `None` of fewer than two values.
#[must_use]
pub fn sample_deviation(values: &[f64], mean: f64) -> Option<f64> {
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// The conformal quantile of scores that ascend: the ⌈coverage · (n + 1)⌉-th smallest (Vovk,
/// Gammerman & Shafer 2005; Lei et al., JASA 2018, for the split form). `None` where so many scores
/// are not there: the sample is too small for that coverage.
#[must_use]
pub fn conformal_quantile(sorted_scores: &[f64], coverage: f64) -> Option<f64> {
    let rank = (coverage * (sorted_scores.len() + 1) as f64).ceil() as usize;
    sorted_scores.get(rank.saturating_sub(1)).copied()
}

/// Rounds to decimals as Python's `round` does: the nearest decimal to the exact binary value, an
/// exact tie to the even digit.
#[must_use]
pub fn rounded(value: f64, decimals: usize) -> f64 {
    // Adding 0 turns −0 into 0.
    format!("{value:.decimals$}").parse().unwrap_or(value) + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_middle() {
        assert_eq!(mean([]), None);
        assert_eq!(median(vec![]), None);
        assert_eq!(sample_deviation(&[3.0], 3.0), None);
        assert_eq!(quantile_of_sorted(&[], 0.5), None);
        assert_eq!(conformal_quantile(&[], 0.8), None);
    }

    #[test]
    fn examples_worked_by_hand() {
        assert_eq!(mean([1.0, 2.0, 6.0]), Some(3.0));
        assert_eq!(median(vec![5.0]), Some(5.0));
        assert_eq!(median(vec![9.0, 1.0, 4.0]), Some(4.0));
        assert_eq!(median(vec![9.0, 1.0, 4.0, 2.0]), Some(3.0));
        // Squares of −1, 0, 1 around 2: 2 ÷ (3 − 1) = 1.
        assert_eq!(sample_deviation(&[1.0, 2.0, 3.0], 2.0), Some(1.0));
        // numpy.quantile([0, 1, 2, 3], [0.25, 0.5, 1])
        let quantiles =
            [0.25, 0.5, 1.0].map(|share| quantile_of_sorted(&[0.0, 1.0, 2.0, 3.0], share));
        assert_eq!(quantiles, [Some(0.75), Some(1.5), Some(3.0)]);
    }

    #[test]
    fn rounding_is_pythons() {
        assert_eq!(rounded(2.5, 0), 2.0);
        // 0.03125 and 0.09375 are exact in binary, so ties go to the even digit. 2.675 is a little
        // less in binary.
        assert_eq!(
            (
                rounded(0.03125, 4),
                rounded(0.09375, 4),
                rounded(2.675, 2),
                rounded(0.00005, 4)
            ),
            (0.0312, 0.0938, 2.67, 0.0001)
        );
        assert_eq!(rounded(-0.04, 1).to_string(), "0");
        assert!(rounded(-0.000_01, 4).is_sign_positive());
    }

    #[test]
    fn the_conformal_rank_counts_the_new_value_too() {
        let scores: Vec<f64> = (1..=9).map(f64::from).collect();
        // ⌈.8 · 10⌉ = 8.
        assert_eq!(conformal_quantile(&scores, 0.8), Some(8.0));
        // ⌈.95 · 10⌉ = 10: nine scores cannot say.
        assert_eq!(conformal_quantile(&scores, 0.95), None);
    }
}
