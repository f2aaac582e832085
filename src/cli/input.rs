//! Reading tickets, and telling what became of them.

use super::output::Output;
use crate::calendar::AsOf;
use crate::config::Config;
use crate::error::Result;
use crate::ingest::report::Report;
use crate::ingest::{self, Ingested};
use crate::predictions::words::counted;
use crate::publish::manifest::InputObject;
use crate::purchases::{Purchases, Sharded};
use crate::recurrence::{Funnel, Rule};
use crate::store::Found;

/// Below so many recurrent customers, other basket shares are shown.
const FEW: usize = 30;

/// What was read, and from where.
pub(super) struct Input<P = Purchases> {
    pub(super) ingested: Ingested<P>,
    pub(super) objects: Vec<InputObject>,
}

impl Input<Sharded> {
    /// With all purchases in memory.
    pub(super) fn whole(self) -> Result<Input> {
        Ok(Input { ingested: tokio::task::block_in_place(|| self.ingested.whole())?, objects: self.objects })
    }
}

/// Reads the configured input up to a night, with progress and warnings.
pub(super) async fn read(config: &Config, until: Option<AsOf>, output: &Output) -> Result<Input<Sharded>> {
    let uris = config.required_inputs()?;
    let progress = output.progress();
    let each = |of: usize, object: &Found| progress.stage(&format!("reading {} (of {of} objects)", object.uri));
    let (ingested, found) = ingest::read(uris, &config.input, until, config.memory_limit, &each).await?;
    drop(progress);
    ingested.warnings.iter().for_each(|warning| output.warn(warning));
    let objects = found.into_iter().map(|object| InputObject { object: object.uri, size: object.size, etag: object.etag }).collect();
    Ok(Input { ingested, objects })
}

/// The lines and the funnel as text.
pub(super) fn lines_and_funnel(report: &Report, funnel: &Funnel, rule: &Rule, night: AsOf) -> String {
    format!("{report}\n{}", funnel_text(funnel, rule, night))
}

/// The rule in words.
pub(super) fn rule_text(rule: &Rule) -> String {
    let share = if rule.basket_share >= 1.0 { "every one".to_owned() } else { format!("a share of {}", rule.basket_share) };
    let Rule { period_days, periods, min_purchases, min_products, .. } = rule;
    let window = match periods {
        1 => format!("in the last {}", counted(*period_days, "day")),
        periods => format!("in each of the last {periods} periods of {}", counted(*period_days, "day")),
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
            text.push_str(&format!("\n  few pass; --basket-share would let in  {}", shares.join("  ")));
        }
    }
    text
}
