//! What an event asks for.

use clap::{ArgAction, CommandFactory, FromArgMatches};
use serde_json::{Map, Value};

use super::super::arguments::{Arguments, Command};
use super::super::request_error;
use crate::calendar::RunTime;
use crate::error::{Error, Result};
use crate::suggest;

/// The commands that a function runs.
const COMMANDS: [&str; 4] = ["score", "train", "check", "monitor"];

/// Flags that mean nothing where there is neither screen nor disk.
const NOT_IN_EVENTS: [&str; 7] = [
    "json", "verbose", "quiet", "junit", "examples", "help", "version",
];

/// Flags that name places. Whoever may send an event may not read or write the files of the function.
const PLACES: [&str; 7] = [
    "config",
    "input",
    "output",
    "registry",
    "tickets",
    "customers",
    "products",
];

/// The variable that lets events name local places as well, for a function on a machine of one's own.
pub(in crate::cli) const LOCAL_PLACES: &str = "OKUO_LAMBDA_LOCAL_PLACES";

/// Which places events may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventPlaces {
    /// Objects on S3.
    OnS3,
    /// Files as well.
    Anywhere,
}

impl EventPlaces {
    /// As the environment says.
    pub(super) fn of_environment() -> Self {
        match std::env::var(LOCAL_PLACES).as_deref() {
            Ok("true") => Self::Anywhere,
            _ => Self::OnS3,
        }
    }

    /// Refuses a value of a key that names a place which events may not name.
    fn check(self, flag: &str, key: &str, value: &str) -> Result<()> {
        let is_place = match flag {
            // A model's id is no place.
            "model" => value.contains(['/', '\\', '.']),
            _ => PLACES.contains(&flag),
        };
        if self == Self::Anywhere || !is_place || value.starts_with("s3://") {
            return Ok(());
        }
        Err(
            Error::request(format!("an event may not name the local place {value:?} as {key}"))
                .hint(format!(
                    "name an s3:// address, or set the place by a variable of the function, such as OKUO_INPUT; {LOCAL_PLACES}=true lets events name files"
                )),
        )
    }
}

/// What an event asks for.
#[derive(Debug)]
pub(super) enum Asked {
    /// A command.
    Command(Command),
    /// A command for which these new objects are the reason.
    NewObjects(Command, Vec<String>),
    /// Nothing, for this reason.
    Nothing(String),
}

/// Reads an event: a command, a schedule or new objects.
///
/// # Errors
/// If it is none of these, or has keys or values that okuo does not know.
pub(super) fn read(event: &Value, places: EventPlaces) -> Result<Asked> {
    let Some(fields) = event.as_object() else {
        return Err(unknown_event());
    };
    if fields.contains_key("command") {
        return of_command(fields, places);
    }
    if let Some(records) = fields.get("Records").and_then(Value::as_array) {
        return of_records(records);
    }
    // What S3 sends once to a new notification.
    if text(event, "/Event") == Some("s3:TestEvent") {
        return Ok(Asked::Nothing("it is the test event of S3".to_owned()));
    }
    match (text(event, "/source"), text(event, "/detail-type")) {
        (Some("aws.s3"), Some("Object Created")) => {
            let uri = uri(
                text(event, "/detail/bucket/name"),
                text(event, "/detail/object/key").map(str::to_owned),
            )?;
            new_objects(time(event, "/time")?, vec![uri])
        }
        (Some("aws.s3"), Some(other)) => {
            Ok(Asked::Nothing(format!("nothing follows from \"{other}\"")))
        }
        (Some(_), Some("Scheduled Event")) => score_at(time(event, "/time")?).map(Asked::Command),
        _ => Err(unknown_event()),
    }
}

fn unknown_event() -> Error {
    Error::request("the event is neither a command nor a schedule nor a notification of S3").hint(
        "send {\"command\": \"score\", \"as_of\": \"2017-11-07\"}; other keys are the flags of the command",
    )
}

/// A text in an event.
fn text<'a>(event: &'a Value, pointer: &str) -> Option<&'a str> {
    event.pointer(pointer)?.as_str()
}

