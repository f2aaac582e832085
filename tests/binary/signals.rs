//! Runs that are told to end, and places that must not be left or cannot be written.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::sandbox::{NIGHT, Run, Sandbox, TRAINED};

#[test]
fn a_run_that_is_told_to_end_ends_at_once_and_leaves_nothing() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let sandbox = Sandbox::empty();
        // More than can be written in the time of this test.
        let many = [
            "simulate",
            "--customers",
            "2000000",
            "--days",
            "900",
            "--output",
            "tickets.csv",
        ];
        let mut run = sandbox
            .command(&many)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while sandbox.files("").is_empty() {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "nothing is written"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        let process = run.id().to_string();
        let told = std::process::Command::new("kill")
            .args([signal, &process])
            .status()
            .unwrap();
        assert!(told.success());
        let status = run.wait().unwrap();
        assert_eq!(status.code(), Some(code));
        let left: Vec<String> = sandbox
            .files("")
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(left, Vec::<String>::new());
        let mut told = String::new();
        std::io::Read::read_to_string(&mut run.stderr.take().unwrap(), &mut told).unwrap();
        assert!(
            told.contains(&format!("stopped by SIG{}", &signal[1..])),
            "{told}"
        );
    }
}

#[test]
fn temporary_files_of_killed_runs_are_swept_after_a_day() {
    let sandbox = Sandbox::empty();
    let day = Duration::from_secs(24 * 3600);
    for (name, age) in [
        (".okuo-put-old", 2 * day),
        (".okuo-put-new", day / 2),
        ("other", 2 * day),
    ] {
        sandbox.write(name, "x");
        let file = std::fs::File::options()
            .write(true)
            .open(sandbox.path(name))
            .unwrap();
        file.set_modified(std::time::SystemTime::now() - age)
            .unwrap();
    }
    let few = [
        "simulate",
        "--customers",
        "5",
        "--days",
        "5",
        "--output",
        "tickets.csv",
    ];
    sandbox.okuo(&few).done();
    let left: Vec<String> = sandbox
        .files("")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(left, [".okuo-put-new", "other", "tickets.csv"]);
}

fn score_into(sandbox: &Sandbox, output: &str, more: &[&str]) -> Run {
    let night = ["score", "-i", "tickets.csv", "--as-of", NIGHT, "-o", output];
    sandbox.okuo(&[&night, more].concat())
}

fn score(sandbox: &Sandbox, more: &[&str]) -> Run {
    score_into(sandbox, "out", more)
}

#[test]
fn nothing_behind_a_link_is_removed() {
    let sandbox = Sandbox::trained();
    sandbox.write("elsewhere/customers.parquet", "mine");
    for limit in ["4", "5", "6", "7"] {
        score(&sandbox, &["--min-purchases", limit]).done();
        // Somebody plants a run that is a link.
        let link = sandbox.path(&format!("out/as_of={NIGHT}/run=0123456789ab"));
        if !link.is_symlink() {
            symlink(sandbox.path("elsewhere"), link).unwrap();
        }
    }
    assert_eq!(sandbox.read("elsewhere/customers.parquet"), b"mine");
}

#[test]
fn a_file_that_okuo_did_not_publish_is_not_removed() {
    let sandbox = Sandbox::trained();
    let foreign = format!("out/as_of={NIGHT}/run=0123456789ab/notes.txt");
    for least in ["4", "5", "6", "7"] {
        score(&sandbox, &["--min-purchases", least]).done();
        sandbox.write(&foreign, "mine");
    }
    assert_eq!(sandbox.read(&foreign), b"mine");
}

#[test]
fn what_cannot_be_written_is_told_before_the_work() {
    let sandbox = Sandbox::trained();
    std::fs::create_dir(sandbox.path("out")).unwrap();
    let set = |mode| {
        let folder = sandbox.path("out");
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(0o555);
    let may_write_all_the_same = std::fs::write(sandbox.path("out/x"), "x").is_ok();
    if !may_write_all_the_same {
        let run = score(&sandbox, &[]);
        run.failed(2);
        assert!(run.err.contains("permission denied"), "{run}");
        assert!(!run.err.contains("lines"), "{run}");
    }
    set(0o755);
    // A folder that the system lets nobody write, not even root.
    let run = score_into(&sandbox, "/proc/okuo", &[]);
    run.failed(2);
    assert!(run.err.contains("cannot be written"), "{run}");
    let train = [
        "train",
        "--input",
        "tickets.csv",
        "--as-of",
        TRAINED,
        "--registry",
        "/proc/okuo",
    ];
    let run = sandbox.okuo(&train);
    run.failed(2);
    assert!(run.err.contains("cannot be written"), "{run}");
}
