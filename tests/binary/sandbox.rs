//! A folder of its own for each test, and the binary run in it with an environment of its own.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use okuo::simulate::{Order, Simulation, SimulationParameters, write_csv, write_parquet};

/// The night that [`Sandbox::trained`] trains for; the tickets end on 2024-07-18.
pub(crate) const TRAINED: &str = "2024-06-30";
/// A night that its model scores.
pub(crate) const NIGHT: &str = "2024-07-10";

/// Small models, so that tests are quick, and a rule that many meet.
pub(crate) const SETTINGS: &str = "\
[rule]
basket_share = 0.3
[training.timing.boosting]
trees = 5
leaves = 8
[training.basket.boosting]
trees = 5
leaves = 8
";

fn simulation() -> Simulation {
    let start = "2024-01-01".parse().unwrap();
    Simulation::new(SimulationParameters {
        customers: 60,
        products: 120,
        start,
        days: 200,
        seed: 3,
        ..SimulationParameters::default()
    })
    .unwrap()
}

/// 200 days of a small store as CSV.
pub(crate) static TICKETS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut bytes = vec![];
    write_csv(&simulation(), Order::Days(16), &mut bytes).unwrap();
    bytes
});

/// Those of [`TICKETS`] whose time is to be kept, with the header.
pub(crate) fn tickets(keep: impl Fn(&str) -> bool) -> String {
    let text = String::from_utf8(TICKETS.clone()).unwrap();
    let (header, lines) = text.split_once('\n').unwrap();
    let time = header
        .split(',')
        .position(|name| name == "timestamp")
        .unwrap();
    let kept = lines
        .lines()
        .filter(|line| keep(line.split(',').nth(time).unwrap()));
    kept.fold(format!("{header}\n"), |text, line| text + line + "\n")
}

/// The same as Parquet.
pub(crate) fn parquet() -> Vec<u8> {
    let mut bytes = vec![];
    write_parquet(&simulation(), Order::Days(16), &mut bytes).unwrap();
    bytes
}

pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

/// A file's content, without what was measured of the run that wrote it.
fn unmeasured(path: &std::path::Path) -> Vec<u8> {
    let content = std::fs::read(path).unwrap();
    let name = path.file_name().and_then(|name| name.to_str());
    if !matches!(name, Some("manifest.json" | "card.json")) {
        return content;
    }
    match serde_json::from_slice::<serde_json::Value>(&content) {
        Ok(serde_json::Value::Object(mut object)) => {
            object.remove("measured");
            serde_json::to_vec(&object).unwrap()
        }
        _ => content,
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.code)?;
        for (name, text) in [("stdout", &self.out), ("stderr", &self.err)] {
            if !text.is_empty() {
                write!(f, "\n---- {name}\n{}", text.trim_end_matches('\n'))?;
            }
        }
        Ok(())
    }
}

impl Run {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// Asserts that it ended with one error and a hint, with this exit code, and wrote nothing to
    /// stdout.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{self}");
        assert_eq!(self.out, "", "{self}");
        assert_eq!(
            self.err
                .lines()
                .filter(|line| line.starts_with("error: "))
                .count(),
            1,
            "{self}"
        );
        assert!(
            self.err.lines().any(|line| line.starts_with("hint: ")),
            "{self}"
        );
        assert!(
            !self.err.contains("panicked") && !self.err.contains("okuo failed inside"),
            "{self}"
        );
        self
    }

    #[track_caller]
    pub(crate) fn done(&self) -> &Self {
        assert_eq!(self.code, 0, "{self}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        self.done();
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl Sandbox {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// With tickets.csv and okuo.toml.
    pub(crate) fn new() -> Self {
        let sandbox = Self::empty();
        sandbox.write("tickets.csv", &*TICKETS);
        sandbox.write("okuo.toml", SETTINGS);
        sandbox
    }

    /// And a promoted model of [`TRAINED`] in models/.
    pub(crate) fn trained() -> Self {
        let sandbox = Self::new();
        sandbox
            .okuo(&[
                "train",
                "--input",
                "tickets.csv",
                "--as-of",
                TRAINED,
                "--promote",
                "always",
            ])
            .done();
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// All files below a folder with their contents, in order; none if there is no such folder. What
    /// was measured of a run is left out: no two runs take the same time.
    pub(crate) fn files(&self, folder: &str) -> Vec<(String, Vec<u8>)> {
        let mut files = vec![];
        let mut folders = vec![self.path(folder)];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path
                        .strip_prefix(self.folder.path())
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned();
                    files.push((name, unmeasured(&path)));
                }
            }
        }
        files.sort();
        files
    }

    /// The id of the only model in models/.
    pub(crate) fn model_id(&self) -> String {
        let files = self.files("models");
        let ids: Vec<&str> = files
            .iter()
            .filter_map(|(name, _)| name.strip_prefix("models/")?.strip_suffix("/model.okuo"))
            .collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
        ids[0].to_owned()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okuo"));
        self.isolated(command.args(arguments));
        command
    }

    /// Nothing of the machine's environment: no settings of okuo, no credentials, no terminal.
    pub(crate) fn isolated<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", "us-east-1")
            .env("OKUO_RETRY_SECONDS", "0")
    }

    pub(crate) fn okuo(&self, arguments: &[&str]) -> Run {
        self.okuo_with(arguments, &[])
    }

    /// With variables of the environment.
    pub(crate) fn okuo_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let output = self
            .command(arguments)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        Run::of(&output)
    }

    /// Trains on input that is bad: nothing may be left in the registry.
    #[track_caller]
    pub(crate) fn train_fails(&self, code: i32, arguments: &[&str]) -> Run {
        let run = self.okuo(&[&["train", "--as-of", TRAINED], arguments].concat());
        run.failed(code);
        assert_eq!(self.files("models"), [], "something was stored");
        run
    }
}

/// Snapshots without what is learned: ids, checksums, sizes, figures.
macro_rules! assert_run {
    ($run:expr) => {
        insta::with_settings!({
            filters => vec![
                (r"\d{4}-\d\d-\d\d-[0-9a-f]{12}", "[model]"),
                (r"sha256 [0-9a-f]{64}", "sha256 [checksum]"),
                (r"on data [0-9a-f]{12}", "on data [fingerprint]"),
                (r"\b\d+ bytes", "[bytes]"),
                (r"127\.0\.0\.1:\d+", "[endpoint]"),
                (r"[-+]?\d+\.\d{4,}", "[figure]"),
                (r" +(\[figure\]|–)", " $1"),
                (r"(?m)(\[figure\]) +\d+$", "$1 [size]"),
            ],
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!($run.to_string()) })
    };
}
pub(crate) use assert_run;
