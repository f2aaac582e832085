use std::sync::Arc;

use super::super::faulty_store::FaultyStore;
use super::super::promotion::Decision;
use super::*;
use crate::artifact::Description;
use crate::calendar::Day;
use crate::recurrence::Rule;

fn file(seed: u64, note: &str) -> Bytes {
    let as_of = AsOf(Day::from_epoch(17_470)); // 2017-10-31
    let description = Description {
        as_of,
        data_fingerprint: "c0ffee".into(),
        rule: Rule::default(),
        feature_names: artifact::feature_names(),
        parameters: serde_json::json!({"seed": seed}),
        figures: serde_json::json!({"note": note}),
        warnings: vec![],
        origin: None,
        corrections: vec![],
        feed: None,
        learned_mix: None,
        features: None,
    };
    let model = crate::models::examples::tiny_model(as_of, seed);
    artifact::encode(description, &model).unwrap().into()
}

fn registry(store: &Arc<FaultyStore>) -> Registry {
    Registry::new(Location::new(
        Arc::clone(store) as Arc<dyn crate::store::Store>,
        "models",
    ))
}

async fn filled() -> (Arc<FaultyStore>, Registry, Vec<String>) {
    let store = FaultyStore::new();
    let registry = registry(&store);
    let mut ids = vec![];
    for seed in 1..4 {
        let saved = registry.save(file(seed, ""), None).await.unwrap();
        ids.push(saved.model_id);
    }
    (store, registry, ids)
}

fn model_and_previous(pointer: &Pointer) -> (&str, Option<&str>) {
    (&pointer.model_id, pointer.previous.as_deref())
}

fn yes() -> Decision {
    Decision {
        promote: true,
        reason: "better".into(),
        compared: vec![],
    }
}

#[tokio::test]
async fn a_model_is_saved_listed_shown_and_loaded() {
    let (store, registry, ids) = filled().await;
    let mut sorted = ids.clone();
    sorted.sort();
    assert_eq!(registry.list().await.unwrap(), sorted);
    let (header, model) = registry.load(&ids[1]).await.unwrap();
    assert_eq!(
        (header.model_id(), model.parameters.seed),
        (ids[1].clone(), 2)
    );
    let card = registry.card(&ids[1]).await.unwrap();
    assert_eq!(
        (card.header, card.file_bytes),
        (header, file(2, "").len() as u64)
    );
    assert_eq!(card.file_sha256, sha256_hex(&file(2, "")));
    let keys: Vec<String> = store
        .objects()
        .keys()
        .filter(|key| key.contains(&ids[0]))
        .cloned()
        .collect();
    assert_eq!(
        keys,
        [
            format!("models/{}/card.json", ids[0]),
            format!("models/{}/model.okuo", ids[0])
        ]
    );
    let text = String::from_utf8(store.objects()[&keys[0]].to_vec()).unwrap();
    assert!(
        text.starts_with(&format!(
            "{{\n  \"model_id\": \"{}\",\n  \"file_bytes\": ",
            ids[0]
        )),
        "{text}"
    );
}

#[tokio::test]
async fn the_same_bytes_again_are_harmless_and_other_bytes_are_not() {
    let (store, registry, ids) = filled().await;
    let before = store.objects();
    store.taken_log();
    let saved = registry.save(file(2, ""), None).await.unwrap();
    assert_eq!((saved.model_id, saved.warning), (ids[1].clone(), None));
    assert_eq!(store.objects(), before);
    let error = registry
        .save(file(2, "other figures"), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Request);
    assert!(
        error
            .to_string()
            .contains("this model is already stored, with different figures"),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains(&format!("memory/models/{}/model.okuo", ids[1])),
        "{error}"
    );
    assert_eq!(store.objects(), before);
    assert!(
        registry
            .save(Bytes::from_static(b"nothing"), None)
            .await
            .is_err()
    );
}

fn by(commit: &str) -> Option<Measured> {
    let build = crate::record::Build {
        commit: commit.to_owned(),
        ..crate::record::Build::current()
    };
    Some(Measured {
        build,
        ..Measured::default()
    })
}

