//! Threads: how many may be started, and who gets them.
//!
//! Where processes or a container have a limit (`ulimit -u`, `pids.max`), a thread that cannot be
//! started would be a panic deep in a library, or a wait without end. So it is tried before anything
//! is done.

use std::sync::OnceLock;
use std::sync::mpsc::channel;
use std::thread::{Builder, available_parallelism};

use tokio::runtime::Runtime;

use crate::domain::words::counted;
use crate::error::{Error, Result};

/// Threads for reading and writing files and for the terminal, besides those that compute.
const HELPERS: usize = 6;

/// How many threads may compute; set before any does.
static FOR_COMPUTING: OnceLock<usize> = OnceLock::new();

/// Who gets how many threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shares {
    /// To wait for stores.
    runtime: usize,
    /// To compute.
    computing: usize,
}

impl Shares {
    /// Of as many as can be started, where each part would have one a core.
    ///
    /// # Errors
    /// If they are too few. Polars, which decodes Parquet, starts one a core whatever is said here.
    fn of(startable: usize, cores: usize) -> Result<Self> {
        let fixed = HELPERS + cores;
        let rest = startable.saturating_sub(fixed);
        if rest < 2 {
            return Err(Error::system(format!(
                "only {} can be started, and okuo needs {} on this machine",
                counted(startable as i64, "thread"),
                fixed + 2
            ))
            .hint("raise the limit on processes: ulimit -u, or pids.max of the container"));
        }
        let runtime = cores.min(rest / 2);
        Ok(Self {
            runtime,
            computing: rest - runtime,
        })
    }
}

/// The runtime of all commands, and with it what is left to compute.
///
/// # Errors
/// If too few threads can be started.
pub(super) fn runtime() -> Result<Runtime> {
    let cores = available_parallelism().map_or(1, usize::from);
    let wanted = HELPERS + 3 * cores;
    let startable = startable(wanted);
    let shares = Shares::of(startable, cores)?;
    if startable < wanted {
        let _ = FOR_COMPUTING.set(shares.computing);
    }
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(shares.runtime)
        .enable_all()
        .build()
        .map_err(|error| Error::system("the runtime could not be started").source(error))
}

/// Starts the threads that compute: so many, or one a core, and no more than there can be. There is
/// one pool for all runs of a process.
///
/// # Errors
/// If they cannot be started, or another number of them runs already.
pub(super) fn set(threads: Option<usize>) -> Result<()> {
    let cores = available_parallelism().map_or(1, usize::from);
    let most = FOR_COMPUTING.get().copied().unwrap_or(usize::MAX);
    let wanted = threads.unwrap_or(cores).min(most);
    let started = rayon::ThreadPoolBuilder::new()
        .num_threads(wanted)
        .build_global();
    let Err(error) = started else {
        return Ok(());
    };
    let run_already = std::error::Error::source(&error).is_none();
    if !run_already {
        return Err(Error::system("the threads could not be started")
            .source(error)
            .hint("give a smaller --threads, or raise the limit on processes: ulimit -u, or pids.max of the container"));
    }
    let running = rayon::current_num_threads();
    if threads.is_none() || wanted == running {
        return Ok(());
    }
    Err(Error::request(format!(
        "{wanted} threads are asked for, but {running} have been started in this process"
    ))
    .hint("give the same number of threads to all runs of a process"))
}

/// How many threads can be started at once, up to a number: as many as do start.
fn startable(most: usize) -> usize {
    let mut started = vec![];
    for _ in 0..most {
        let (end, wait) = channel::<()>();
        // It ends when the sender is dropped.
        match Builder::new()
            .stack_size(16 << 10)
            .spawn(move || wait.recv())
        {
            Ok(thread) => started.push((end, thread)),
            Err(_) => break,
        }
    }
    let count = started.len();
    for (end, thread) in started {
        drop(end);
        let _ = thread.join();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_threads_or_the_limit_is_told() {
        let shares = |startable| Shares::of(startable, 4).ok();
        let of = |runtime, computing| Some(Shares { runtime, computing });
        assert_eq!(shares(18), of(4, 4));
        assert_eq!(shares(12), of(1, 1));
        assert_eq!(shares(15), of(2, 3));
        let error = Shares::of(11, 4).unwrap_err().to_string();
        assert!(
            error.contains("only 11 threads") && error.contains("needs 12"),
            "{error}"
        );
        assert!(error.contains("ulimit -u"), "{error}");
    }

    #[test]
    fn threads_are_counted_as_they_start() {
        assert_eq!(startable(3), 3);
    }
}
