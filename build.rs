//! Tells the program from which commit it is built, and the library for which machine.
//!
//! The commit is that of `OKUO_BUILD_COMMIT` where it is set, as in the build of a container, to
//! which the folder `.git` does not belong. Otherwise git is asked. Only the program has the commit
//! in it: a new commit compiles nothing of the library anew that has not changed.

#![allow(clippy::print_stdout, reason = "cargo reads it")]

use std::path::Path;
use std::process::Command;

/// Names the commit where there is no git.
const VARIABLE: &str = "OKUO_BUILD_COMMIT";

/// So many digits of a commit are enough.
const DIGITS: usize = 12;

/// What the program is made of: other changes do not make a build another one.
const SOURCES: [&str; 5] = ["src", "data", "build.rs", "Cargo.toml", "Cargo.lock"];

/// What marks a commit whose sources have been changed since.
const DIRTY: &str = "-dirty";

fn main() -> Result<(), String> {
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    let commit = match std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        Some(named) => shortened(&named.to_string_lossy())?,
        None => commit_of_git().unwrap_or_else(|| "unknown".to_owned()),
    };
    println!("cargo:rustc-env=BUILD_COMMIT={commit}");
    println!("cargo:rustc-env=BUILD_FEATURES={}", features().join(","));
    for (name, value) in [
        ("BUILD_TARGET", std::env::var("TARGET").ok()),
        ("BUILD_RUSTC", rustc()),
    ] {
        println!(
            "cargo:rustc-env={name}={}",
            value.as_deref().unwrap_or("unknown")
        );
    }
    Ok(())
}

/// A commit as it was named, with as many digits as git is asked for. The mark of changes stays.
pub(crate) fn shortened(named: &str) -> Result<String, String> {
    let (commit, mark) = match named.strip_suffix(DIRTY) {
        Some(commit) => (commit, DIRTY),
        None => (named, ""),
    };
    if commit.is_empty() || !commit.chars().all(is_plain) {
        return Err(format!(
            "{VARIABLE} is {named:?}, which names no commit; give the output of `git rev-parse HEAD`, or leave it empty"
        ));
    }
    Ok(commit.chars().take(DIGITS).chain(mark.chars()).collect())
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-._".contains(letter)
}

/// The features that are turned on, in the order of the alphabet.
fn features() -> Vec<String> {
    let mut features: Vec<String> = std::env::vars()
        .filter_map(|(name, _)| name.strip_prefix("CARGO_FEATURE_").map(str::to_owned))
        .map(|name| name.to_lowercase().replace('_', "-"))
        .filter(|name| name != "default")
        .collect();
    features.sort_unstable();
    features
}

fn rustc() -> Option<String> {
    let rustc = std::env::var_os("RUSTC")?;
    output(Command::new(rustc).arg("--version"))
}

/// The commit of the working tree, marked if the sources have been changed since. Cargo runs this
/// again when the commit or the sources change.
fn commit_of_git() -> Option<String> {
    let head = git(&[
        "rev-parse",
        "--verify",
        &format!("--short={DIGITS}"),
        "HEAD",
    ])?;
    // A crate that was unpacked inside another project's tree is none of that project's commits.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    let branch = git(&["symbolic-ref", "-q", "HEAD"]);
    // A commit appends to the log of HEAD, a checkout writes HEAD. Where git keeps no log, the branch
    // tells. A path that does not exist would run this at each build.
    let of_git = ["HEAD", "logs/HEAD"].into_iter().chain(branch.as_deref());
    for path in of_git.filter_map(|name| git(&["rev-parse", "--git-path", name])) {
        watch(&path);
    }
    for source in SOURCES {
        watch(source);
    }
    let status = ["status", "--porcelain", "--untracked-files=normal", "--"];
    let changes = git(&[&status[..], &SOURCES].concat())?;
    Some(match changes.is_empty() {
        true => head,
        false => format!("{head}{DIRTY}"),
    })
}

fn watch(path: &str) {
    if Path::new(path).exists() {
        println!("cargo:rerun-if-changed={path}");
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    output(Command::new("git").args(arguments))
}

/// What a command prints; nothing if it fails or is not there.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
