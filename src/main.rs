//! The okuo binary: parse, run, map an error to an exit code.

use std::process::ExitCode;
use std::sync::Mutex;

fn main() -> ExitCode {
    // A damaged file may panic in a library, where it is caught and becomes an error: only what
    // reaches this place is told.
    static PANIC: Mutex<String> = Mutex::new(String::new());
    std::panic::set_hook(Box::new(|panic| {
        if let Ok(mut text) = PANIC.lock() {
            *text = panic.to_string().replace('\n', " ");
        }
    }));
    // A panic is a failure of okuo like every other one.
    okuo::record::set_commit(env!("BUILD_COMMIT"));
    let code =
        std::panic::catch_unwind(|| okuo::cli::run(std::env::args_os())).unwrap_or_else(|_| {
            okuo::cli::output::panic(&PANIC.lock().map(|text| text.clone()).unwrap_or_default());
            okuo::error::ExitCode::Failed.number()
        });
    ExitCode::from(code)
}
