//! What happens when the process is told to end.

use std::time::Duration;

use super::output;
use crate::error::ExitCode;
use crate::store::remove_temporary_files;

/// How long stderr may take for the last message.
const LONGEST_MESSAGE: Duration = Duration::from_millis(500);

/// Waits for a signal to end, and ends the process at once, without its temporary files. What was
/// published stands: nothing is published in part.
///
/// A handler is needed where okuo is the first process of a container: the system delivers such a
/// process no signal that it does not handle.
pub(super) async fn end_when_told() {
    let Some((code, signal)) = signal().await else {
        return;
    };
    remove_temporary_files();
    // Who reads stderr may be gone or stuck: that must not keep the process.
    let (told, is_told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        output::stopped(signal);
        let _ = told.send(());
    });
    let _ = is_told.recv_timeout(LONGEST_MESSAGE);
    std::process::exit(code.number().into());
}

#[cfg(unix)]
async fn signal() -> Option<(ExitCode, &'static str)> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).ok()?;
    let mut interrupt = signal(SignalKind::interrupt()).ok()?;
    tokio::select! {
        told = terminate.recv() => told.map(|()| (ExitCode::Terminated, "SIGTERM")),
        told = interrupt.recv() => told.map(|()| (ExitCode::Interrupted, "SIGINT")),
    }
}

#[cfg(not(unix))]
async fn signal() -> Option<(ExitCode, &'static str)> {
    let told = tokio::signal::ctrl_c().await;
    told.ok().map(|()| (ExitCode::Interrupted, "Ctrl-C"))
}
