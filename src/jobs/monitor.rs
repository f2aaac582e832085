//! Monitor what was published: each night beside the tickets that followed it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::score::required_output;
use super::{Progress, Purpose, Tickets, compute, registry};
use crate::calendar::{AsOf, Day, HORIZON_DAYS};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::eval::{
    self, Figures, HELD_OUT_CUSTOMERS, MonitoredNight, NightRows, PromiseComparison, Verdict,
};
use crate::ingest::NeededDays;
use crate::publish::registry::Registry;
use crate::publish::runs::{published_nights, read_run};
use crate::publish::tables::read_predictions;
use crate::purchases::PartitionedHistory;
use crate::store::{self, Location};

/// The longest time for which a store is closed, in days, as far as the end of the data is concerned.
const CLOSED_DAYS: i32 = 14;

/// What is asked of [`monitor`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MonitorRequest {
    /// The first night; if `None`, the first that is published.
    pub from: Option<AsOf>,
    /// The last night; if `None`, the last that is published.
    pub to: Option<AsOf>,
}

/// What became of published nights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MonitorSummary {
    /// The nights that the tickets follow to the horizon, the oldest first.
    pub nights: Vec<MonitoredNight>,
    /// The models that predicted them, in the order of their first nights.
    pub models: Vec<MonitoredModel>,
    /// The nights that the tickets do not follow for so long yet.
    pub waiting: Vec<AsOf>,
    /// The last day with a purchase.
    pub last_day: Day,
}

/// A model beside its own backtest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MonitoredModel {
    /// Its id.
    pub model_id: String,
    /// How many nights it predicted.
    pub nights: usize,
    /// What its backtest promised, and what became of it. Empty if the registry does not have its
    /// figures.
    pub compared: Vec<PromiseComparison>,
}

impl MonitorSummary {
    /// The figures that are worse than promised, with the models.
    pub fn worse(&self) -> impl Iterator<Item = (&MonitoredModel, &PromiseComparison)> {
        self.models.iter().flat_map(|model| {
            let worse = model.compared.iter();
            let worse = worse.filter(|compared| compared.verdict == Verdict::Worse);
            worse.map(move |compared| (model, compared))
        })
    }
}

/// Compares the nights that are published below `config.output` with the configured tickets. A night
/// counts once the tickets follow it for 28 days.
///
/// # Errors
/// If no night is published, the tickets or a published table cannot be read, or the store fails.
/// Figures that are worse than promised are none.
pub async fn monitor(
    config: &Config,
    request: &MonitorRequest,
    progress: &dyn Progress,
) -> Result<MonitorSummary> {
    let output = store::open(required_output(config)?).await?;
    config.required_inputs()?;
    let nights = requested_nights(&output, request.from, request.to).await?;
    let first = nights.first().copied().unwrap_or(AsOf(Day::from_epoch(0)));
    let last = nights.last().copied().unwrap_or(first);
    let window = u32::try_from(config.rule.window_days()).unwrap_or_default();
    let days = NeededDays {
        // From there on, each customer of the first night has bought.
        first: Some(first.first_of(window)),
        // No later day is needed, and one by a till whose clock is wrong would look like the end of
        // the data. A closed day or two must not hide that the horizon is over.
        until: Some(AsOf(last.day() + HORIZON_DAYS + CLOSED_DAYS)),
    };
    let tickets = Tickets::read(config, days, Purpose::Scoring, progress).await?;
    let span = compute(|| PartitionedHistory::all(&*tickets.partitions).span())?;
    let last_day = span
        .map(|span| span.last)
        .ok_or_else(|| tickets.lines.no_purchase(&format!(" from {first} on")))?;
    let (followed, waiting): (Vec<AsOf>, Vec<AsOf>) = nights
        .into_iter()
        .partition(|night| last_day - night.day() >= HORIZON_DAYS);
    let mut monitored = vec![];
    let mut rows = BTreeMap::<String, Vec<NightRows>>::new();
    for night in followed {
        progress.stage(&format!("measuring the night of {night}"));
        let (summary, measured) = measure(&output, night, &tickets).await?;
        if summary.unknown > 0 {
            progress.warning(&format!(
                "{night}: {} of {} customers are not in the tickets and are left out",
                summary.unknown, summary.customers
            ));
        }
        rows.entry(summary.model_id.clone())
            .or_default()
            .push(measured);
        monitored.push(summary);
    }
    let registry = registry::open(&config.registry).await?;
    Ok(MonitorSummary {
        models: compare_models(&registry, rows, progress).await?,
        nights: monitored,
        waiting,
        last_day,
    })
}

/// The published nights that were asked for.
pub(super) async fn requested_nights(
    output: &Location,
    from: Option<AsOf>,
    to: Option<AsOf>,
) -> Result<Vec<AsOf>> {
    let all = published_nights(output).await?;
    let mut nights = all.clone();
    nights
        .retain(|night| from.is_none_or(|from| from <= *night) && to.is_none_or(|to| *night <= to));
    if !nights.is_empty() {
        return Ok(nights);
    }
    let error = Error::not_found("none of the nights is published").object(output.name());
    Err(match (all.first(), all.last()) {
        (Some(first), Some(last)) => error.hint(format!(
            "nights from {first} to {last} are: check --from and --to"
        )),
        _ => error.hint("check --output; publish nights with `okuo score --from DATE --to DATE`"),
    })
}

/// A night beside what followed, and its rows, without the products that were listed, which are many.
async fn measure(
    output: &Location,
    night: AsOf,
    tickets: &Tickets,
) -> Result<(MonitoredNight, NightRows)> {
    let (manifest, tables) = read_run(output, night).await?;
    compute(|| {
        let predictions = read_predictions(&manifest, &tables)?;
        let partitions = &*tickets.partitions;
        let (night, rows) = eval::monitor_night(predictions, partitions, HELD_OUT_CUSTOMERS)?;
        let rows = NightRows {
            listed_products: vec![],
            ..rows
        };
        Ok((night, rows))
    })
}

/// Each model beside its backtest.
async fn compare_models(
    registry: &Registry,
    rows: BTreeMap<String, Vec<NightRows>>,
    progress: &dyn Progress,
) -> Result<Vec<MonitoredModel>> {
    let mut models = vec![];
    for (model_id, rows) in rows {
        let promised = promised(registry, &model_id, progress).await?;
        let compared =
            promised.map(|promised| compute(|| eval::compare_with_promise(&rows, &promised)));
        models.push((
            rows.first().map(|night| night.as_of),
            MonitoredModel {
                model_id,
                nights: rows.len(),
                compared: compared.unwrap_or_default(),
            },
        ));
    }
    models.sort_by_key(|(first, _)| *first);
    Ok(models.into_iter().map(|(_, model)| model).collect())
}

/// The figures of a model's own backtest. That they are not known is a warning.
async fn promised(
    registry: &Registry,
    model_id: &str,
    progress: &dyn Progress,
) -> Result<Option<Figures>> {
    let why = match registry.card(model_id).await {
        Ok(card) => {
            let figures = card.header.description.figures.get(eval::OKUO).cloned();
            match figures.map(serde_json::from_value::<Figures>) {
                Some(Ok(figures)) => return Ok(Some(figures)),
                _ => "it could not be measured when it was trained".to_owned(),
            }
        }
        Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Input | Kind::Request) => {
            error.to_string()
        }
        Err(error) => return Err(error),
    };
    progress.warning(&format!(
        "what the model {model_id} promised is not known, and is not compared: {why}"
    ));
    Ok(None)
}
