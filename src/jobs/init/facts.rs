//! What all lines of the tickets tell, read with the proposed settings.

use serde::Serialize;
use serde_json::json;

use crate::calendar::{AsOf, DateRange, Day};
use crate::config::{Config, WrittenSetting};
use crate::domain::Funnel;
use crate::error::Result;
use crate::ingest::report::Report;
use crate::ingest::{self, Ingested, InputOptions};
use crate::jobs::tickets::frequent_products;
use crate::jobs::{Progress, compute};
use crate::models;
use crate::purchases::{History, PartitionedHistory, PartitionedPurchases, Partitions};
use crate::recurrence::{RecentPurchases, Rule, RuleGrid, recurrent};
use crate::stats;
use crate::store::InputObject;

/// The periods of the grid.
const PERIODS: [u32; 5] = [1, 2, 3, 4, 6];

/// Below this share of the same weekday's median the last day is not whole.
const PARTIAL: f64 = 0.5;

/// How many weeks the last day is compared with, and how many must be there.
const WEEKS: usize = 8;
const FEWEST_WEEKS: usize = 3;

/// Where fewer customers are recurrent, another `basket_share` is shown.
const FEW: usize = 30;

/// Where so many customers bought once, the column may not name people.
const ONCE: f64 = 0.9;

/// What all lines tell.
#[derive(Debug, Clone, Serialize)]
pub struct TicketFacts {
    /// What became of each line.
    pub lines: Report,
    /// The first and the last day with a purchase, but for lines that lie far after all others.
    pub span: DateRange,
    /// The last day that looks whole.
    pub last_full_day: Day,
    /// Customers with a purchase.
    pub customers: usize,
    /// Of these, with a single one.
    pub customers_with_one_purchase: usize,
    /// Products that were bought.
    pub products: usize,
    /// How many days of history training needs.
    pub days_needed: i32,
    /// The rule.
    pub rule: Rule,
    /// Who passes each part of the rule on the last whole day.
    pub funnel: Funnel,
    /// How many customers other values of the rule would keep.
    pub grid: RuleGrid,
    /// What was noticed while the lines were read.
    pub warnings: Vec<String>,
    /// Why a run would refuse these lines: too many of them are bad.
    pub refusal: Option<String>,
}

impl TicketFacts {
    /// How many days the history has, up to the last whole one.
    fn days(&self) -> i32 {
        self.last_full_day - self.span.first + 1
    }

    /// Whether the history is too short for a model that can be measured.
    pub(super) fn is_short(&self) -> bool {
        self.days() < self.days_needed
    }

    /// The rule, with so many periods.
    fn rule_of(&self, periods: u32) -> Rule {
        Rule {
            periods,
            ..self.rule
        }
    }

    /// The most periods, fewer than the rule has, for which the history is long enough.
    pub(super) fn fitting_periods(&self) -> Option<u32> {
        let fits = |periods: &u32| models::needed_days(&self.rule_of(*periods)) <= self.days();
        (1..self.rule.periods).rev().find(fits)
    }
}

/// What to say of the facts, and what to write.
#[derive(Debug, Default)]
pub(super) struct Advice {
    pub(super) sure: Vec<String>,
    pub(super) check: Vec<String>,
    pub(super) settings: Vec<WrittenSetting>,
}

/// Reads all lines. Bad lines are counted, and stop nothing.
///
/// # Errors
/// As [`ingest::read`]; if no line is a purchase.
pub(super) async fn read(
    config: &Config,
    progress: &dyn Progress,
) -> Result<(TicketFacts, Advice)> {
    let ingested = read_lines(config, 1.0, progress).await?;
    if ingested.report.kept == 0 {
        // What training would say of the bad lines says more than that there is no other.
        read_lines(config, config.input.max_bad_share, progress).await?;
    }
    progress.stage("counting customers");
    let (report, warnings) = (ingested.report, ingested.warnings);
    let facts = compute(|| {
        let partitions = ingested.purchases.partitions()?;
        facts_of(&*partitions, report, warnings, config)
    })?;
    let advice = advice(&facts, config);
    Ok((facts, advice))
}

/// Reads all lines, of which so large a share may be bad.
async fn read_lines(
    config: &Config,
    max_bad_share: f64,
    progress: &dyn Progress,
) -> Result<Ingested<PartitionedPurchases>> {
    let options = InputOptions {
        max_bad_share,
        ..config.input.clone()
    };
    let (ingested, _) = ingest::read(
        config.required_inputs()?,
        &options,
        None,
        config.memory_limit,
        &|count: usize, object: &InputObject| progress.object(object, count),
    )
    .await?;
    Ok(ingested)
}

