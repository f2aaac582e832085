mod races;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures::FutureExt;

use super::super::faulty_store::FaultyStore;
use super::*;
use crate::domain::examples;
use crate::offers::{OfferParameters, offers};
use crate::publish::manifest::is_run_id;
use crate::publish::tables::{Format, files};

/// A run whose tables differ from those of other variants, made once.
fn run(variant: u32) -> NightRun {
    static RUNS: LazyLock<Vec<NightRun>> = LazyLock::new(|| (0..9).map(make_run).collect());
    RUNS[variant as usize].clone()
}

fn make_run(variant: u32) -> NightRun {
    let mut predictions = examples::integer();
    predictions.customers[0].purchases_90d = variant;
    let offers = offers(&predictions, &OfferParameters::default()).unwrap();
    NightRun {
        warnings: vec![],
        guards: GuardRecord::default(),
        measured: Some(Measured::of_build()),
        as_of: predictions.as_of,
        model: ModelReference {
            id: predictions.model_id.clone(),
            sha256: "0123456789ab".repeat(5),
        },
        tables: files(&predictions, &offers, &[Format::Csv]).unwrap(),
        config: serde_json::json!({"output": "s3://x/y", "seed": 1}),
        inputs: vec![ManifestInput {
            object: "s3://x/2017-10.csv".into(),
            size: 9,
            etag: "\"e\"".into(),
        }],
        lines: serde_json::json!({"read": 10, "kept": 9, "dropped": {"null id": 1}}),
        funnel: predictions.funnel,
    }
}

fn output(store: &Arc<FaultyStore>) -> Location {
    Location::new(
        Arc::clone(store) as Arc<dyn crate::store::Store>,
        "predictions",
    )
}

async fn publish(store: &Arc<FaultyStore>, variant: u32) -> Result<Published> {
    publish_run(&output(store), &run(variant)).await
}

/// Longer than any run is kept.
const LONG: Duration = Duration::from_secs(2 * 3600);

/// A store in which these runs were published long ago, one long after the other.
async fn published_long_ago(variants: &[u32]) -> Arc<FaultyStore> {
    let store = FaultyStore::new();
    for variant in variants {
        publish(&store, *variant).await.unwrap();
        store.pass(LONG);
    }
    store
}

/// The variant that a reader sees, all of whose tables are verified.
async fn seen(store: &Arc<FaultyStore>) -> Option<u32> {
    let (manifest, tables) = match read_run(&output(store), run(0).as_of).await {
        Ok(read) => read,
        Err(error) if error.kind() == Kind::NotFound => return None,
        Err(error) => panic!("{error}"),
    };
    let variant = (0..9)
        .find(|variant| run_id(&run(*variant).tables) == manifest.run_id)
        .unwrap();
    for table in run(variant).tables {
        assert_eq!(tables[&table.name], table.content);
    }
    Some(variant)
}

fn folders(store: &Arc<FaultyStore>) -> Vec<u32> {
    let objects = store.objects();
    (0..9)
        .filter(|variant| {
            objects
                .keys()
                .any(|key| key.contains(&run_folder(&run_id(&run(*variant).tables))))
        })
        .collect()
}

#[tokio::test]
async fn a_run_is_seen_as_it_was_published() {
    let store = FaultyStore::new();
    assert_eq!(seen(&store).await, None);
    let published = publish(&store, 1).await.unwrap();
    assert_eq!(seen(&store).await, Some(1));
    assert_eq!(
        published.name,
        "memory/predictions/as_of=2017-10-31/manifest.json"
    );
    let manifest = &published.manifest;
    assert_eq!(
        (
            manifest.tables["customers"].rows,
            manifest.tables["products"].rows,
            manifest.tables["offers.csv"].rows
        ),
        (3, 6, 6)
    );
    assert_eq!(
        manifest.tables["customers"].path,
        format!("run={}/customers.parquet", manifest.run_id)
    );
    let text =
        String::from_utf8(store.objects()["predictions/as_of=2017-10-31/manifest.json"].to_vec())
            .unwrap();
    let fields: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  \"")?.split('"').next())
        .collect();
    assert_eq!(
        fields,
        [
            "format",
            "as_of",
            "run_id",
            "previous",
            "okuo_version",
            "model",
            "tables",
            "config",
            "inputs",
            "lines",
            "funnel",
            "warnings",
            "guards",
            "measured"
        ]
    );
    assert_eq!(Manifest::read("m", text.as_bytes()).unwrap(), *manifest);
    let log = store.taken_log();
    assert_eq!(
        log.last().unwrap(),
        "put predictions/as_of=2017-10-31/manifest.json",
        "the manifest is last: {log:?}"
    );
    assert_eq!(log.len(), 5);
}

