//! Many publishers of one night at once on S3, and a reader who follows the manifest.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may; clippy sees that only of functions that are tests themselves"
)]

#[allow(dead_code, reason = "shared with tests/binary, which uses all of it")]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use okuo::calendar::AsOf;
use okuo::domain::Funnel;
use okuo::publish::manifest::{
    GuardRecord, MANIFEST, Manifest, ModelReference, night_folder, run_id,
};
use okuo::publish::runs::{NightRun, publish_run};
use okuo::publish::tables::TableFile;
use okuo::store::{Location, open, sha256_hex};
use support::Server;

const PUBLISHERS: u32 = 8;

fn night() -> AsOf {
    "2024-07-10".parse().unwrap()
}

/// A run of its own for each number. Tables need not be Parquet for a reader who compares checksums.
fn run(number: u32) -> NightRun {
    let table = |name: &str| TableFile {
        name: name.to_owned(),
        file: format!("{name}.parquet"),
        rows: 1,
        content: Bytes::from(format!("{name} of run {number} ").repeat(5_000)),
    };
    NightRun {
        as_of: night(),
        model: ModelReference {
            id: "2024-06-30-0123456789ab".to_owned(),
            sha256: "0123456789ab".repeat(5),
        },
        tables: vec![table("customers"), table("products"), table("offers")],
        config: serde_json::json!({ "number": number }),
        inputs: vec![],
        lines: serde_json::json!({}),
        funnel: Funnel::default(),
        warnings: vec![],
        guards: GuardRecord::default(),
        measured: None,
    }
}

/// What a reader saw.
#[derive(Default)]
struct Looks {
    count: usize,
    broken: Vec<String>,
}

/// Looks every 20 ms, and at least once after it was told to stop.
async fn read(output: Location, stop: Arc<AtomicBool>) -> Looks {
    let night = output.child(&night_folder(night()));
    let mut looks = Looks::default();
    loop {
        let is_last = stop.load(Ordering::Relaxed);
        if let Some((content, _)) = night.find(MANIFEST).await.unwrap() {
            looks.count += 1;
            let manifest = Manifest::read(MANIFEST, &content).unwrap();
            for entry in manifest.tables.values() {
                let found = night.find(&entry.path).await.unwrap();
                if found.is_none_or(|(table, _)| sha256_hex(&table) != entry.sha256) {
                    looks.broken.push(entry.path.clone());
                }
            }
        }
        if is_last {
            return looks;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// All runs are published at once, again and again; nobody may fail, and no look may be broken.
async fn race(output: Location, rounds: u32) {
    for round in 0..rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let reader = tokio::spawn(read(output.clone(), Arc::clone(&stop)));
        // Half of the runs are those of the round before.
        let numbers = (0..PUBLISHERS).map(|number| number + round * PUBLISHERS / 2);
        let publishers = numbers.clone().map(|number| {
            let output = output.clone();
            tokio::spawn(async move { publish_run(&output, &run(number)).await })
        });
        for published in futures::future::join_all(publishers).await {
            assert_eq!(published.unwrap().unwrap().warnings, Vec::<String>::new());
        }
        stop.store(true, Ordering::Relaxed);
        let looks = reader.await.unwrap();
        assert_eq!(looks.broken, Vec::<String>::new(), "round {round}");
        assert!(looks.count > 0);
        let night = output.child(&night_folder(night()));
        let (content, _) = night.get(MANIFEST).await.unwrap();
        let standing = Manifest::read(MANIFEST, &content).unwrap();
        let ids: Vec<String> = numbers.map(|number| run_id(&run(number).tables)).collect();
        assert!(ids.contains(&standing.run_id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_publishers_on_s3_never_show_a_manifest_without_its_tables() {
    let server = Server::start().await;
    race(Location::new(Arc::new(server.store()), "out"), 3).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real S3 server: .ci/s3"]
async fn many_publishers_on_a_real_s3_server_never_show_a_manifest_without_its_tables() {
    let bucket = std::env::var("OKUO_TEST_S3_BUCKET")
        .expect("OKUO_TEST_S3_BUCKET is not set: run through .ci/s3");
    let uri = format!("s3://{bucket}/publishers-{}", std::process::id());
    race(open(&uri).await.unwrap(), 5).await;
}
