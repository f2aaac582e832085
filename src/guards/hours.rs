//! Sales that moved to other hours of the day.

use super::profile::FeedProfile;
use super::{GuardFinding, GuardSettings};
use crate::ingest::DAYS_BY_HOUR;

/// Fewer sales tell nothing: of the last weeks, and of a single day.
pub(super) const FEWEST_SALES: f64 = 300.0;
const FEWEST_OF_DAY: f64 = 40.0;

pub(super) fn findings(feed: &FeedProfile, settings: &GuardSettings) -> Vec<GuardFinding> {
    let Some(hours) = &feed.hours else {
        return vec![];
    };
    let (lately, earlier) = (hours.of_last_days(), hours.of_earlier_days());
    let limit = settings.max_hour_shift;
    let month = shift(&lately, &earlier, FEWEST_SALES).filter(|shift| *shift > limit);
    let month = month.map(|shift| {
        GuardFinding::new(
            "shifted-hours",
            shift,
            limit,
            format!(
                "sales of the last {DAYS_BY_HOUR} days have moved by {shift:.1} hours of the day against those before (max_hour_shift = {limit}): are the times of another zone?"
            ),
        )
    });
    let night = shift(&hours.of_night(), &hours.of_all_days(), FEWEST_OF_DAY);
    let night = night.filter(|shift| *shift > 2.0 * limit);
    let night = night.map(|shift| {
        GuardFinding::new(
            "shifted-hours",
            shift,
            2.0 * limit,
            format!(
                "sales of {} have moved by {shift:.1} hours of the day against all others (twice max_hour_shift = {})",
                feed.night, 2.0 * limit
            ),
        )
    });
    month.or(night).into_iter().collect()
}

/// By how many hours sales would have to move, on average, to be spread over the day like others:
/// the earth mover's distance on a circle (Rabin, Delon & Gousseau, 2011). `None` if there are fewer
/// than `least` of either.
pub(super) fn shift(sales: &[f64; 24], others: &[f64; 24], least: f64) -> Option<f64> {
    let (all, all_others) = (sales.iter().sum::<f64>(), others.iter().sum::<f64>());
    if all < least || all_others < least {
        return None;
    }
    let mut ahead = 0.0;
    let mut differences: Vec<f64> = sales
        .iter()
        .zip(others)
        .map(|(sales, others)| {
            ahead += sales / all - others / all_others;
            ahead
        })
        .collect();
    differences.sort_unstable_by(f64::total_cmp);
    let middle = crate::stats::median_of_sorted(&differences)?;
    Some(differences.iter().map(|ahead| (ahead - middle).abs()).sum())
}