fn facts_of(
    partitions: &dyn Partitions,
    mut lines: Report,
    mut warnings: Vec<String>,
    config: &Config,
) -> Result<TicketFacts> {
    let all = PartitionedHistory::all(partitions);
    let Some(span) = all.span()? else {
        return Err(lines.no_purchase(""));
    };
    let last = lines.far_after().map_or(span.last, |far| far.last_before);
    let span = DateRange { last, ..span };
    let mut counts = PurchasesInSight::new(last);
    let mut distinct = 0;
    all.each(|history| {
        counts.add(history);
        distinct += history.distinct_lines() as u64;
        Ok(())
    })?;
    lines.count_repeated(distinct);
    let last_full_day = counts.last_full_day();
    let night = AsOf(last_full_day);
    let mut funnel = Funnel::default();
    let mut lately = RecentPurchases::none(partitions.products().len());
    PartitionedHistory::new(partitions, night).each(|history| {
        lately.add(history);
        let (_, more) = recurrent(history, &config.rule);
        funnel = std::mem::take(&mut funnel).merge(&more);
        Ok(())
    })?;
    warnings.extend(frequent_products(partitions.products(), &lately));
    let mut periods = PERIODS.to_vec();
    periods.push(config.rule.periods);
    periods.sort_unstable();
    periods.dedup();
    let refusal = lines.judge(config.input.max_bad_share).err();
    Ok(TicketFacts {
        refusal: refusal.map(|error| error.to_string()),
        lines,
        span,
        last_full_day,
        customers: counts.customers,
        customers_with_one_purchase: counts.with_one,
        products: partitions.products().len(),
        days_needed: models::needed_days(&config.rule),
        rule: config.rule,
        funnel,
        grid: RuleGrid::new(partitions, night, &config.rule, &periods)?,
        warnings,
    })
}

/// Counts of the purchases of all customers.
struct PurchasesInSight {
    customers: usize,
    with_one: usize,
    last: Day,
    /// Distinct lines of the last day, the day before, and so on.
    lines: Vec<u64>,
}

impl PurchasesInSight {
    fn new(last: Day) -> Self {
        Self {
            customers: 0,
            with_one: 0,
            last,
            lines: vec![0; 7 * WEEKS + 1],
        }
    }

    fn add(&mut self, history: &History<'_>) {
        for customer in 0..history.customer_count() {
            let purchases = history.purchases_of(customer);
            self.customers += usize::from(!purchases.is_empty());
            self.with_one += usize::from(purchases.len() == 1);
            for (day, basket) in purchases.iter().rev() {
                let Ok(age) = usize::try_from(self.last - day) else {
                    // It lies far after all others.
                    continue;
                };
                let Some(lines) = self.lines.get_mut(age) else {
                    break;
                };
                *lines += basket.len() as u64;
            }
        }
    }

    /// The last day, or the day before if far fewer lines are of it than of its weekday in the weeks
    /// before.
    fn last_full_day(&self) -> Day {
        let before: Vec<f64> = (1..=WEEKS)
            .filter_map(|week| self.lines.get(7 * week))
            .filter(|lines| **lines > 0)
            .map(|lines| *lines as f64)
            .collect();
        let of_last = self.lines.first().copied().unwrap_or_default() as f64;
        let is_partial = before.len() >= FEWEST_WEEKS
            && stats::median(before).is_some_and(|median| of_last < PARTIAL * median);
        if is_partial { self.last - 1 } else { self.last }
    }
}

/// What to say of the facts.
fn advice(facts: &TicketFacts, config: &Config) -> Advice {
    let mut advice = Advice::default();
    if let Some(refusal) = &facts.refusal {
        advice.check.push(format!(
            "a run refuses these lines: mend this before all else. {refusal}"
        ));
    }
    advise_on_dates(facts, &mut advice);
    let (first, last, days) = (facts.span.first, facts.last_full_day, facts.days());
    if facts.is_short() {
        let fewer = facts.fitting_periods().map_or_else(String::new, |periods| {
            let needed = models::needed_days(&facts.rule_of(periods));
            format!(", or look back less far: --periods {periods} needs {needed}")
        });
        advice.check.push(format!(
            "the history has {days} days, from {first} to {last}, and a model that can be measured needs {}: wait for {} more days, \
             give older tickets too{fewer}",
            facts.days_needed,
            facts.days_needed - days
        ));
    } else if facts.refusal.is_none() {
        advice.sure.push(format!(
            "the history is long enough: {days} days, from {first} to {last}; training needs {}",
            facts.days_needed
        ));
    }
    let once = facts.customers_with_one_purchase as f64 / facts.customers.max(1) as f64;
    if facts.customers >= 50 && once >= ONCE {
        advice.check.push(format!(
            "{} of {} customers have a single purchase: does {} name people, or orders?",
            facts.customers_with_one_purchase, facts.customers, config.input.columns.customer
        ));
    }
    let suspects: Vec<&str> = facts
        .lines
        .suspects
        .iter()
        .map(|suspect| suspect.customer.as_str())
        .collect();
    if !suspects.is_empty() {
        let all = [
            config.input.anonymous.iter().map(String::as_str).collect(),
            suspects,
        ]
        .concat();
        let reason =
            "with those that look like no person: then their sales count for what the store sells";
        advice.settings.extend(WrittenSetting::new(
            "input.anonymous",
            &json!(all),
            false,
            reason,
        ));
    }
    advise_on_bad_lines(facts, config, &mut advice);
    advise_on_rule(facts, config, &mut advice);
    let decided = facts.lines.dates.as_ref().map(ToString::to_string);
    let others = facts
        .warnings
        .iter()
        .filter(|warning| decided.as_ref() != Some(warning));
    advice.check.extend(others.cloned());
    advice
}

