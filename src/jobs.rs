//! What okuo does for its users: train, score, explain, evaluate, and keep models.
//!
//! Each job is one function. It takes a checked [`Config`](crate::config::Config) and a request,
//! and returns plain values. It prints nothing, never ends the process, and tells a [`Progress`]
//! what it is doing. The command line, a Lambda function and a notebook call the same functions.
//!
//! The jobs are async and need a tokio runtime. They compute on rayon's global thread pool. On a
//! runtime with several threads, other tasks go on while a job computes. [`blocking`] has the same
//! jobs for callers without a runtime.
//!
//! [`train_on`], [`score_on`] and [`evaluate_on`] do the same with [`Tickets`] that are already in
//! memory.

pub mod blocking;
mod campaign;
mod check;
mod evaluate;
mod explain;
mod guards;
mod init;
mod lift;
mod model_history;
mod monitor;
mod plan;
mod progress;
mod registry;
mod score;
mod score_range;
mod sent;
mod stage_clock;
mod tickets;
mod train;

use tokio::runtime::{Handle, RuntimeFlavor};

pub use campaign::simulated_campaign;
pub use check::{CheckRequest, CheckSummary, check};
pub use evaluate::{EvaluateRequest, EvaluateSummary, evaluate, evaluate_on};
pub use explain::{ExplainRequest, ExplainedCustomer, ExplainedOffer, explain};
pub use guards::refusal;
pub use init::{InitRequest, InitSummary, TicketFacts, init};
pub use lift::{LiftRequest, LiftSummary, SentAsDrawn, lift};
pub use model_history::{
    ListedPromotion, PromotionHistory, RemoveOptions, RemovedModel, delete_model,
    promotion_history, prune_models, roll_back,
};
pub use monitor::{MonitorRequest, MonitorSummary, MonitoredModel, monitor};
pub use plan::{DayCounts, PlanRequest, PlanSummary, PlannedDay, plan};
pub use progress::{Progress, Silent};
pub use registry::{
    AS_OF_MODEL, ListedModel, ModelList, PromotedModel, ShownModel, StoredModel, list_models,
    load_model, promote_model, show_model,
};
pub use score::{
    ExampleCustomer, ExampleProduct, KeptPlan, ScoreRequest, ScoreSummary, score, score_on,
};
pub use score_range::{NightOutcome, ScoreRangeRequest, score_range};
pub use tickets::{Purpose, Tickets};
pub use train::{TrainSummary, train, train_on};

/// Runs a long computation. On a runtime with several threads, other tasks go on meanwhile.
fn compute<T>(work: impl FnOnce() -> T) -> T {
    let others_go_on = Handle::try_current()
        .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if others_go_on {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}

#[cfg(test)]
mod tests;
