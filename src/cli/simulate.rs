//! `okuo simulate`.

use std::io::{BufWriter, Write};

use serde_json::json;

use super::output::Output;
use super::{SimulateArguments, style};
use crate::error::{Error, Result};
use crate::simulate::{
    Order, Parameters, Simulation, write_csv, write_csv_gz, write_parquet, write_truth_csv,
    write_truth_json,
};
use crate::store::{self, PutMode};

/// gzip's strongest level: the file is written once and read often.
const GZIP_LEVEL: u32 = 9;
/// Days, or customers, that are generated at a time.
const CHUNK: u32 = 16;

pub(super) async fn run(arguments: SimulateArguments, output: &Output) -> Result<()> {
    arguments.screen.settings()?;
    let simulation = Simulation::new(Parameters {
        style: style(&arguments.style)?,
        seed: arguments.seed,
        customers: arguments.customers,
        products: arguments.products,
        start: arguments.start,
        days: arguments.days,
        utc_zone: arguments.utc_zone.clone(),
    })?;
    let target = arguments.output.as_str();
    // Both names are looked at before the first line is written.
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
        Order::Customers(256)
    } else {
        Order::Days(CHUNK)
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

/// Streams into a temporary file, which then becomes the object as a whole.
async fn write(target: &str, content: impl FnOnce(&mut dyn Write) -> Result<u64>) -> Result<u64> {
    let failed = |error: std::io::Error| {
        Error::system("it cannot be written")
            .object(target)
            .source(error)
    };
    let remote = target.contains("://");
    let folder = std::path::Path::new(target)
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty() && !remote);
    let mut builder = tempfile::Builder::new();
    // A temporary file is its owner's alone; what it becomes is an ordinary file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = match folder {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(failed)?;
            builder.tempfile_in(folder)
        }
        None if remote => builder.tempfile(),
        None => builder.tempfile_in("."),
    }
    .map_err(failed)?;
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    let lines = tokio::task::block_in_place(|| content(&mut writer))?;
    let file = writer
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    if remote {
        let (folder, name) = target.rsplit_once('/').unwrap_or(("", target));
        let content = tokio::task::block_in_place(|| {
            let mut content = vec![];
            std::io::Read::read_to_end(&mut file.reopen()?, &mut content).map(|_| content)
        });
        store::open(folder)
            .await?
            .put(name, content.map_err(failed)?.into(), PutMode::Overwrite)
            .await?;
    } else {
        file.as_file().sync_all().map_err(failed)?;
        file.persist(target).map_err(|error| failed(error.error))?;
    }
    Ok(lines)
}