#[tokio::test]
async fn what_another_okuo_measured_of_the_same_model_stands() {
    let store = FaultyStore::new();
    let registry = registry(&store);
    let first = registry.save(file(1, ""), by("aaaa")).await.unwrap();
    let card = registry.card(&first.model_id).await.unwrap();
    assert_eq!(card.measured, by("aaaa"));
    let before = store.objects();
    // The same file, by another commit and in another time.
    let again = registry.save(file(1, ""), by("bbbb")).await.unwrap();
    assert_eq!((again, store.objects()), (first.clone(), before.clone()));
    // Other figures, by the same commit, by one that is not known, and by another one.
    for commit in ["aaaa", crate::record::UNKNOWN] {
        let error = registry.save(file(1, "other"), by(commit)).await;
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("already stored, with different figures"),
            "{text}"
        );
    }
    let other = registry.save(file(1, "other"), by("bbbb")).await.unwrap();
    let warning = other.warning.unwrap();
    assert!(
        warning.contains("by another build of okuo") && warning.contains("different figures"),
        "{warning}"
    );
    assert_eq!((other.model_id, store.objects()), (first.model_id, before));
}

#[tokio::test]
async fn a_crash_while_saving_is_healed_by_saving_again() {
    let clean = FaultyStore::new();
    registry(&clean).save(file(1, ""), None).await.unwrap();
    for operations in 0..3 {
        let store = FaultyStore::new();
        store.allow(Some(operations));
        assert!(registry(&store).save(file(1, ""), None).await.is_err());
        store.allow(None);
        for id in registry(&store).list().await.unwrap() {
            assert_eq!(
                registry(&store).card(&id).await.unwrap(),
                registry(&clean).card(&id).await.unwrap(),
                "without card.json too"
            );
            registry(&store).load(&id).await.unwrap();
        }
        registry(&store).save(file(1, ""), None).await.unwrap();
        assert_eq!(store.objects(), clean.objects());
    }
}

#[tokio::test]
async fn ids_are_checked_before_they_become_keys() {
    let (_, registry, _) = filled().await;
    for id in [
        "",
        "latest.json",
        "../../etc/passwd",
        "2017-10-31-0123456789AB",
        "2017-13-31-0123456789ab",
        "2017-10-31-0123456789abc",
        "é017-10-31-0123456789ab",
    ] {
        for error in [
            registry.load(id).await.unwrap_err(),
            registry.card(id).await.unwrap_err(),
            registry.promote(id, None, "better").await.unwrap_err(),
        ] {
            assert!(error.to_string().contains("is not a model's id"), "{error}");
            assert_eq!(error.exit_code(), 1);
        }
    }
    assert!(is_model_id("2017-10-31-0123456789ab") && !is_model_id("2017-1-031-0123456789ab"));
}

#[tokio::test]
async fn a_model_that_is_not_there_is_answered_with_those_that_are() {
    let (_, full, ids) = filled().await;
    let id = "2017-10-31-0123456789ab";
    let empty = registry(&FaultyStore::new());
    for (registry, hint) in [(&full, ids[2].as_str()), (&empty, "the registry is empty")] {
        for error in [
            registry.load(id).await.unwrap_err(),
            registry.card(id).await.unwrap_err(),
            registry.promote(id, None, "better").await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), Kind::NotFound);
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("memory/models: there is no model {id}")),
                "{error}"
            );
            assert!(error.to_string().contains(hint), "{error}");
        }
    }
    assert_eq!(empty.list().await.unwrap(), Vec::<String>::new());
    assert!(
        empty
            .load_promoted()
            .await
            .unwrap_err()
            .to_string()
            .contains("okuo train")
    );
    assert!(
        full.load_promoted()
            .await
            .unwrap_err()
            .to_string()
            .contains(&ids[0])
    );
}

#[tokio::test]
async fn the_pointer_moves_only_from_where_it_was_seen() {
    let (store, registry, ids) = filled().await;
    assert_eq!(registry.promoted().await.unwrap(), None);
    registry.promote(&ids[0], None, "better").await.unwrap();
    let first = registry.promoted().await.unwrap().unwrap();
    assert_eq!(model_and_previous(&first.pointer), (ids[0].as_str(), None));
    assert_eq!(
        registry
            .promote(&ids[1], None, "better")
            .await
            .unwrap_err()
            .kind(),
        Kind::Conflict,
        "expected none"
    );
    registry
        .promote(&ids[1], Some(&first), "better")
        .await
        .unwrap();
    assert_eq!(
        registry
            .promote(&ids[2], Some(&first), "better")
            .await
            .unwrap_err()
            .kind(),
        Kind::Conflict,
        "expected the first"
    );
    let second = registry.promoted().await.unwrap().unwrap();
    assert_eq!(
        model_and_previous(&second.pointer),
        (ids[1].as_str(), Some(ids[0].as_str()))
    );
    assert_eq!(registry.load_promoted().await.unwrap().0.model_id(), ids[1]);
    store.taken_log();
    registry
        .promote(&ids[1], Some(&second), "better")
        .await
        .unwrap();
    assert!(store.taken_log().is_empty(), "already there");
}

