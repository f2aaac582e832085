//! `okuo config`: the settings in force, and where each comes from.

use serde_json::json;

use super::ConfigArguments;
use super::output::Output;
use crate::config::SettingInForce;
use crate::error::Result;

pub(super) async fn run(arguments: ConfigArguments, output: &Output) -> Result<()> {
    let settings = arguments.common.settings().await?.given.in_force()?;
    output.text(&text(&settings))?;
    let document = settings.iter().map(|setting| {
        let source = setting.source.to_string();
        (
            setting.declared.path.clone(),
            json!({ "value": setting.value, "source": source }),
        )
    });
    output.document(&document.collect::<serde_json::Map<_, _>>())
}

/// The settings as a file. What nobody has set stands in a comment: saved, it would be set, and
/// hide a later default or a model's rule.
fn text(settings: &[SettingInForce]) -> String {
    let mut text = String::new();
    let mut section = "";
    for setting in settings {
        if setting.declared.section != section {
            section = &setting.declared.section;
            text.push_str(&format!("\n[{section}]\n"));
        }
        let key = setting.declared.setting.key;
        let line = match &setting.value {
            Some(value) if !setting.source.is_given() => format!("# {key} = {value}"),
            Some(value) => format!("{key} = {value}"),
            None => format!("# {key} ="),
        };
        text.push_str(&format!("{line:<48} # {}\n", setting.source));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;

    #[test]
    fn what_is_printed_is_a_file_that_says_the_same() {
        let file = "registry = \"r\"\nmemory_limit = \"4 GB\"\n[columns]\nquantity = \"n\"\n[input]\npaths = [\"a b\"]\nutc = true\n\
                    [rule]\nbasket_share = 0.5\n[training.timing.boosting]\ntrees = 7\n[offers]\nsalt = \"s\"";
        for file in ["", file] {
            let layer = Layer::parse("okuo.toml", file).unwrap();
            let printed = text(&layer.in_force().unwrap());
            let again = Layer::parse("okuo.toml", &printed).unwrap();
            assert_eq!(again.check().unwrap(), layer.check().unwrap(), "{printed}");
        }
    }
}
