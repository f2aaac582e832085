//! `okuo simulate`.

use std::io::{BufWriter, Write};

use serde_json::json;

use super::output::Output;
use super::{SimulateArguments, set_threads, style};
use crate::error::{Error, Result};
use crate::simulate::{Order, Parameters, Simulation, write_csv, write_csv_gz, write_parquet, write_truth_csv, write_truth_json};
use crate::store::{self, PutMode};

/// gzip's strongest level: the file is written once and read often.
const GZIP_LEVEL: u32 = 9;
/// Days, or customers, that are generated at a time.
const CHUNK: u32 = 16;

pub(super) async fn run(arguments: SimulateArguments, output: &Output) -> Result<()> {
    set_threads(arguments.screen.threads)?;
    let simulation = Simulation::new(Parameters {
        style: style(&arguments.style)?,
        seed: arguments.seed,
        customers: arguments.customers,
        products: arguments.products,
        start: arguments.start,
        days: arguments.days,
        utc_zone: arguments.utc_zone.clone(),
        ..Parameters::default()
    })?;
    let order = if arguments.by_customer { Order::Customers(256) } else { Order::Days(CHUNK) };
    let progress = output.progress();
    progress.stage(&format!("writing about {} lines", simulation.estimated_lines()));
    let target = arguments.output.as_str();
    let lines = if target.ends_with(".parquet") {
        write(target, |writer| write_parquet(&simulation, order, writer)).await?
    } else if target.ends_with(".csv.gz") {
        write(target, |writer| write_csv_gz(&simulation, order, GZIP_LEVEL, writer)).await?
    } else if target.ends_with(".csv") {
        write(target, |writer| write_csv(&simulation, order, writer)).await?
    } else {
        return Err(Error::request(format!("{target} ends with nothing that can be written")).hint("end it with .csv, .csv.gz or .parquet"));
    };
    if let Some(truth) = arguments.truth.as_deref() {
        if truth.ends_with(".csv") {
            write(truth, |writer| write_truth_csv(&simulation, writer)).await?;
        } else if truth.ends_with(".json") {
            write(truth, |writer| write_truth_json(&simulation, writer)).await?;
        } else {
            return Err(Error::request(format!("{truth} ends with nothing that can be written")).hint("end it with .csv or .json"));
        }
    }
    drop(progress);
    output.text(&format!("{target}: {lines} lines of {} customers", arguments.customers))?;
    output.document(&json!({ "output": target, "lines": lines, "truth": arguments.truth }))
}

/// Streams into a temporary file, which then becomes the object as a whole.
async fn write(target: &str, content: impl FnOnce(&mut dyn Write) -> Result<u64>) -> Result<u64> {
    let failed = |error: std::io::Error| Error::system("it cannot be written").object(target).source(error);
    let remote = target.contains("://");
    let folder = std::path::Path::new(target).parent().filter(|folder| !folder.as_os_str().is_empty() && !remote);
    let file = match folder {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(failed)?;
            tempfile::NamedTempFile::new_in(folder)
        }
        None if remote => tempfile::NamedTempFile::new(),
        None => tempfile::NamedTempFile::new_in("."),
    }
    .map_err(failed)?;
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    let lines = tokio::task::block_in_place(|| content(&mut writer))?;
    let file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
    if remote {
        let (folder, name) = target.rsplit_once('/').unwrap_or(("", target));
        let content = tokio::task::block_in_place(|| {
            let mut content = vec![];
            std::io::Read::read_to_end(&mut file.reopen()?, &mut content).map(|_| content)
        });
        store::open(folder).await?.put(name, content.map_err(failed)?.into(), PutMode::Overwrite).await?;
    } else {
        file.as_file().sync_all().map_err(failed)?;
        file.persist(target).map_err(|error| failed(error.error))?;
    }
    Ok(lines)
}