#[tokio::test]
async fn the_same_run_again_writes_nothing() {
    let store = FaultyStore::new();
    for variant in [3, 1, 2] {
        publish(&store, variant).await.unwrap();
    }
    let before = store.objects();
    store.taken_log();
    publish(&store, 2).await.unwrap();
    assert_eq!(store.taken_log(), Vec::<String>::new());
    assert_eq!(store.objects(), before);

    // However long it took this time.
    let slower = NightRun {
        measured: Some(Measured {
            total_seconds: Some(99.0),
            ..Measured::default()
        }),
        ..run(2)
    };
    let published = publish_run(&output(&store), &slower).await.unwrap();
    assert_eq!(store.objects(), before);
    assert_eq!(published.manifest.measured, run(2).measured);
}

#[tokio::test]
async fn the_run_before_stays_and_older_ones_go() {
    let store = FaultyStore::new();
    for (variant, left) in [
        (1, vec![1]),
        (2, vec![1, 2]),
        (3, vec![2, 3]),
        (4, vec![3, 4]),
        (3, vec![3, 4]),
        (5, vec![3, 5]),
    ] {
        let published = publish(&store, variant).await.unwrap();
        assert_eq!(published.warnings, Vec::<String>::new());
        assert_eq!((seen(&store).await, folders(&store)), (Some(variant), left));
        store.pass(LONG);
    }
}

#[tokio::test]
async fn a_run_stays_for_who_read_a_manifest_lately() {
    let store = published_long_ago(&[1]).await;
    for variant in [2, 3, 4] {
        publish(&store, variant).await.unwrap();
    }
    assert_eq!(folders(&store), [1, 2, 3, 4]);
    store.pass(LONG);
    let published = publish(&store, 5).await.unwrap();
    assert_eq!(folders(&store), [4, 5]);
    let retired: Vec<String> = [1, 2, 3].map(|old| run_id(&run(old).tables)).into();
    assert!(
        retired
            .iter()
            .all(|id| published.manifest.retired.contains(id))
    );
}

#[tokio::test]
async fn another_night_is_left_alone() {
    let store = FaultyStore::new();
    let mut other = run(7);
    other.as_of = AsOf(other.as_of.day() + 1);
    publish_run(&output(&store), &other).await.unwrap();
    for variant in [1, 2, 3] {
        publish(&store, variant).await.unwrap();
    }
    assert_eq!(
        read_run(&output(&store), other.as_of)
            .await
            .unwrap()
            .0
            .run_id,
        run_id(&other.tables)
    );
}

#[tokio::test]
async fn a_crash_at_any_operation_leaves_one_whole_run_and_the_next_publish_heals() {
    for former in [vec![], vec![1], vec![1, 2], vec![1, 2, 4]] {
        let start = published_long_ago(&former).await;
        let clean = start.copy();
        publish(&clean, 3).await.unwrap();
        let mut finished = false;
        for operations in 0..100 {
            let store = start.copy();
            store.allow(Some(operations));
            let outcome = publish(&store, 3).await;
            store.allow(None);
            let now = seen(&store).await;
            assert!(
                now == Some(3) || (now == former.last().copied() && outcome.is_err()),
                "{operations} operations: {now:?}"
            );
            publish(&store, 3).await.unwrap();
            assert_eq!(
                store.objects(),
                clean.objects(),
                "healed after {operations} operations"
            );
            // A third run after the crash.
            let store = start.copy();
            store.allow(Some(operations));
            let _ = publish(&store, 3).await;
            store.allow(None);
            for variant in [5, 6, 7] {
                store.pass(LONG);
                publish(&store, variant).await.unwrap();
            }
            assert_eq!(
                (seen(&store).await, folders(&store)),
                (Some(7), vec![6, 7]),
                "nothing is left behind"
            );
            finished = outcome.is_ok_and(|published| published.warnings.is_empty());
            if finished {
                break;
            }
        }
        assert!(finished, "the loop reached the end of publishing");
    }
}

/// Lets another publisher do all of its work before the `at`-th operation of the next one; the flag
/// says whether it came to that.
fn intrude(store: &Arc<FaultyStore>, at: usize, other: u32) -> Arc<AtomicBool> {
    let came = Arc::new(AtomicBool::new(false));
    let (inner, flag, mut operation) = (Arc::clone(store), Arc::clone(&came), 0);
    store.before_each(move |_, _| {
        if operation == at {
            publish(&inner, other).now_or_never().unwrap().unwrap();
            flag.store(true, Ordering::Relaxed);
        }
        operation += 1;
    });
    came
}

