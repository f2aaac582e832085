//! Reading tickets, and telling what became of them.

use super::output::Output;
use crate::calendar::{AsOf, DateRange};
use crate::config::Config;
use crate::domain::Funnel;
use crate::domain::words::counted;
use crate::error::{Error, Result};
use crate::ingest::report::Report;
use crate::ingest::{self, Ingested, NeededDays};
use crate::models;
use crate::publish::manifest::ManifestInput;
use crate::purchases::{PartitionedHistory, PartitionedPurchases, Partitions};
use crate::recurrence::{Rule, recurrent};
use crate::store::InputObject;

/// Below so many recurrent customers, other basket shares are shown.
const FEW: usize = 30;

/// What was read, and from where.
pub(super) struct Input {
    pub(super) ingested: Ingested<PartitionedPurchases>,
    pub(super) objects: Vec<ManifestInput>,
}

/// What a first look at everybody finds.
pub(super) struct PopulationSummary {
    /// The first and the last day with a purchase.
    pub(super) span: Option<DateRange>,
    pub(super) distinct_lines: usize,
    /// How many customers pass each part of the rule.
    pub(super) funnel: Funnel,
}

impl PopulationSummary {
    /// Looks at a history on the night `as_of`, or on its last day.
    pub(super) fn new(
        partitions: &dyn Partitions,
        as_of: Option<AsOf>,
        rule: &Rule,
    ) -> Result<Self> {
        let night = match as_of {
            Some(as_of) => as_of,
            None => PartitionedHistory::all(partitions)
                .span()?
                .map_or(PartitionedHistory::all(partitions).as_of(), |span| {
                    AsOf(span.last)
                }),
        };
        let mut everyone = Self {
            span: None,
            distinct_lines: 0,
            funnel: Funnel::default(),
        };
        PartitionedHistory::all(partitions).each(|history| {
            everyone.span = DateRange::union(everyone.span, history.span());
            everyone.distinct_lines += history.distinct_lines();
            everyone.funnel = std::mem::take(&mut everyone.funnel)
                .merge(&recurrent(&history.until(night), rule).1);
            Ok(())
        })?;
        Ok(everyone)
    }
}

/// What a history is read for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// To score a night.
    Night,
    /// To train a model.
    Training,
}

/// Reads the configured days up to a night, with progress and warnings.
pub(super) async fn read_night(
    config: &Config,
    night: AsOf,
    needs: Purpose,
    output: &Output,
) -> Result<Input> {
    read(
        config,
        NeededDays::up_to(night, config.history_days),
        needs,
        output,
    )
    .await
}

/// Reads some days of the configured input, with progress and warnings.
///
/// # Errors
/// If more days are needed than the history has, or as [`ingest::read`].
pub(super) async fn read(
    config: &Config,
    days: NeededDays,
    needs: Purpose,
    output: &Output,
) -> Result<Input> {
    let uris = config.required_inputs()?;
    let (least, what) = match needs {
        Purpose::Night => (config.rule.window_days(), "the rule looks back"),
        Purpose::Training => (
            models::needed_days(&config.rule),
            "training needs the rule's window and 56 days more,",
        ),
    };
    if i64::from(config.history_days) < i64::from(least) {
        return Err(Error::request(format!(
            "{what} {least} days, and history_days is {}",
            config.history_days
        ))
        .hint("raise --history-days, or lower --periods or --period-days"));
    }
    let progress = output.progress();
    let each = |of: usize, object: &InputObject| {
        progress.stage(&format!("reading {} (of {of} objects)", object.uri))
    };
    let (ingested, found) =
        ingest::read(uris, &config.input, days, config.memory_limit, &each).await?;
    drop(progress);
    ingested
        .warnings
        .iter()
        .for_each(|warning| output.warn(warning));
    let objects = found
        .into_iter()
        .map(|object| ManifestInput {
            object: object.uri,
            size: object.size,
            etag: object.etag,
        })
        .collect();
    Ok(Input { ingested, objects })
}

/// The lines and the funnel as text.
pub(super) fn lines_and_funnel(
    report: &Report,
    funnel: &Funnel,
    rule: &Rule,
    night: AsOf,
) -> String {
    format!("{report}\n{}", funnel_text(funnel, rule, night))
}

/// The rule in words.
pub(super) fn rule_text(rule: &Rule) -> String {
    let share = if rule.basket_share >= 1.0 {
        "every one".to_owned()
    } else {
        format!("a share of {}", rule.basket_share)
    };
    let Rule {
        period_days,
        periods,
        min_purchases,
        min_products,
        ..
    } = rule;
    let window = match periods {
        1 => format!("in the last {}", counted(*period_days, "day")),
        periods => format!(
            "in each of the last {periods} periods of {}",
            counted(*period_days, "day")
        ),
    };
    format!(
        "{window} at least {}; {share} of the purchases with at least {}",
        counted(*min_purchases, "purchase"),
        counted(*min_products, "product")
    )
}

/// The funnel as text, with other basket shares where few pass.
pub(super) fn funnel_text(funnel: &Funnel, rule: &Rule, night: AsOf) -> String {
    let mut text = format!(
        "customers on {night}: {} seen → {} active → {} frequent → {} large baskets → {} recurrent",
        funnel.seen, funnel.active, funnel.frequent, funnel.large_baskets, funnel.recurrent
    );
    text.push_str(&format!("\n  ({})", rule_text(rule)));
    if funnel.recurrent < FEW {
        let shares: Vec<String> = funnel
            .by_basket_share
            .iter()
            .filter(|(share, count)| *share < rule.basket_share && *count > funnel.recurrent)
            .map(|(share, count)| format!("{share}: {count}"))
            .collect();
        if !shares.is_empty() {
            text.push_str(&format!(
                "\n  few pass; --basket-share would let in  {}",
                shares.join("  ")
            ));
        }
    }
    text
}
