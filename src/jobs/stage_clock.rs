//! How long the stages of a job take, and how much it reads: for the record, and nothing else.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::record::{Build, Measured, Stage};
use crate::stats::rounded;
use crate::store::{InputObject, peak_memory_bytes};

/// Seconds are kept with so many decimals.
const DECIMALS: usize = 3;

/// Measures a job.
pub(super) struct StageClock(Mutex<ClockState>);

struct ClockState {
    started: Instant,
    stage: Stage,
    since: Instant,
    seconds: BTreeMap<Stage, f64>,
    objects: u64,
    bytes: u64,
}

#[allow(
    clippy::disallowed_methods,
    reason = "what is measured stands in the record of the run, and decides nothing"
)]
fn now() -> Instant {
    Instant::now()
}

impl StageClock {
    /// The job begins.
    pub(super) fn start() -> Self {
        let now = now();
        Self(Mutex::new(ClockState {
            started: now,
            stage: Stage::Prepare,
            since: now,
            seconds: BTreeMap::new(),
            objects: 0,
            bytes: 0,
        }))
    }

    fn state(&self) -> MutexGuard<'_, ClockState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The job goes on with a stage, which it may have been in before.
    pub(super) fn enter(&self, stage: Stage) {
        self.state().enter(stage);
    }

    /// The job begins to read an object: then all are found.
    pub(super) fn object(&self, object: &InputObject) {
        let mut state = self.state();
        if state.stage == Stage::List {
            state.enter(Stage::Read);
        }
        state.objects += 1;
        state.bytes += object.size;
    }

    /// What has been measured so far.
    pub(super) fn measured(&self) -> Measured {
        let mut state = self.state();
        let stage = state.stage;
        state.enter(stage);
        let seconds = state.seconds.iter();
        Measured {
            build: Build::current(),
            stage: Some(stage.name().to_owned()),
            total_seconds: Some(rounded(
                (state.since - state.started).as_secs_f64(),
                DECIMALS,
            )),
            seconds: seconds
                .map(|(stage, seconds)| (stage.name().to_owned(), rounded(*seconds, DECIMALS)))
                .collect(),
            objects_read: state.objects,
            bytes_read: state.bytes,
            peak_memory_bytes: peak_memory_bytes(),
        }
    }
}

impl ClockState {
    fn enter(&mut self, stage: Stage) {
        let now = now();
        *self.seconds.entry(self.stage).or_default() += (now - self.since).as_secs_f64();
        (self.stage, self.since) = (stage, now);
    }
}
