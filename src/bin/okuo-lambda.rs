//! okuo as a Lambda function. Where Lambda's runtime API is not named, it is the program okuo
//! itself, so that one file is enough for an image that serves both.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use okuo::cli::lambda;
use serde_json::Value;
use tower::util::MapResponseLayer;

/// The variable by which Lambda says that it is there.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// Whether a run that was given up may still be computing.
static IS_ABANDONED: AtomicBool = AtomicBool::new(false);

/// A failed invocation, in Lambda's form.
#[derive(Debug)]
struct Refusal(lambda::Failure);

impl From<Refusal> for Diagnostic {
    fn from(Refusal(failure): Refusal) -> Self {
        Self {
            error_type: failure.error_type,
            error_message: failure.error_message,
        }
    }
}

fn main() -> ExitCode {
    okuo::record::set_commit(env!("BUILD_COMMIT"));
    if std::env::var_os(RUNTIME_API).is_none() {
        return okuo::cli::main(env!("BUILD_COMMIT"));
    }
    let ended = lambda::start().and_then(|runtime| runtime.block_on(serve()));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            okuo::cli::output::error(&error, true);
            ExitCode::from(error.exit_code())
        }
    }
}

async fn serve() -> okuo::error::Result<()> {
    Runtime::new(service_fn(handle))
        // The outermost layer: it is reached when the answer has been sent.
        .layer(MapResponseLayer::new(|()| end_if_abandoned()))
        .run()
        .await
        .map_err(|error| {
            let unreachable = "the runtime API of Lambda cannot be reached";
            okuo::error::Error::system(unreachable).source(error)
        })
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Refusal> {
    let LambdaEvent { payload, context } = event;
    let remaining = remaining(context.deadline);
    let answer = lambda::answer(payload, &context.request_id, remaining).await;
    answer.map_err(|failure| {
        IS_ABANDONED.store(failure.is_abandoned, Ordering::SeqCst);
        Refusal(failure)
    })
}

/// How long an invocation may still take. The deadline is in milliseconds since 1970; test benches
/// that know none say 0.
#[allow(
    clippy::disallowed_methods,
    reason = "a deadline is a matter of the clock; nothing that is computed depends on it"
)]
fn remaining(deadline: u64) -> Duration {
    if deadline == 0 {
        return Duration::MAX;
    }
    let end = SystemTime::UNIX_EPOCH + Duration::from_millis(deadline);
    end.duration_since(SystemTime::now()).unwrap_or_default()
}

/// A run that was given up computes on, and would take the next one's processors and memory: Lambda
/// starts a new process for that.
fn end_if_abandoned() {
    if IS_ABANDONED.load(Ordering::SeqCst) {
        okuo::store::remove_temporary_files();
        std::process::exit(okuo::error::ExitCode::Failed.number().into());
    }
}