#[tokio::test]
async fn two_publishers_at_any_interleaving_leave_one_whole_run() {
    for former in [vec![], vec![1], vec![1, 2], vec![4, 1, 2]] {
        for other in [2, 3, 4, 5] {
            for at in 0..40 {
                let store = published_long_ago(&former).await;
                let came = intrude(&store, at, other);
                let first = publish(&store, 3).await.unwrap();
                store.before_each(|_, _| {});
                let now = seen(&store).await.unwrap();
                assert!(now == 3 || now == other, "{former:?} {other} {at}: {now}");
                let (standing, _) = read_run(&output(&store), run(0).as_of).await.unwrap();
                if came.load(Ordering::Relaxed) && other > 3 {
                    let before = if now == 3 { other } else { 3 };
                    assert_eq!(
                        standing.previous,
                        Some(run_id(&run(before).tables)),
                        "the run that stood before this one"
                    );
                }
                let named = [Some(standing.run_id), standing.previous]
                    .into_iter()
                    .flatten();
                for id in named {
                    let files = store
                        .objects()
                        .keys()
                        .filter(|key| key.contains(&run_folder(&id)))
                        .count();
                    assert_eq!(
                        files, 4,
                        "{former:?} {other} {at}: a run that is named is whole"
                    );
                }
                assert_eq!(first.manifest.run_id, run_id(&run(3).tables));
            }
        }
    }
}

#[tokio::test]
async fn a_run_that_is_published_again_while_it_is_removed_is_whole() {
    for at in 0..40 {
        let store = published_long_ago(&[1, 2]).await;
        let (inner, flag) = (Arc::clone(&store), Arc::new(AtomicBool::new(false)));
        let (came, mut operation, mut before) = (Arc::clone(&flag), 0, String::new());
        store.before_each(move |name, _| {
            // Not between a look at the manifest and the removal that it allows: whoever publishes the
            // run waits for longer than the two can lie apart.
            if operation >= at && before != "head" && !flag.load(Ordering::Relaxed) {
                flag.store(true, Ordering::Relaxed);
                publish(&inner, 1).now_or_never().unwrap().unwrap();
            }
            operation += 1;
            name.clone_into(&mut before);
        });
        publish(&store, 3).await.unwrap();
        store.before_each(|_, _| {});
        assert!(matches!(seen(&store).await, Some(1 | 3)), "{at}");
        assert!(came.load(Ordering::Relaxed) || at > 12, "{at}");
    }
}

#[tokio::test]
async fn a_retired_run_that_is_removed_while_it_is_published_again_is_whole() {
    // The third publisher has stopped before it removed the first run; another one does so while
    // the first run is published again.
    let start = published_long_ago(&[1, 2]).await;
    start.forbid_delete();
    assert_eq!(publish(&start, 3).await.unwrap().warnings.len(), 1);
    assert_eq!(folders(&start), [1, 2, 3]);
    for at in 0..30 {
        let store = start.copy();
        let came = intrude(&store, at, 3);
        publish(&store, 1).await.unwrap();
        store.before_each(|_, _| {});
        assert!(matches!(seen(&store).await, Some(1 | 3)), "{at}");
        assert!(came.load(Ordering::Relaxed) || at > 8, "{at}");
    }
}

#[tokio::test]
async fn an_upload_without_a_manifest_survives_as_long_as_it_may_get_one() {
    // Another publisher is between its tables and its manifest while runs 2 and 3 are published.
    let store = published_long_ago(&[1]).await;
    let night = output(&store).child(&night_folder(run(0).as_of));
    upload(&night, &run(5), &run_id(&run(5).tables), &[])
        .await
        .unwrap();
    publish(&store, 2).await.unwrap();
    publish(&store, 3).await.unwrap();
    assert_eq!(folders(&store), [1, 2, 3, 5]);
    store.pass(LONG);
    publish(&store, 4).await.unwrap();
    assert_eq!(folders(&store), [3, 4], "dead by now");
}

#[tokio::test]
async fn without_the_right_to_delete_the_run_stands_with_a_warning() {
    let store = published_long_ago(&[1, 2]).await;
    store.forbid_delete();
    let published = publish(&store, 3).await.unwrap();
    assert_eq!(published.warnings.len(), 1);
    assert!(
        published.warnings[0].contains("AccessDenied"),
        "{:?}",
        published.warnings
    );
    assert_eq!(seen(&store).await, Some(3));
}

