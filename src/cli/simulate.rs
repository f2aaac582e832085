//! `okuo simulate`.

use serde_json::json;

use super::output::Output;
use super::{SimulateArguments, style};
use crate::domain::words::counted;
use crate::error::{Error, Result};
use crate::jobs::{self, Progress};
use crate::offers::Strategy;
use crate::simulate::{
    CampaignTruth, Order, PlantedUplift, Simulation, SimulationParameters, StrategyTruth,
    write_csv, write_csv_gz, write_parquet, write_truth_csv, write_truth_json,
};
use crate::store::{self, ObjectWriter, PutMode};

/// The strongest level of gzip: the file is written once and read often.
const GZIP_LEVEL: u32 = 9;
/// Days of a chunk of lines.
const DAYS_PER_CHUNK: u32 = 16;
/// Customers of a chunk of lines, with `--by-customer`.
const CUSTOMERS_PER_CHUNK: u32 = 256;

pub(super) async fn run(arguments: SimulateArguments, output: &Output) -> Result<()> {
    arguments.screen.settings()?;
    let simulation = store_of(&arguments)?;
    let target = arguments.output.as_str();
    // Both names are checked before the first line is written.
    let format = ending(target, &[".parquet", ".csv.gz", ".csv"])?;
    let truth = arguments
        .truth
        .as_deref()
        .map(|truth| Ok((truth, ending(truth, &[".json", ".csv"])?)))
        .transpose()?;
    [Some(target), arguments.truth.as_deref()]
        .into_iter()
        .flatten()
        .try_for_each(store::check_file)?;
    let order = if arguments.by_customer {
        Order::Customers(CUSTOMERS_PER_CHUNK)
    } else {
        Order::Days(DAYS_PER_CHUNK)
    };
    let progress = output.progress();
    let (simulation, campaign) = reacting(simulation, &arguments, &progress).await?;
    progress.stage(&format!(
        "writing about {} lines",
        simulation.estimated_lines()
    ));
    let lines = write(target, |writer| match format {
        ".parquet" => write_parquet(&simulation, order, writer),
        ".csv.gz" => write_csv_gz(&simulation, order, GZIP_LEVEL, writer),
        _ => write_csv(&simulation, order, writer),
    })
    .await?;
    match truth {
        Some((truth, ".json")) => {
            write(truth, |writer| write_truth_json(&simulation, writer)).await?
        }
        Some((truth, _)) => write(truth, |writer| write_truth_csv(&simulation, writer)).await?,
        None => 0,
    };
    drop(progress);
    output.text(&format!(
        "{target}: {lines} lines of {} customers",
        arguments.customers
    ))?;
    if let Some(campaign) = &campaign {
        output.text(&campaign_text(campaign))?;
    }
    let mut document = json!({ "output": target, "lines": lines, "truth": arguments.truth });
    if let Some(campaign) = campaign {
        document["campaign"] = json!(campaign);
    }
    output.document(&document)
}

/// The store with customers who react to the offers that were published for them, if there are any,
/// and what is true of these.
async fn reacting(
    simulation: Simulation,
    arguments: &SimulateArguments,
    progress: &dyn Progress,
) -> Result<(Simulation, Option<CampaignTruth>)> {
    let Some(uri) = &arguments.campaign else {
        return Ok((simulation, None));
    };
    let uplift = planted(arguments)?;
    let parameters = simulation.parameters();
    let last = arguments.until.unwrap_or(parameters.last_day());
    let offers = jobs::simulated_campaign(uri, last, parameters, progress).await?;
    let (simulation, truth) = simulation.with_campaign(&offers, uplift)?;
    Ok((simulation, Some(truth)))
}

/// The simulated store, up to the last day to write.
fn store_of(arguments: &SimulateArguments) -> Result<Simulation> {
    let simulation = Simulation::new(SimulationParameters {
        style: style(&arguments.style)?,
        seed: arguments.seed,
        customers: arguments.customers,
        products: arguments.products,
        start: arguments.start,
        days: arguments.days,
        utc_zone: arguments.utc_zone.clone(),
    })?;
    match arguments.until {
        Some(until) if until < arguments.start => Err(Error::request(format!(
            "the days end on {until}, before they begin on {}",
            arguments.start
        ))
        .hint("give a later --until, or an earlier --start")),
        Some(until) => Ok(simulation.until(until)),
        None => Ok(simulation),
    }
}

/// The uplift that --uplift plants.
fn planted(arguments: &SimulateArguments) -> Result<PlantedUplift> {
    let mut planted = PlantedUplift {
        come: arguments.uplift_come,
        ..PlantedUplift::NONE
    };
    for given in &arguments.uplift {
        let parts = given.split_once('=');
        let parsed = parts.and_then(|(strategy, probability)| {
            Some((
                Strategy::of_word(strategy.trim())?,
                probability.trim().parse().ok()?,
            ))
        });
        let Some((strategy, probability)) = parsed else {
            return Err(
                Error::request(format!("\"{given}\" is no uplift of a strategy")).hint(
                    "write it as overdue=0.15; the strategies are likely, overdue, winback and new",
                ),
            );
        };
        planted = planted.with(strategy, probability);
    }
    Ok(planted)
}

/// What the offers brought in truth.
fn campaign_text(campaign: &CampaignTruth) -> String {
    let strategies = campaign.strategies.iter();
    let mut text: Vec<String> = strategies.map(StrategyTruth::in_words).collect();
    if campaign.unfinished > 0 {
        text.push(format!(
            "{} not counted: the simulated history ends before they do",
            counted(campaign.unfinished as i64, "offer")
        ));
    }
    text.join("\n")
}

/// Which of the endings a name has.
fn ending(name: &str, endings: &[&'static str]) -> Result<&'static str> {
    endings
        .iter()
        .copied()
        .find(|ending| name.ends_with(ending))
        .ok_or_else(|| {
            Error::request(format!("{name} ends with nothing that can be written"))
                .hint(format!("end it with {}", endings.join(" or ")))
        })
}

/// Streams an object to `target`, and returns what `content` counted.
async fn write(
    target: &str,
    content: impl FnOnce(&mut ObjectWriter) -> Result<u64>,
) -> Result<u64> {
    let mut writer = store::open(target).await?.writer("").await?;
    let count = tokio::task::block_in_place(|| content(&mut writer))
        .map_err(|error| error.object(target))?;
    writer.commit(PutMode::Overwrite).await?;
    Ok(count)
}
