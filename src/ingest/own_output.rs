//! Predictions and models that okuo wrote, where they lie below a folder of tickets: they look like
//! tables of tickets, and are none.
//!
//! They are known by their names alone: nothing is fetched.

use std::collections::BTreeMap;

use super::tables::NoTable;
use crate::calendar::Day;
use crate::error::Error;
use crate::store::{Found, InputObject};

/// How many hexadecimal digits the ids of runs and models have.
const ID_DIGITS: usize = 12;

/// What okuo writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnOutput {
    Predictions,
    Models,
}

impl OwnOutput {
    fn words(self) -> &'static str {
        match self {
            OwnOutput::Predictions => "predictions of okuo score",
            OwnOutput::Models => "models of okuo train",
        }
    }
}

/// Takes okuo's own output out of what was found in a folder. One entry names all that lies in a
/// folder of the input; what lies in the input itself has one for each night or model.
pub(super) fn leave_out(found: &mut Found) -> Vec<NoTable> {
    let Some(folder) = &found.folder else {
        return vec![];
    };
    let input = folder.name();
    let registries: Vec<String> = found
        .objects
        .iter()
        .filter_map(|object| match output_in(&object.uri)? {
            (OwnOutput::Models, at) => object.uri.get(..at).map(str::to_owned),
            (OwnOutput::Predictions, _) => None,
        })
        .collect();
    let mut folders: BTreeMap<String, OwnOutput> = BTreeMap::new();
    found.objects.retain(|object: &InputObject| {
        let Some((output, at)) = output_in(&object.uri) else {
            return !is_pointer(&object.uri, &registries);
        };
        let name = folder_to_name(&object.uri, at, &input);
        folders.insert(name.to_owned(), output);
        false
    });
    folders
        .into_iter()
        .map(|(name, output)| {
            let error = Error::input(format!("these are {}, and no tickets", output.words())).hint(
                "name the tickets with --input, and let --output and --models point elsewhere",
            );
            NoTable::new(&name, output.words(), error)
        })
        .collect()
}

/// Whether an object that nobody named as a table is the file from which the settings of the run
/// come.
pub(super) fn is_settings_file(object: &InputObject, settings: &str) -> bool {
    object.is_candidate && is_same_place(&object.uri, settings)
}

fn is_same_place(one: &str, other: &str) -> bool {
    let absolute = |place: &str| std::path::absolute(place).ok();
    one == other || (absolute(one).is_some() && absolute(one) == absolute(other))
}

/// What of okuo's an object belongs to, and where the name of its night's or model's folder begins.
fn output_in(uri: &str) -> Option<(OwnOutput, usize)> {
    let mut at = 0;
    let mut parts = uri.split('/').peekable();
    while let Some(part) = parts.next() {
        let next = parts.peek().copied().unwrap_or_default();
        if is_night(part) && (is_run(next) || next == "manifest.json") {
            return Some((OwnOutput::Predictions, at));
        }
        if is_model(part) && matches!(next, "model.okuo" | "card.json") {
            return Some((OwnOutput::Models, at));
        }
        at += part.len() + 1;
    }
    None
}

/// Whether an object is the pointer to the newest model of one of the registries.
fn is_pointer(uri: &str, registries: &[String]) -> bool {
    let registry = uri.strip_suffix("latest.json");
    registry.is_some_and(|registry| registries.iter().any(|known| known == registry))
}

/// The folder above that of a night or model; that of the night or model if it is the input itself.
fn folder_to_name<'a>(uri: &'a str, at: usize, input: &str) -> &'a str {
    let above = uri.get(..at).unwrap_or_default().trim_end_matches('/');
    if above.len() > input.trim_end_matches('/').len() {
        return above;
    }
    let rest = uri.get(at..).unwrap_or_default();
    let end = at + rest.find('/').unwrap_or(rest.len());
    uri.get(..end).unwrap_or(uri)
}

/// `as_of=2017-10-31`, or `plan=2017-10-31`
fn is_night(part: &str) -> bool {
    let date = part.strip_prefix("as_of=");
    date.or_else(|| part.strip_prefix("plan="))
        .is_some_and(is_date)
}

/// `run=0123456789ab`
fn is_run(part: &str) -> bool {
    part.strip_prefix("run=").is_some_and(is_id)
}

/// `2017-10-31-0123456789ab`
fn is_model(part: &str) -> bool {
    let parts = part.rsplit_once('-');
    parts.is_some_and(|(night, id)| is_date(night) && is_id(id))
}

fn is_date(text: &str) -> bool {
    text.len() == "2017-10-31".len() && text.parse::<Day>().is_ok()
}

fn is_id(text: &str) -> bool {
    text.len() == ID_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_known_by_its_folders() {
        for (uri, folder) in [
            (
                "/t/nightly/as_of=2017-10-31/run=0123456789ab/offers.csv",
                "/t/nightly",
            ),
            ("/t/nightly/as_of=2017-10-31/manifest.json", "/t/nightly"),
            ("/t/as_of=2017-10-31/manifest.json", "/t/as_of=2017-10-31"),
            ("/t/models/2017-10-31-0123456789ab/model.okuo", "/t/models"),
        ] {
            let (_, at) = output_in(uri).unwrap();
            assert_eq!(folder_to_name(uri, at, "/t"), folder, "{uri}");
        }
        for uri in [
            "/t/as_of=2017-10-31/tickets.csv",
            "/t/as_of=2017-10-31/run=1/tickets.csv",
            "/t/manifest.json",
            "/t/model.okuo",
            "/t/2017-10-31/manifest.json",
            "/t/as_of=October/manifest.json",
        ] {
            assert_eq!(output_in(uri), None, "{uri}");
        }
    }

    #[test]
    fn a_place_is_known_however_it_is_written() {
        let here = std::path::absolute("okuo.toml").unwrap();
        for place in ["okuo.toml", "./okuo.toml", &here.to_string_lossy()] {
            assert!(is_same_place(place, "okuo.toml"), "{place}");
        }
        assert!(!is_same_place("t/okuo.toml", "okuo.toml"));
    }

    #[test]
    fn a_pointer_lies_beside_models() {
        let registries = ["/t/models/".to_owned()];
        assert!(is_pointer("/t/models/latest.json", &registries));
        assert!(!is_pointer("/t/latest.json", &registries));
    }
}