#[tokio::test]
async fn a_lost_race_is_decided_anew() {
    let (store, registry, ids) = filled().await;
    registry.promote(&ids[0], None, "better").await.unwrap();
    let mut asked = vec![];
    let decision = registry.promote_if(&ids[1], |standing: Option<&Pointer>| {
        asked.push(standing.unwrap().model_id.clone());
        if asked.len() == 1 {
            store.set(
                "models/latest.json",
                format!("{{\"model_id\": \"{}\", \"previous\": null}}", ids[2]),
            );
        }
        yes()
    });
    assert_eq!(decision.await.unwrap(), yes());
    assert_eq!(asked, [ids[0].clone(), ids[2].clone()]);
    let standing = registry.promoted().await.unwrap().unwrap().pointer;
    assert_eq!(
        model_and_previous(&standing),
        (ids[1].as_str(), Some(ids[2].as_str()))
    );
    let last = standing.history.last().unwrap();
    assert_eq!(last.reason, "better");

    let no = Decision {
        promote: false,
        reason: "worse".into(),
        compared: vec![],
    };
    assert_eq!(
        registry
            .promote_if(&ids[0], |_: Option<&Pointer>| no.clone())
            .await
            .unwrap(),
        no
    );
    assert_eq!(
        registry.promoted().await.unwrap().unwrap().pointer,
        standing
    );
    let always_late = registry.promote_if(&ids[0], |_: Option<&Pointer>| {
        store.set(
            "models/latest.json",
            format!("{{\"model_id\": \"{}\", \"previous\": null}}", ids[2]),
        );
        yes()
    });
    assert_eq!(always_late.await.unwrap_err().kind(), Kind::Conflict);
}

#[tokio::test]
async fn damage_is_named() {
    let (store, registry, ids) = filled().await;
    for damaged in [
        "",
        "{",
        "[]",
        "{\"model_id\": \"../x\", \"previous\": null}",
        "{\"model_id\": 3}",
    ] {
        store.set("models/latest.json", damaged);
        for error in [
            registry.promoted().await.unwrap_err(),
            registry.load_promoted().await.unwrap_err(),
        ] {
            assert!(
                error.to_string().starts_with("memory/models/latest.json: ")
                    && error.to_string().contains("hint: "),
                "{error}"
            );
        }
        let moved = registry
            .promote_if(&ids[0], |_: Option<&Pointer>| yes())
            .await;
        assert!(
            moved
                .unwrap_err()
                .to_string()
                .starts_with("memory/models/latest.json: ")
        );
    }
    store.set(
        "models/latest.json",
        "{\"model_id\": \"2017-10-31-0123456789ab\", \"previous\": null}",
    );
    let error = registry.load_promoted().await.unwrap_err().to_string();
    assert!(
        error.starts_with("memory/models/latest.json: it names the model 2017-10-31-0123456789ab, which is not in the registry"),
        "{error}"
    );

    let card = format!("models/{}/card.json", ids[0]);
    for damaged in [
        Bytes::from_static(b"{"),
        store.objects()[&format!("models/{}/card.json", ids[1])].clone(),
    ] {
        store.set(&card, damaged);
        let error = registry.card(&ids[0]).await.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("memory/{card}: ")) && error.contains("hint: remove it"),
            "{error}"
        );
    }
    let model = format!("models/{}/model.okuo", ids[0]);
    store.set(
        &model,
        store.objects()[&format!("models/{}/model.okuo", ids[1])].clone(),
    );
    assert!(
        registry
            .load(&ids[0])
            .await
            .unwrap_err()
            .to_string()
            .contains(&format!("the file holds the model {}", ids[1]))
    );
    store.set(&model, "not a model");
    assert!(
        registry
            .load(&ids[0])
            .await
            .unwrap_err()
            .to_string()
            .starts_with(&format!("memory/{model}: this is not a model file"))
    );
}