fn time(event: &Value, pointer: &str) -> Result<RunTime> {
    let time = text(event, pointer).ok_or_else(|| {
        Error::request(format!("the event has no text at {pointer}"))
            .hint("send the event as AWS makes it")
    })?;
    time.parse()
}

fn uri(bucket: Option<&str>, key: Option<String>) -> Result<String> {
    match (bucket, key) {
        (Some(bucket), Some(key)) => Ok(format!("s3://{bucket}/{key}")),
        _ => Err(Error::request("the event names no bucket and key")
            .hint("send the event as AWS makes it")),
    }
}

/// Of a notification of S3, the objects that were created. What was removed is nothing to score.
fn of_records(records: &[Value]) -> Result<Asked> {
    let mut uris = vec![];
    let mut last = None;
    for record in records {
        if !text(record, "/eventName").is_some_and(|name| name.starts_with("ObjectCreated:")) {
            continue;
        }
        let key = text(record, "/s3/object/key").map(decoded);
        uris.push(uri(text(record, "/s3/bucket/name"), key)?);
        last = last.max(Some(time(record, "/eventTime")?));
    }
    match last {
        Some(time) => new_objects(time, uris),
        None => Ok(Asked::Nothing("no object was created".to_owned())),
    }
}

fn new_objects(time: RunTime, uris: Vec<String>) -> Result<Asked> {
    Ok(Asked::NewObjects(score_at(time)?, uris))
}

fn score_at(time: RunTime) -> Result<Command> {
    parse(vec!["score".to_owned(), format!("--at={time}")])
}

