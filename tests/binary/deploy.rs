//! The commands in deploy/ and in the runbook are commands of this very program.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sandbox::{Run, Sandbox, TICKETS};

#[allow(
    dead_code,
    reason = "a program of its own, of which one function is tested"
)]
#[path = "../../build.rs"]
mod build_script;

/// The time that stands for a scheduler's.
const TIME: &str = "2024-07-11T05:00:00Z";

fn source(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs a script in a sandbox, in which okuo is a program on the path.
fn shell(sandbox: &Sandbox, script: &str, variables: &[(&str, &str)]) -> Run {
    let folder = PathBuf::from(env!("CARGO_BIN_EXE_okuo"));
    let folder = folder.parent().unwrap().display().to_string();
    let mut command = Command::new("/bin/sh");
    command.args(["-euc", script]);
    let output = sandbox
        .isolated(&mut command)
        .env("PATH", format!("{folder}:/usr/bin:/bin"))
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    Run::of(&output)
}

/// Asserts that a command was understood: all that it lacks here is its input.
#[track_caller]
fn is_understood(run: &Run) {
    run.failed(1);
    assert!(run.err.contains("no input was named"), "{run}");
}

#[test]
fn a_commit_that_is_named_keeps_its_mark() {
    let shortened = build_script::shortened;
    let long = "0123456789abcdef0123456789abcdef01234567";
    assert_eq!(shortened(long).unwrap(), "0123456789ab");
    assert_eq!(
        shortened(&format!("{long}-dirty")).unwrap(),
        "0123456789ab-dirty"
    );
    assert_eq!(shortened("v1.2").unwrap(), "v1.2");
    for named in ["a b", "-dirty", "$(git rev-parse HEAD)", "é"] {
        let error = shortened(named).unwrap_err();
        assert!(error.contains("OKUO_BUILD_COMMIT"), "{error}");
    }
}

#[test]
fn commands_of_the_systemd_units_are_understood() {
    for (unit, command) in [("nightly", "score"), ("monthly", "train")] {
        let text = source(&format!("deploy/systemd/okuo-{unit}.service"));
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart=/bin/sh -c '"))
            .unwrap();
        // As systemd reads it.
        let script = line.trim_end_matches('\'').replace("%%", "%");
        let script = script.replace("$$", "$").replace("/usr/bin/okuo", "okuo");
        assert!(script.contains(command), "{script}");
        // The folder that systemd makes for a run and its retries.
        let sandbox = Sandbox::empty();
        let variables = [("OKUO_OUTPUT", "out"), ("RUNTIME_DIRECTORY", ".")];
        is_understood(&shell(&sandbox, &script, &variables));
        assert!(!sandbox.read("due").is_empty(), "{unit}");
        // A retry speaks of the time of the first try, whatever the clock says.
        sandbox.write("due", "soon");
        let retried = shell(&sandbox, &script, &variables);
        assert!(
            retried.err.contains("\"soon\" is not a time"),
            "{unit}: {retried}"
        );
    }
}

#[test]
fn commands_of_the_cron_jobs_are_understood() {
    for (job, command) in [("nightly", "score"), ("monthly", "train")] {
        let text = source(&format!("deploy/kubernetes/{job}.yaml"));
        let (_, script) = text.split_once("                - |\n").unwrap();
        let (script, _) = script.split_once("              env:").unwrap();
        assert!(
            script.contains(&format!("exec okuo {command} ")),
            "{script}"
        );
        // Of a schedule, and by hand.
        for name in [format!("okuo-{job}-28677900"), "okuo-now".to_owned()] {
            let variables = [("OKUO_OUTPUT", "out"), ("JOB", name.as_str())];
            is_understood(&shell(&Sandbox::empty(), script, &variables));
        }
        let told = script.replace("exec okuo", "echo okuo");
        let name = format!("okuo-{job}-28677900");
        let run = shell(&Sandbox::empty(), &told, &[("JOB", name.as_str())]);
        assert_eq!(run.out, format!("okuo {command} --at {TIME}\n"), "{run}");
    }
}

#[test]
fn settings_of_the_cron_jobs_are_read() {
    let text = source("deploy/kubernetes/settings.yaml");
    let (_, toml) = text.split_once("okuo.toml: |\n").unwrap();
    let sandbox = Sandbox::empty();
    sandbox.write("okuo.toml", toml.replace("\n    ", "\n").trim_start());
    let config = sandbox.okuo(&["config"]);
    assert!(
        config.done().out.contains("s3://my-bucket/nightly"),
        "{config}"
    );
}

#[test]
fn commands_of_the_tasks_on_aws_are_understood() {
    let text = source("deploy/cloudformation.yaml");
    let inputs = text.lines().filter_map(|line| {
        let input = line.trim().strip_prefix("Input: ")?;
        let input = input.strip_prefix("!Sub ").unwrap_or(input);
        input.strip_prefix('\'')?.strip_suffix('\'')
    });
    let mut commands = vec![];
    for input in inputs {
        let input = input.replace("<aws.scheduler.scheduled-time>", TIME);
        let input: serde_json::Value = serde_json::from_str(&input).unwrap();
        let Some(words) = input["command"].as_array() else {
            // An event of the function: src/cli/lambda/event.rs.
            continue;
        };
        let words: Vec<&str> = words.iter().map(|word| word.as_str().unwrap()).collect();
        let run = Sandbox::empty().okuo_with(&words, &[("OKUO_OUTPUT", "out")]);
        assert!(
            run.code == 1 && run.err.contains("no input was named"),
            "{run}"
        );
        commands.push(words[0].to_owned());
    }
    assert_eq!(commands, ["score", "train"]);
}

#[test]
fn commands_of_the_dag_are_understood() {
    let text = source("deploy/airflow/okuo_dag.py");
    let mut commands = vec![];
    for line in text
        .lines()
        .filter(|line| line.contains("data_interval_end"))
    {
        let (_, arguments) = line.rsplit_once("))(\"").unwrap();
        let command = arguments.split('"').next().unwrap();
        // As the filter `ts` of Airflow writes a time.
        let words = [command, "--at", "2024-07-11T05:00:00+00:00"];
        is_understood(&Sandbox::empty().okuo_with(&words, &[("OKUO_OUTPUT", "out")]));
        commands.push(command.to_owned());
    }
    assert_eq!(commands, ["score", "train"]);
}

/// A step of the runbook: its commands, and how they end.
struct RunbookStep {
    script: String,
    code: i32,
}

/// The steps of the runbook. Between them, comments say what happens besides: `<!-- test: … -->`.
fn steps(text: &str) -> Vec<RunbookStep> {
    let (mut steps, mut script, mut code, mut in_block) = (vec![], String::new(), 0, false);
    for line in text.lines().map(str::trim) {
        let comment = line
            .strip_prefix("<!-- test: ")
            .and_then(|line| line.strip_suffix(" -->"));
        match (line, comment) {
            ("```sh", _) => in_block = true,
            ("```", _) if in_block => {
                in_block = false;
                let script = std::mem::take(&mut script);
                steps.push(RunbookStep { script, code });
                code = 0;
            }
            (_, Some(comment)) => match comment.strip_prefix("exit ") {
                Some(number) => code = number.parse().unwrap(),
                None => script += &format!("{comment}\n"),
            },
            _ if in_block => script += &format!("{line}\n"),
            _ => {}
        }
    }
    steps
}

#[test]
fn each_step_of_the_runbook_works() {
    let sandbox = Sandbox::empty();
    sandbox.write("tickets/tickets.csv", &*TICKETS);
    let variables = [
        ("OKUO_OUTPUT", "nightly"),
        // Small models, and a rule that many meet.
        ("OKUO_BUDGET", "1"),
        ("OKUO_BASKET_SHARE", "0.3"),
    ];
    let steps = steps(&source("docs/how-to/runbook.md"));
    assert!(steps.len() > 15, "{} steps", steps.len());
    for RunbookStep { script, code } in steps {
        let run = shell(&sandbox, &script, &variables);
        assert_eq!(run.code, code, "{script}\n{run}");
    }
}
