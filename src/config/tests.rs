use clap::{Args, FromArgMatches};

use super::flags::TicketFlags;
use super::*;
use crate::models::boosting::BoostingParameters;
use crate::settings::ValueKind;

fn layer(text: &str) -> Result<Layer> {
    Layer::parse("okuo.toml", text)
}

/// The error of a file, when it is read or checked.
fn refusal(text: &str) -> Error {
    layer(text).and_then(Layer::check).unwrap_err()
}

#[test]
fn a_layer_above_wins_key_by_key() {
    let below = layer("registry = \"file\"\n[rule]\nbasket_share = 0.5\nperiods = 2\n[input]\npaths = [\"a\"]\nutc = true").unwrap();
    let above = layer("[rule]\nbasket_share = 0.7\n[input]\npaths = [\"b\"]").unwrap();
    let config = above.over(below).check().unwrap();
    let rule = Rule {
        basket_share: 0.7,
        periods: 2,
        ..Rule::default()
    };
    assert_eq!(config.rule, rule);
    assert_eq!(config.inputs, ["b"], "a list is one value");
    assert_eq!(
        (config.registry.as_str(), config.input.clock.utc()),
        ("file", true)
    );
}

#[test]
fn what_is_not_given_of_the_rule_is_the_models() {
    let config = layer("[rule]\nbasket_share = 0.7\nperiods = 3")
        .unwrap()
        .check()
        .unwrap();
    let of_model = Rule {
        basket_share: 0.2,
        period_days: 7,
        periods: 5,
        ..Rule::default()
    };
    let for_model = config.for_model(of_model).unwrap();
    let expected = Rule {
        basket_share: 0.7,
        periods: 3,
        ..of_model
    };
    assert_eq!(
        for_model.rule, expected,
        "3 periods are given, as by default"
    );
    assert_eq!(
        Config {
            rule: config.rule,
            ..for_model
        },
        config
    );
    let by_hand = Config {
        rule: Rule {
            min_products: 5,
            ..config.rule
        },
        ..config.clone()
    };
    assert_eq!(by_hand.for_model(of_model).unwrap(), by_hand);
    let too_long = Rule {
        period_days: 3_000,
        periods: 1,
        ..of_model
    };
    let error = config.for_model(too_long).unwrap_err().to_string();
    assert!(error.contains("but is 3 × 3000"), "{error}");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest() {
    let error = refusal("[rule]\nperiods = 3\nbasket_shere = 0.5\n").to_string();
    assert!(
        error.contains("okuo.toml: line 3")
            && error.contains("basket_shere")
            && error.contains("did you mean \"basket_share\""),
        "{error}"
    );
    let error = refusal("[rule]\nperiods = \"three\"\n").to_string();
    assert!(error.contains("line 2"), "{error}");
    let error = refusal("rule = 3").to_string();
    assert!(
        error.contains("line 1") && error.contains("okuo config"),
        "{error}"
    );
    let error = refusal("[training.timing.boosting]\ntree = 7").to_string();
    assert!(
        error.contains("line 2") && error.contains("did you mean \"trees\""),
        "{error}"
    );
}

#[test]
fn a_nested_table_keeps_the_defaults_of_its_own_model() {
    let default = Parameters::default();
    let given = layer("[training.timing.boosting]\ntrees = 7")
        .unwrap()
        .check()
        .unwrap()
        .parameters;
    let boosting = BoostingParameters {
        trees: 7,
        ..default.timing.boosting
    };
    assert_eq!(given.timing.boosting, boosting);
    assert_eq!(given.basket, default.basket);
}

#[test]
fn former_names_of_keys_are_understood() {
    let of = |text: &str| layer(text).unwrap().check().unwrap().parameters;
    for section in ["timing", "basket"] {
        for (former, now) in [
            ("max_rows", "max_training_rows"),
            ("others", "background_share"),
        ] {
            let text = format!("[training.{section}]\n{former} = 1");
            assert_eq!(of(&text), of(&text.replace(former, now)));
        }
    }
    assert_eq!(
        of("[training.basket]\nmax_rows = 7")
            .basket
            .max_training_rows,
        7
    );
}

#[test]
fn values_out_of_range_are_refused_before_anything_is_read() {
    for (text, message) in [
        (
            "memory_limit = \"4 apples\"",
            "memory_limit should be a size, but is \"4 apples\"",
        ),
        (
            "memory_limit = 1000",
            "memory_limit should be at least 100 MB, but is \"1000\"",
        ),
        (
            "memory_limit = \"1 MB\"",
            "memory_limit should be at least 100 MB, but is \"1 MB\"",
        ),
        ("memory_limit = 1.5", "a size should be text"),
        (
            "threads = 0",
            "threads should be between 1 and 1024, but is 0",
        ),
        (
            "[input]\nmax_bad_share = 2.0",
            "max_bad_share should be between 0 and 1, but is 2",
        ),
        (
            "[input]\ntime_zone = \"America/New_Yrok\"",
            "America/New_York",
        ),
        (
            "[rule]\nmin_products = 0",
            "min_products should be at least 1, but is 0",
        ),
        (
            "[offers]\nper_customer = 26",
            "offers.per_customer should be between 1 and 25, but is 26",
        ),
        (
            "[training.basket]\nevery = 0",
            "training.basket.every should be at least 1, but is 0",
        ),
        (
            "[training.timing]\ndays = 4000",
            "training.timing.days should be between 1 and 3653, but is 4000",
        ),
        (
            "[training.timing.boosting]\nridge = inf",
            "training.timing.boosting.ridge should be above 0, but is inf",
        ),
    ] {
        let error = refusal(text).to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
    let limit = |text: &str| layer(text).unwrap().check().unwrap().memory_limit;
    assert_eq!(limit("memory_limit = 4000000000"), Some(4_000_000_000));
    assert_eq!(limit("memory_limit = \"100 MB\""), Some(100_000_000));
    assert_eq!(limit(""), None);
}

/// A file with one value.
fn file_with(declared: &DeclaredSetting, value: &toml::Value) -> String {
    let key = declared.setting.key;
    match declared.section.as_str() {
        "" => format!("{key} = {value}"),
        section => format!("[{section}]\n{key} = {value}"),
    }
}

#[test]
fn every_range_is_checked_and_its_error_has_a_hint() {
    let whole = [-1, 0, 1, 200, 1_000_000_000].map(toml::Value::from);
    let decimal = [-1e18, -0.5, 0.0, 1.5, 1e18].map(toml::Value::from);
    let mut refused = std::collections::BTreeSet::new();
    for declared in keys() {
        let setting = declared.setting;
        let Some(allowed) = setting.allowed else {
            continue;
        };
        let values = match setting.kind {
            ValueKind::Number => &decimal,
            _ => &whole,
        };
        for value in values {
            let number = value
                .as_float()
                .or(value.as_integer().map(|value| value as f64));
            if allowed.holds(number.unwrap()) {
                continue;
            }
            let text = file_with(declared, value);
            let error = refusal(&text);
            let said = error.to_string();
            assert!(
                error.exit_code() == 1 && said.contains("\nhint: "),
                "{text}: {said}"
            );
            if said.contains(&format!(
                "{} should be {}",
                setting.key,
                setting.range().unwrap()
            )) {
                refused.insert(&declared.path);
            }
        }
    }
    // Where it has the range of a type that is refused when the file is read, another value is
    // refused by its range.
    let ranges = keys()
        .filter(|declared| declared.setting.allowed.is_some())
        .count();
    assert!(
        refused.len() == ranges && ranges > 40,
        "{ranges}: {refused:?}"
    );
}

#[test]
fn a_key_in_the_wrong_place_is_told_the_right_one() {
    for (text, hint) in [
        (
            "time_zone = \"Europe/Rome\"",
            "time_zone belongs under [input]",
        ),
        ("seed = 3", "seed belongs under [training]"),
        (
            "[input]\nbasket_share = 0.5",
            "basket_share belongs under [rule]",
        ),
        (
            "depth = 3",
            "depth belongs under [training.basket.correction]",
        ),
        (
            "trees = 3",
            "trees belongs under [training.timing.boosting] or [training.basket.boosting]",
        ),
        (
            "[input]\nregistry = \"r\"",
            "registry belongs at the top of the file, above the first [section]",
        ),
        ("[timing]\ndays = 3", "timing belongs under [training]"),
    ] {
        let error = refusal(text).to_string();
        let (_, told) = error.split_once("\nhint: ").unwrap();
        assert_eq!(told, hint);
    }
}

#[test]
fn one_column_has_one_role() {
    let error = refusal("[columns]\ncustomer = \"x\"\ntime = \"x\"").to_string();
    assert!(
        error.contains("the column \"x\" cannot be both for --customer and for --time")
            && error.contains("--customer"),
        "{error}"
    );
    refusal("[columns]\nproduct = \"quantity\"");
}

#[test]
fn each_key_has_a_meaning_and_each_flag_its_own_name() {
    let mut flags = std::collections::BTreeSet::new();
    for declared in declared() {
        let meaning = declared.setting.meaning();
        assert!(
            meaning.starts_with(char::is_uppercase) && !meaning.ends_with('.'),
            "{}: {meaning}",
            declared.path
        );
        if let Some(flag) = &declared.flag {
            assert!(flags.insert(&flag.long), "two are --{}", flag.long);
            assert_ne!(declared.setting.value_name, "VALUE", "{}", declared.path);
        }
    }
    assert!(flags.len() > 20, "{flags:?}");
}

#[test]
fn defaults_are_those_of_the_code() {
    let config = Layer::default().check().unwrap();
    assert_eq!(config.parameters, Parameters::default());
    assert_eq!(config.offers, OfferParameters::default());
    assert_eq!(
        (config.rule, config.input.columns),
        (Rule::default(), ColumnNames::default())
    );
    let default = |path: &str| {
        let declared = keys().find(|declared| declared.path == path).unwrap();
        declared.default.as_ref().map(ToString::to_string)
    };
    assert_eq!(default("training.timing.boosting.trees").unwrap(), "150");
    assert_eq!(default("training.basket.boosting.trees").unwrap(), "300");
    assert_eq!(default("output"), None);
}

#[test]
fn flags_are_what_the_settings_say() {
    let command = TicketFlags::augment_args(clap::Command::new("okuo"));
    let typed = "okuo --exclude-product 1,2 --exclude-product 3 --utc --basket-share 1 --input a b";
    let matches = command.try_get_matches_from(typed.split(' ')).unwrap();
    let mut given = TicketFlags::from_arg_matches(&matches).unwrap().given;
    let config = given.clone().check().unwrap();
    assert_eq!(config.input.exclude_products, ["1", "2", "3"]);
    assert_eq!(config.inputs, ["a", "b"]);
    assert!(config.input.clock.utc());
    assert_eq!(config.rule.basket_share, 1.0);
    assert_eq!(given.take_flag("columns.customer"), None);
    assert_eq!(given.take_flag("rule.basket_share").unwrap(), "1.0");
    assert_eq!(
        given.take_flag("rule.basket_share"),
        None,
        "it is taken out"
    );
}

#[test]
fn what_is_in_force_has_its_source() {
    let file = layer("[rule]\nperiods = 2\nbasket_share = 0.5").unwrap();
    let mut flags = Layer::default();
    let share = keys()
        .find(|declared| declared.path == "rule.basket_share")
        .unwrap();
    flags.set(
        share,
        0.7.into(),
        SettingSource::Flag("basket-share".into()),
    );
    let in_force = flags.over(file).in_force().unwrap();
    let of = |path: &str| {
        let setting = in_force
            .iter()
            .find(|setting| setting.declared.path == path)
            .unwrap();
        let value = setting
            .value
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        (value, setting.source.to_string())
    };
    assert_eq!(
        of("rule.basket_share"),
        ("0.7".into(), "--basket-share".into())
    );
    assert_eq!(of("rule.periods"), ("2".into(), "okuo.toml".into()));
    assert_eq!(of("rule.min_products"), ("11".into(), "default".into()));
    assert_eq!(of("output"), (String::new(), "default".into()));
}