/// A key as a notification of S3 writes it, as in a form: `+` is a space.
fn decoded(key: &str) -> String {
    let mut bytes = vec![];
    let mut rest = key.as_bytes();
    while let [first, behind @ ..] = rest {
        let escaped = match behind {
            [high, low, ..] if *first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                bytes.push(high * 16 + low);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

/// A command with its flags as keys.
fn of_command(fields: &Map<String, Value>, places: EventPlaces) -> Result<Asked> {
    let name = fields.get("command").and_then(Value::as_str);
    let Some(name) = name.filter(|name| COMMANDS.contains(name)) else {
        let given = fields.get("command").unwrap_or(&Value::Null);
        return Err(
            Error::request(format!("{given} is no command of the function"))
                .hint(format!("the commands are {}", COMMANDS.join(", "))),
        );
    };
    let declared = Arguments::command();
    let declared = declared
        .find_subcommand(name)
        .ok_or_else(|| Error::system(format!("okuo has no command {name}")))?;
    let mut arguments = vec![name.to_owned()];
    for (key, value) in fields.iter().filter(|(key, _)| *key != "command") {
        add_argument(declared, (key, value), places, &mut arguments)?;
    }
    parse(arguments).map(Asked::Command)
}

/// Adds a key of an event as a flag.
fn add_argument(
    command: &clap::Command,
    (key, value): (&str, &Value),
    places: EventPlaces,
    arguments: &mut Vec<String>,
) -> Result<()> {
    let flag = key.replace('_', "-");
    let of_events = command.get_arguments().filter(|argument| {
        let long = argument.get_long();
        long.is_some_and(|long| !NOT_IN_EVENTS.contains(&long))
    });
    let known: Vec<&clap::Arg> = of_events.collect();
    let argument = known
        .iter()
        .find(|argument| argument.get_long() == Some(flag.as_str()))
        .ok_or_else(|| unknown_key(command.get_name(), key, &known))?;
    let values = match value {
        Value::Array(values) => values.as_slice(),
        value => std::slice::from_ref(value),
    };
    for value in values {
        let is_switch = matches!(argument.get_action(), ArgAction::SetTrue);
        match value {
            Value::Null => {}
            Value::Bool(is_set) if is_switch => {
                arguments.extend(is_set.then(|| format!("--{flag}")));
            }
            Value::String(_) | Value::Number(_) | Value::Bool(_) if is_switch => {
                return Err(Error::request(format!(
                    "{key} should be true or false, but is {value}"
                ))
                .hint("write it without quotes"));
            }
            Value::String(text) => {
                places.check(&flag, key, text)?;
                arguments.push(format!("--{flag}={text}"));
            }
            Value::Number(_) | Value::Bool(_) => {
                places.check(&flag, key, &value.to_string())?;
                arguments.push(format!("--{flag}={value}"));
            }
            Value::Array(_) | Value::Object(_) => {
                return Err(Error::request(format!(
                    "{key} should be a text, a number, or a list of them"
                ))
                .hint("settings that are no flags stand in okuo.toml, which OKUO_CONFIG names"));
            }
        }
    }
    Ok(())
}

fn unknown_key(command: &str, key: &str, known: &[&clap::Arg]) -> Error {
    let names: Vec<String> = known
        .iter()
        .filter_map(|argument| Some(argument.get_long()?.replace('-', "_")))
        .collect();
    let error = Error::request(format!("the command {command} has no key \"{key}\""));
    match suggest::nearest(key, names.iter().map(String::as_str), suggest::ALIKE) {
        Some(nearest) => error.hint(format!("did you mean \"{nearest}\"?")),
        None => error.hint(format!(
            "its keys are those flags of `okuo {command}` that are not about screen or files; settings stand in okuo.toml, which OKUO_CONFIG names"
        )),
    }
}

/// Reads arguments as the command line does, and with it the environment.
fn parse(arguments: Vec<String>) -> Result<Command> {
    let program = std::iter::once("okuo".to_owned());
    Arguments::command()
        .try_get_matches_from(program.chain(arguments))
        .and_then(|matches| Arguments::from_arg_matches(&matches))
        .map(|arguments| arguments.command)
        .map_err(|error| request_error(&error))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn score_of(event: &Value) -> super::super::super::ScoreArguments {
        match read(event, EventPlaces::Anywhere).unwrap() {
            Asked::Command(Command::Score(arguments)) => arguments,
            other => panic!("{other:?}"),
        }
    }

    fn refused(event: &Value) -> String {
        read(event, EventPlaces::OnS3).unwrap_err().to_string()
    }

    #[test]
    fn keys_are_the_flags_of_the_command() {
        let arguments = score_of(&json!({
            "command": "score", "as_of": "2017-11-07", "input": ["a", "b c"], "min-purchases": 4,
            "force": true, "utc": true, "model": null, "history_days": 400
        }));
        assert_eq!(arguments.as_of, Some("2017-11-07".parse().unwrap()));
        assert!(arguments.force && arguments.model.is_none());
        let config = arguments.common.flags.given.check().unwrap();
        assert_eq!(config.inputs, ["a", "b c"]);
        assert!(config.input.clock.utc());
        assert_eq!(config.history_days, 400);
        let arguments = score_of(&json!({
            "command": "score", "from": "2017-11-01", "to": "2017-11-02", "force": false, "utc": false
        }));
        assert!(!arguments.force && arguments.from.is_some());
    }

    #[test]
    fn what_is_not_known_is_told() {
        for (event, told) in [
            (json!(["score"]), "neither a command"),
            (json!({"detail": 1}), "neither a command"),
            (
                json!({"command": "simulate"}),
                "\"simulate\" is no command of the function",
            ),
            (json!({"command": 1}), "1 is no command"),
            (
                json!({"command": "score", "asof": "2017-11-07"}),
                "did you mean \"as_of\"?",
            ),
            (
                json!({"command": "score", "as_of": "2017-11-07", "json": true}),
                "no key \"json\"",
            ),
            (json!({"command": "score", "as_of": "soon"}), "--as-of"),
            (
                json!({"command": "score", "as_of": "2017-11-07", "force": "yes"}),
                "true or false",
            ),
            (
                json!({"command": "score", "as_of": "2017-11-07", "input": {}}),
                "input should be",
            ),
            (
                json!({"command": "score", "at": "today"}),
                "\"today\" is not a time",
            ),
            (
                json!({"command": "score", "at": "2017-11-08T05:00:00Z", "as_of": "2017-11-07"}),
                "as-of",
            ),
            (json!({"command": "score"}), "--as-of"),
            (
                json!({"source": "aws.events", "detail-type": "Scheduled Event"}),
                "/time",
            ),
        ] {
            let error = refused(&event);
            assert!(error.contains(told), "{event}: {error}");
            assert!(error.contains("hint: "), "{event}: {error}");
        }
    }

    #[test]
    fn an_event_names_no_local_place_unless_the_environment_lets_it() {
        for (key, value) in [
            ("input", json!(["s3://shop/tickets/", "/etc/passwd"])),
            ("input", json!("-")),
            ("output", json!("../out")),
            ("registry", json!("file:///models")),
            ("config", json!("okuo.toml")),
            ("output", json!(1)),
            ("model", json!("/tmp/a.okuo")),
        ] {
            let event = json!({"command": "score", "as_of": "2017-11-07", key: value});
            let error = refused(&event);
            assert!(error.contains("may not name the local place"), "{error}");
            assert!(error.contains(&format!("as {key}")), "{error}");
            assert!(read(&event, EventPlaces::Anywhere).is_ok(), "{event}");
        }
        let event = json!({
            "command": "score", "as_of": "2017-11-07", "input": ["s3://shop/tickets/"],
            "output": "s3://shop/nightly", "model": "2017-10-31-0123abcd",
        });
        assert!(read(&event, EventPlaces::OnS3).is_ok());
    }

    #[test]
    fn a_schedule_scores_at_its_time() {
        let time = "2017-11-08T03:00:00Z";
        let event = json!({"source": "aws.events", "detail-type": "Scheduled Event", "time": time});
        assert_eq!(score_of(&event).schedule.at, Some(time.parse().unwrap()));
        let event = json!({"command": "train", "at": "2017-11-01T03:00:00+01:00"});
        assert!(matches!(
            read(&event, EventPlaces::OnS3).unwrap(),
            Asked::Command(Command::Train(arguments)) if arguments.schedule.at.is_some()
        ));
    }

    #[test]
    fn events_of_the_template_are_understood() {
        let template = include_str!("../../../deploy/cloudformation.yaml");
        let inputs = template
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Input: '")?.strip_suffix('\''));
        let mut read_events = 0;
        for input in inputs.filter(|input| !input.contains("containerOverrides")) {
            let input = input.replace("<aws.scheduler.scheduled-time>", "2024-07-11T05:00:00Z");
            let event: Value = serde_json::from_str(&input).unwrap();
            assert!(score_of(&event).schedule.at.is_some());
            read_events += 1;
        }
        assert_eq!(read_events, 1);
    }

    #[test]
    fn new_objects_are_read_from_both_kinds_of_notification() {
        let record = |name: &str, key: &str, time: &str| {
            json!({
                "eventName": name, "eventTime": time, "s3": {"bucket": {"name": "tickets"}, "object": {"key": key}}
            })
        };
        let event = json!({"Records": [
            record("ObjectCreated:Put", "2017/a+b%C3%A9.csv", "2017-11-08T05:00:00.000Z"),
            record("ObjectRemoved:Delete", "2017/c.csv", "2017-11-09T05:00:00.000Z"),
        ]});
        match read(&event, EventPlaces::OnS3).unwrap() {
            Asked::NewObjects(Command::Score(arguments), uris) => {
                assert_eq!(uris, ["s3://tickets/2017/a bé.csv"]);
                let time = "2017-11-08T05:00:00Z".parse().unwrap();
                assert_eq!(arguments.schedule.at, Some(time));
            }
            other => panic!("{other:?}"),
        }
        let event = json!({
            "source": "aws.s3", "detail-type": "Object Created", "time": "2017-11-08T05:00:00Z",
            "detail": {"bucket": {"name": "tickets"}, "object": {"key": "100%+.csv"}}
        });
        match read(&event, EventPlaces::OnS3).unwrap() {
            Asked::NewObjects(_, uris) => assert_eq!(uris, ["s3://tickets/100%+.csv"]),
            other => panic!("{other:?}"),
        }
        let removed =
            json!({"Records": [record("ObjectRemoved:Delete", "c.csv", "2017-11-09T05:00:00Z")]});
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent"});
        for nothing in [removed, test] {
            assert!(matches!(
                read(&nothing, EventPlaces::OnS3).unwrap(),
                Asked::Nothing(_)
            ));
        }
    }
}
