//! The okuo binary: parse, run, map an error to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| okuo::cli::output::panic(&panic.to_string().replace('\n', " "))));
    // A panic is a failure of okuo: exit code 2, like every other one.
    let code = std::panic::catch_unwind(|| okuo::cli::run(std::env::args_os())).unwrap_or(2);
    ExitCode::from(code)
}