/// Writes the order of dates that all values have settled.
fn advise_on_dates(facts: &TicketFacts, advice: &mut Advice) {
    let Some(decided) = &facts.lines.dates else {
        return;
    };
    let reason = decided.to_string();
    advice.sure.push(reason.clone());
    advice.settings.extend(WrittenSetting::new(
        "input.time_format",
        &json!(decided.order.to_string()),
        true,
        &reason,
    ));
}

fn advise_on_bad_lines(facts: &TicketFacts, config: &Config, advice: &mut Advice) {
    let bad = facts.lines.bad_lines();
    if bad == 0 {
        return;
    }
    let share = bad as f64 / facts.lines.lines_read.max(1) as f64;
    if facts.refusal.is_none() {
        advice.check.push(format!(
            "{bad} of {} lines are bad:{}",
            facts.lines.lines_read,
            facts.lines.causes()
        ));
    }
    if share > config.input.max_bad_share {
        // Rounded up, so that it is enough.
        let enough = (share * 1_000.0).ceil() / 1_000.0;
        let reason = format!("would accept the {bad} bad lines: they are left out and counted");
        advice.settings.extend(WrittenSetting::new(
            "input.max_bad_share",
            &json!(enough),
            false,
            &reason,
        ));
    }
}

/// Shows another `basket_share` where the rule keeps few.
fn advise_on_rule(facts: &TicketFacts, config: &Config, advice: &mut Advice) {
    let rule = config.rule;
    let kept = facts.funnel.recurrent;
    let wanted = FEW.min(facts.funnel.frequent);
    if kept >= wanted {
        return;
    }
    let other = facts
        .funnel
        .by_basket_share
        .iter()
        .find(|(_, customers)| *customers >= wanted.max(1));
    let Some((share, customers)) = other else {
        return;
    };
    let reason = format!(
        "the rule as it stands keeps {kept} of {} customers; this share of large baskets would keep {customers}",
        facts.funnel.seen
    );
    advice.check.push(format!(
        "{reason}: basket_share = {share} instead of {}",
        rule.basket_share
    ));
    advice.settings.extend(WrittenSetting::new(
        "rule.basket_share",
        &json!(share),
        false,
        &reason,
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;
    use crate::models::examples::{read, store};

    fn facts(config: &Config) -> TicketFacts {
        let purchases = read(store(80, 250, 1));
        facts_of(&purchases, Report::default(), vec![], config).unwrap()
    }

    fn config(text: &str) -> Config {
        Layer::parse("okuo.toml", text).unwrap().check().unwrap()
    }

    #[test]
    fn a_rule_that_keeps_few_is_shown_with_another_share() {
        let config = config("[rule]\nmin_products = 5");
        let facts = facts(&config);
        assert!(facts.funnel.recurrent < FEW, "{facts:?}");
        let advice = advice(&facts, &config);
        let shown = &advice.settings[0];
        assert_eq!(
            (shown.path.as_str(), shown.is_set),
            ("rule.basket_share", false)
        );
        assert!(
            advice
                .check
                .iter()
                .any(|check| check.contains("basket_share = ")),
            "{advice:?}"
        );
        assert_eq!(
            facts.grid.customers(3, 1.0),
            Some(facts.funnel.recurrent),
            "the grid has the rule"
        );
    }

    #[test]
    fn lines_that_a_run_refuses_are_said_first() {
        let config = config("");
        let mut facts = facts(&config);
        facts.refusal = None;
        assert!(advice(&facts, &config).sure[0].contains("long enough"));
        facts.refusal = Some("half of the lines are bad".into());
        let advice = advice(&facts, &config);
        assert!(
            advice.check[0].contains("a run refuses these lines"),
            "{advice:?}"
        );
        assert!(!advice.sure.iter().any(|sure| sure.contains("long enough")));
    }

    #[test]
    fn a_short_history_and_single_purchases_are_said() {
        let config = config("");
        let mut facts = facts(&config);
        facts.days_needed = facts.span.days() + 1;
        facts.customers_with_one_purchase = facts.customers;
        let advice = advice(&facts, &config);
        for part in [
            "a model that can be measured needs",
            "wait for 1 more days, give older tickets too, or look back less far: --periods 2 needs 116",
            "have a single purchase",
        ] {
            assert!(
                advice.check.iter().any(|check| check.contains(part)),
                "{part}: {advice:?}"
            );
        }
    }

    #[test]
    fn a_last_day_with_few_lines_is_not_whole() {
        let mut counts = PurchasesInSight::new(Day::from_epoch(20_000));
        for lines in counts.lines.iter_mut().step_by(7) {
            *lines = 100;
        }
        assert_eq!(counts.last_full_day(), Day::from_epoch(20_000));
        counts.lines[0] = 20;
        assert_eq!(counts.last_full_day(), Day::from_epoch(19_999));
    }
}
