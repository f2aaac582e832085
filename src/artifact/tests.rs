use proptest::prelude::*;

use super::*;
use crate::calendar::Day;
use crate::error::Kind;
use crate::models::Parameters;

fn as_of() -> AsOf {
    AsOf(Day::from_epoch(17_470)) // 2017-10-31
}

fn description() -> Description {
    Description {
        as_of: as_of(),
        data_fingerprint: "c0ffee".into(),
        rule: Rule::default(),
        feature_names: feature_names(),
        parameters: serde_json::json!({"seed": 1}),
        figures: serde_json::json!({"ndcg_at_10": 0.29, "mae_all": 3.6}),
        warnings: vec![],
        origin: None,
        corrections: vec![],
        feed: None,
        learned_mix: None,
        features: None,
    }
}

fn model() -> Model {
    crate::models::examples::tiny_model(as_of(), 1)
}

/// A body of the kinds of values that models are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Body {
    name: String,
    weights: Vec<f64>,
    nodes: Vec<(u32, Option<i32>, bool)>,
}

fn body() -> Body {
    Body {
        name: "pooled".into(),
        weights: vec![0.5, -1.25e-9, f64::MAX],
        nodes: vec![(1, None, true), (7, Some(-3), false)],
    }
}

fn accept<M>(_: &ModelHeader, _: &M) -> Result<()> {
    Ok(())
}

/// Whatever features the header names.
fn decode_body<M: DeserializeOwned>(
    name: &str,
    bytes: &[u8],
    validate: impl Fn(&ModelHeader, &M) -> Result<()>,
) -> Result<(ModelHeader, M)> {
    super::decode_body(
        name,
        bytes,
        |_| Ok(()),
        |_, body| decode_bincode(body),
        validate,
    )
}

/// A file with valid checksums around any body.
fn framed(body: &[u8]) -> Vec<u8> {
    frame(&ModelHeader::new("0", description(), body), body).unwrap()
}

