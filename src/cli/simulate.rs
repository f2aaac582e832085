//! `okuo simulate`.

use serde_json::json;

use super::output::Output;
use super::{SimulateArguments, style};
use crate::error::{Error, Result};
use crate::simulate::{
    Order, Simulation, SimulationParameters, write_csv, write_csv_gz, write_parquet,
    write_truth_csv, write_truth_json,
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
    let simulation = Simulation::new(SimulationParameters {
        style: style(&arguments.style)?,
        seed: arguments.seed,
        customers: arguments.customers,
        products: arguments.products,
        start: arguments.start,
        days: arguments.days,
        utc_zone: arguments.utc_zone.clone(),
    })?;
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
    output.document(&json!({ "output": target, "lines": lines, "truth": arguments.truth }))
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