#[tokio::test]
async fn missing_and_damaged_tables_are_noticed_and_repaired() {
    let store = FaultyStore::new();
    let id = publish(&store, 1).await.unwrap().manifest.run_id;
    let before = store.objects();
    let products = format!("predictions/as_of=2017-10-31/run={id}/products.parquet");
    let read = async || {
        read_run(&output(&store), run(0).as_of)
            .await
            .unwrap_err()
            .to_string()
    };
    let mut damaged = before[&products].to_vec();
    damaged[100] ^= 1;
    store.set(&products, damaged);
    assert!(
        read().await.starts_with(&format!(
            "memory/{products}: the manifest's table products is damaged"
        )),
        "{}",
        read().await
    );
    store.remove(&products);
    assert!(
        read()
            .await
            .contains("the manifest's table products is missing")
    );
    publish(&store, 1).await.unwrap();
    assert_eq!(store.objects(), before);
}

#[tokio::test]
async fn rows_are_counted() {
    let store = FaultyStore::new();
    let mut wrong = run(1);
    wrong.tables[0].rows = 4;
    publish_run(&output(&store), &wrong).await.unwrap();
    let error = read_run(&output(&store), wrong.as_of)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("customers has 3 rows, not 4"), "{error}");
}

#[tokio::test]
async fn a_reader_whose_run_is_removed_follows_the_new_manifest() {
    let store = FaultyStore::new();
    publish(&store, 1).await.unwrap();
    let (inner, mut done) = (Arc::clone(&store), false);
    store.before_each(move |operation, key| {
        if operation == "get" && key.ends_with("offers.parquet") && !done {
            done = true;
            for variant in [2, 3, 4] {
                inner.pass(LONG);
                publish(&inner, variant).now_or_never().unwrap().unwrap();
            }
        }
    });
    assert_eq!(seen(&store).await, Some(4));
}

#[tokio::test]
async fn manifests_of_others_are_handled_with_care() {
    let key = "predictions/as_of=2017-10-31/manifest.json";
    let store = FaultyStore::new();
    publish(&store, 1).await.unwrap();
    let sound = String::from_utf8(store.objects()[key].to_vec()).unwrap();
    let night = run(0).as_of;
    let id = run_id(&run(1).tables);

    // A newer okuo's manifest is neither read nor replaced.
    store.set(key, sound.replace("\"format\": 1", "\"format\": 2"));
    for error in [
        read_run(&output(&store), night).await.unwrap_err(),
        publish(&store, 2).await.unwrap_err(),
    ] {
        assert!(
            error.to_string().contains("format 2; this okuo reads 1"),
            "{error}"
        );
    }
    // A damaged one is an error to readers and replaced by a publisher, who says so.
    for damaged in [
        "{",
        "",
        "[]",
        &sound[..sound.len() / 2],
        &sound.replace(&format!("run={id}/products"), "../products"),
        &sound.replace(&id, "x"),
    ] {
        store.set(key, damaged.to_owned());
        let error = read_run(&output(&store), night)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!("memory/{key}: ")) && error.contains("hint: "),
            "{error}"
        );
        let published = publish(&store, 2).await.unwrap();
        assert!(
            published.warnings[0].contains("is replaced"),
            "{:?}",
            published.warnings
        );
        assert_eq!(seen(&store).await, Some(2));
    }
    // The manifest of another night, copied here.
    store.set(
        key,
        sound.replace("\"as_of\": \"2017-10-31\"", "\"as_of\": \"2017-10-30\""),
    );
    assert!(
        read_run(&output(&store), night)
            .await
            .unwrap_err()
            .to_string()
            .contains("it is the manifest of 2017-10-30")
    );
}

#[test]
fn the_run_id_follows_the_tables_alone() {
    let mut reordered = run(1).tables;
    reordered.reverse();
    assert_eq!(run_id(&run(1).tables), run_id(&reordered));
    assert_ne!(run_id(&run(1).tables), run_id(&run(2).tables));
    assert!(is_run_id(&run_id(&run(1).tables)));
    assert!(!is_run_id("../../../etc") && !is_run_id("0123456789AB") && !is_run_id(""));
}

/// Writes a published night where OKUO_EXAMPLE_NIGHT says, for looking at it with other readers.
#[tokio::test]
#[ignore = "writes files for a person to look at"]
async fn write_an_example_night() {
    let Some(folder) = std::env::var_os("OKUO_EXAMPLE_NIGHT") else {
        return;
    };
    let store = FaultyStore::new();
    publish(&store, 1).await.unwrap();
    let mut nobody = make_run(2);
    nobody.as_of = AsOf(nobody.as_of.day() + 1);
    nobody.tables = files(
        &crate::domain::Predictions {
            customers: vec![],
            ..examples::text()
        },
        &[],
        &[],
    )
    .unwrap();
    publish_run(&output(&store), &nobody).await.unwrap();
    for (key, content) in store.objects() {
        let path = std::path::Path::new(&folder).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::io::Write::write_all(
            &mut std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .open(path)
                .unwrap(),
            &content,
        )
        .unwrap();
    }
}