/// The process's peak of resident memory, in KiB.
fn peak_kib() -> u64 {
    let status = std::process::Command::new("grep")
        .args(["VmHWM", &format!("/proc/{}/status", std::process::id())])
        .output()
        .unwrap();
    String::from_utf8(status.stdout)
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn a_model_comes_back_and_the_same_model_gives_the_same_bytes() {
    let bytes = encode(description(), &model()).unwrap();
    assert_eq!(bytes, encode(description(), &model()).unwrap());
    let (header, read) = decode("model.okuo", &bytes).unwrap();
    assert_eq!(read, model());
    assert_eq!(header.description, description());
    assert_eq!(header.okuo_version, env!("CARGO_PKG_VERSION"));
    assert_eq!(read_header("model.okuo", &bytes).unwrap(), header);
    assert_eq!(
        header.model_id(),
        format!("2017-10-31-{}", &header.body_sha256[..12])
    );
}

#[test]
fn where_a_model_comes_from_comes_back() {
    use crate::models::examples::{NIGHT, read, store};
    let clock = crate::calendar::StoreClock::new("Europe/Rome", true, 4).unwrap();
    let purchases = read(store(10, 60, 3));
    let ever = purchases.until(NIGHT).products_bought_within(i32::MAX);
    let origin = Origin::new(purchases.products(), &ever, &clock, Some(730));
    let bytes = encode(
        Description {
            origin: Some(origin.clone()),
            feed: None,
            ..description()
        },
        &model(),
    )
    .unwrap();
    assert_eq!(
        decode("m", &bytes).unwrap().0.description.origin,
        Some(origin)
    );
}

#[test]
fn the_id_follows_the_body_and_not_the_figures() {
    let id = |description, model: &Model| {
        read_header("m", &encode(description, model).unwrap())
            .unwrap()
            .model_id()
    };
    let other_figures = Description {
        figures: serde_json::json!({}),
        ..description()
    };
    assert_eq!(id(description(), &model()), id(other_figures, &model()));
    let other = Model {
        parameters: Parameters {
            seed: 2,
            ..Parameters::default()
        },
        ..model()
    };
    assert_ne!(id(description(), &model()), id(description(), &other));
}

#[test]
fn a_flip_of_any_bit_is_noticed() {
    let bytes = encode_body(description(), &body(), accept).unwrap();
    assert!(decode_body::<Body>("m", &bytes, accept).is_ok());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            let error = decode_body::<Body>("models/m.okuo", &flipped, accept)
                .expect_err(&format!("bit {bit} of byte {at}"));
            assert_eq!(error.kind(), Kind::Input);
            assert!(error.to_string().starts_with("models/m.okuo: "), "{error}");
            assert!(error.to_string().contains("\nhint: "), "{error}");
            assert!(read_header("m", &flipped).is_err());
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_noticed() {
    let bytes = encode_body(description(), &body(), accept).unwrap();
    for len in 0..bytes.len() {
        let error =
            decode_body::<Body>("m", &bytes[..len], accept).expect_err(&format!("{len} bytes"));
        let text = error.to_string();
        assert!(
            if len == 0 {
                text.contains("empty")
            } else {
                text.contains("truncated: it ends after")
            },
            "{len}: {text}"
        );
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(
        decode_body::<Body>("m", &longer, accept)
            .unwrap_err()
            .to_string()
            .contains("it is followed by 1 byte")
    );
}

#[test]
fn foreign_and_future_files_are_told_apart() {
    for foreign in [&b"PAR1 and so on"[..], b"{}", &[0; 200]] {
        let error = decode("x", foreign).unwrap_err().to_string();
        assert!(error.contains("not a model file of okuo"), "{error}");
    }
    let mut future = encode(description(), &model()).unwrap();
    future[8..12].copy_from_slice(&4_u32.to_le_bytes());
    let error = decode("x", &future).unwrap_err().to_string();
    assert!(
        error.contains("format version 4; this okuo reads 1 to 3") && error.contains("hint: "),
        "{error}"
    );
}

#[test]
fn a_newer_okuo_is_told_by_the_format_or_the_version() {
    let file = encode(description(), &model()).unwrap();
    assert!(!is_of_newer_okuo(&file));
    let mut future = file.clone();
    future[8] += 1;
    assert!(is_of_newer_okuo(&future));
    let of_version = |version: &str| {
        let body = [1, 2, 3];
        frame(&ModelHeader::new(version, description(), &body), &body).unwrap()
    };
    for (version, is_newer) in [
        ("99.0.0", true),
        ("0.1.1-rc.1", true),
        ("0.0.9", false),
        ("0.1.0", false),
        ("unknown", false),
    ] {
        assert_eq!(
            is_of_newer_okuo(&of_version(version)),
            is_newer,
            "{version}"
        );
    }
    assert!(!is_of_newer_okuo(b"PAR1 and so on") && !is_of_newer_okuo(&file[..9]));
}

#[test]
fn a_body_that_claims_2_to_the_60_entries_is_stopped_without_memory() {
    let standard = bincode::config::standard();
    let entries = |claimed: u64| bincode::serde::encode_to_vec(claimed, standard).unwrap();
    let before = peak_kib();
    for claimed in [1 << 60, u64::MAX, 1 << 40, 1 << 30, 1 << 24] {
        // The text at the front; then an honest text before the vectors.
        let mut vector = bincode::serde::encode_to_vec("pooled", standard).unwrap();
        vector.extend(entries(claimed));
        vector.extend([0; 64]);
        let mut nodes = bincode::serde::encode_to_vec(("pooled", vec![1.0_f64]), standard).unwrap();
        nodes.extend(entries(claimed));
        nodes.extend([0; 64]);
        for hostile in [[entries(claimed), vec![b'x'; 64]].concat(), vector, nodes] {
            let file = framed(&hostile);
            assert!(read_header("m", &file).is_ok(), "the frame itself is sound");
            let error = decode_body::<Body>("m", &file, accept)
                .unwrap_err()
                .to_string();
            assert!(error.contains("claims more than"), "{error}");
        }
    }
    // Other tests of this process run at the same time; a gigabyte would show nevertheless.
    assert!(
        peak_kib() < before + 300_000,
        "{} → {} KiB",
        before,
        peak_kib()
    );
}

#[test]
fn absurd_lengths_in_the_frame_are_refused() {
    let mut header = encode(description(), &model()).unwrap();
    header[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(
        decode("m", &header)
            .unwrap_err()
            .to_string()
            .contains("claims a header of 4294967295 bytes")
    );
    let mut body = encode(description(), &model()).unwrap();
    let at = 16 + u32::from_le_bytes(body[12..16].try_into().unwrap()) as usize + CHECKSUM_BYTES;
    body[at..at + 8].copy_from_slice(&(1_u64 << 60).to_le_bytes());
    assert!(
        decode("m", &body)
            .unwrap_err()
            .to_string()
            .contains("claims a body of 1152921504606846976 bytes")
    );
}

#[test]
fn bytes_after_the_model_are_an_error() {
    let mut bytes = bincode::serde::encode_to_vec(body(), bincode::config::standard()).unwrap();
    bytes.extend([0; 3]);
    let error = decode_body::<Body>("m", &framed(&bytes), accept)
        .unwrap_err()
        .to_string();
    assert!(error.contains("it is followed by 3 bytes"), "{error}");
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let too_large = vec![u64::MAX; MAX_BODY_BYTES / 9 + 1];
    let error = encode_body(description(), &too_large, accept).unwrap_err();
    assert!(error.to_string().contains("more than the"), "{error}");
    let huge_header = Description {
        data_fingerprint: "x".repeat(MAX_HEADER_BYTES),
        ..description()
    };
    assert!(
        encode(huge_header, &model())
            .unwrap_err()
            .to_string()
            .contains("header takes")
    );
}

#[test]
fn small_integers_in_a_large_body_stay_within_the_limit() {
    for len in [100_000, 200_000, 5_000_000] {
        let ones = vec![1_u64; len];
        let bytes = encode_body(description(), &ones, accept).unwrap();
        assert_eq!(
            decode_body::<Vec<u64>>("m", &bytes, accept).unwrap().1,
            ones
        );
    }
}

#[test]
fn a_model_that_is_inconsistent_is_refused_at_both_ends() {
    let refuse = |_: &ModelHeader, _: &Body| Err(Error::input("a tree without leaves"));
    assert!(encode_body(description(), &body(), refuse).is_err());
    let bytes = encode_body(description(), &body(), accept).unwrap();
    assert_eq!(
        decode_body::<Body>("m", &bytes, refuse)
            .unwrap_err()
            .to_string(),
        "m: a tree without leaves"
    );
    let other_night = Model {
        as_of: AsOf(as_of().day() + 1),
        ..model()
    };
    assert!(
        encode(description(), &other_night)
            .unwrap_err()
            .to_string()
            .contains("the header speaks of 2017-10-31")
    );
}

#[test]
fn a_model_that_reads_other_features_is_refused_at_both_ends() {
    let refused = |change: &dyn Fn(&mut Vec<String>)| {
        let mut description = description();
        change(&mut description.feature_names);
        assert!(encode(description.clone(), &model()).is_err());
        let bytes = encode_body(description, &model(), check).unwrap();
        let error = decode("m", &bytes).unwrap_err();
        assert_eq!(error.kind(), Kind::Input);
        assert!(
            error.to_string().contains("another version of okuo (0.")
                && error.to_string().contains("hint: train again"),
            "{error}"
        );
        error.to_string()
    };
    assert!(
        refused(&|names| names[3] = "timing.moon".into())
            .contains("it reads the feature \"timing.moon\", which this okuo does not know")
    );
    assert!(
        refused(&|names| drop(names.remove(0)))
            .contains("it does not read the feature \"timing.elapsed\", which this okuo computes")
    );
    assert!(refused(&|names| names.swap(0, 1)).contains("the same features in another order"));
    let other_rule = Description {
        rule: Rule {
            periods: 2,
            ..Rule::default()
        },
        ..description()
    };
    assert!(
        encode(other_rule, &model())
            .unwrap_err()
            .to_string()
            .contains("another recurrence rule")
    );
}

proptest! {
    #[test]
    fn any_bytes_give_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), good_magic: bool, sound_frame: bool) {
        let file = if sound_frame { framed(&bytes) } else if good_magic { [&MAGIC[..], &bytes].concat() } else { bytes };
        if let Ok((_, decoded)) = decode_body::<Body>("m", &file, accept) {
            // Random bytes may be a body; then it is one whose encoding has the same length or
            // less.
            prop_assert!(bincode::serde::encode_to_vec(&decoded, bincode::config::standard()).is_ok());
        }
    }

    #[test]
    fn any_body_comes_back(name in ".*", weights in prop::collection::vec(-1e300_f64..1e300, 0..50), nodes in prop::collection::vec(any::<(u32, Option<i32>, bool)>(), 0..50)) {
        let body = Body { name, weights, nodes };
        let bytes = encode_body(description(), &body, accept).unwrap();
        prop_assert_eq!(decode_body::<Body>("m", &bytes, accept).unwrap().1, body);
    }
}

/// The description of a model from when there were fewer basket features.
fn of_earlier_features(basket: usize) -> Description {
    let mut earlier = description();
    let timing = split_tables(&earlier.feature_names).0.len();
    earlier.feature_names.truncate(timing + basket);
    earlier
}

/// A fixture's id and what it says of the first three customers of the example store: days to the
/// next purchase, probability to return within 7, the likeliest product and its probability.
fn told_by_fixture(name: &str, bytes: &[u8]) -> (String, Vec<String>) {
    use crate::models::examples::{NIGHT, read, rule, store};
    let (header, model) = decode(name, bytes).unwrap();
    assert_eq!(
        header.description,
        of_earlier_features(model.basket.width())
    );
    assert_eq!(header.okuo_version, "0.1.0");
    let purchases = read(store(40, 150, 3)).known(NIGHT).unwrap();
    let model = Model {
        as_of: NIGHT,
        ..model
    };
    let predictions = crate::models::score(&model, "m", &purchases, NIGHT, &rule()).unwrap();
    let customers = predictions.customers.iter().take(3).map(|customer| {
        let product = &customer.products[0];
        format!(
            "{:.3} {:.4} {} {:.4}",
            customer.days_to_next,
            customer.return_probability[0],
            product.product,
            product.probability
        )
    });
    (header.model_id(), customers.collect())
}

/// Format 1 keeps loading, with the predictions that it had.
#[test]
fn the_fixture_of_format_1_loads_and_predicts_as_ever() {
    let bytes = include_bytes!("../../tests/fixtures/model-format-1.okuo");
    let (id, told) = told_by_fixture("model-format-1.okuo", bytes);
    assert_eq!(id, "2017-10-31-7db2d3699495");
    assert_eq!(
        told,
        [
            "3.000 0.9793 16 0.9992",
            "3.000 0.9782 12 0.9992",
            "3.000 0.9749 6 0.9992"
        ]
    );
}

/// So does format 2.
#[test]
fn the_fixture_of_format_2_loads_and_predicts_as_ever() {
    let bytes = include_bytes!("../../tests/fixtures/model-format-2.okuo");
    assert_eq!(bytes[8], 2);
    let (id, told) = told_by_fixture("model-format-2.okuo", bytes);
    assert_eq!(id, "2017-10-31-c6af325d72c4");
    assert_eq!(
        told,
        [
            "3.000 0.9793 16 0.9989",
            "3.000 0.9782 18 0.9989",
            "3.000 0.9749 6 0.9465"
        ]
    );
}

/// So does format 3.
#[test]
fn the_fixture_of_format_3_loads_and_predicts_as_ever() {
    let bytes = include_bytes!("../../tests/fixtures/model-format-3.okuo");
    assert_eq!(bytes[8], 3);
    let (id, told) = told_by_fixture("model-format-3.okuo", bytes);
    assert_eq!(id, "2017-10-31-968e0ef7333d");
    assert_eq!(
        told,
        [
            "3.000 0.9121 16 0.9989",
            "3.000 0.9093 18 0.9989",
            "3.000 0.9016 6 0.9465"
        ]
    );
}

/// Writes the fixture of this format once; a fixture that exists is never overwritten.
#[test]
#[ignore = "writes a fixture: run it once, when the model's fields are final"]
fn write_the_fixture_of_this_format() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("tests/fixtures/model-format-{FORMAT_VERSION}.okuo"));
    assert!(
        !path.exists(),
        "{} exists: an old format must keep loading; add a new version instead",
        path.display()
    );
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let bytes = encode(description(), &model()).unwrap();
    std::io::Write::write_all(
        &mut std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .unwrap(),
        &bytes,
    )
    .unwrap();
}

#[test]
fn a_learned_mix_is_read_back_and_is_a_part_of_the_id() {
    let learned = |share| LearnedMix {
        from: as_of(),
        to: as_of(),
        strategies: vec![crate::lift::LearnedStrategy {
            strategy: crate::offers::Strategy::Overdue,
            sent: 90,
            held_back: 10,
            uplift: Some(0.1),
            standard_error: None,
            share,
        }],
    };
    let with = |learned_mix| {
        let description = Description {
            learned_mix,
            ..description()
        };
        let file = encode(description, &model()).unwrap();
        decode("m", &file).unwrap().0
    };
    let [without, one, other] = [None, Some(learned(1.0)), Some(learned(0.5))].map(with);
    assert_eq!(without.description.learned_mix, None);
    assert_eq!(one.description.learned_mix, Some(learned(1.0)));
    assert_eq!(without.body_sha256, one.body_sha256);
    assert!(without.model_id().ends_with(&without.body_sha256[..12]));
    assert_ne!(one.model_id(), without.model_id());
    assert_ne!(one.model_id(), other.model_id());
}
