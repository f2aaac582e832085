//! The okuo binary: parse, run, map an error to an exit code.

fn main() -> std::process::ExitCode {
    okuo::cli::main(env!("BUILD_COMMIT"))
}
