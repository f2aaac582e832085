//! The storage contract, on every store that okuo has, and what S3 does when things go wrong.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may; clippy sees that only of functions that are tests themselves"
)]

#[allow(dead_code, reason = "shared with tests/binary, which uses all of it")]
mod support;

use std::io::Write;
use std::sync::Arc;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_sdk_s3::config::SharedCredentialsProvider;
use bytes::Bytes;
use futures::StreamExt;
use hyper::Method;
use okuo::error::Kind;
use okuo::store::{InMemory, Local, Location, PutMode, S3, Store, find, open};
use support::{Fault, Server, config};

/// Whether a server's listings carry tags; those of s3s-fs do not.
#[derive(Clone, Copy, PartialEq)]
enum Listing {
    Tagged,
    Untagged,
}

/// What every store promises. `location` is empty and ours alone; `many` is the number of objects
/// of the long listing.
async fn contract(location: Location, many: usize, listing: Listing) {
    content_comes_back(&location, listing).await;
    conditions_hold(&location).await;
    one_writer_wins(&location).await;
    streams_become_whole_objects(&location.child("streamed")).await;
    lists_are_in_byte_order(&location).await;
    long_lists_are_whole(&location.child("many"), many).await;
    deletion_is_repeatable(&location).await;
    keys_may_be_unusual(&location.child("odd")).await;
    bad_keys_are_refused(&location).await;
    for object in location.list("").await.unwrap() {
        location.delete(&object.key).await.unwrap();
    }
    assert!(location.list("").await.unwrap().is_empty());
}

async fn content_comes_back(location: &Location, listing: Listing) {
    let mut state = 1_u32;
    let large: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(10_000_000)
    .collect();
    for content in [
        Bytes::new(),
        Bytes::from_static(b"one"),
        Bytes::from(large),
        Bytes::from_static(b"short again"),
    ] {
        let etag = location
            .put("content/x", content.clone(), PutMode::Overwrite)
            .await
            .unwrap();
        let (read, read_etag) = location.get("content/x").await.unwrap();
        assert!(read == content, "{} of {} bytes", read.len(), content.len());
        assert_eq!(read_etag, etag);
        let listed = location.list("content/").await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (listed[0].key.as_str(), listed[0].size),
            ("content/x", content.len() as u64)
        );
        if listing == Listing::Tagged {
            assert_eq!(listed[0].etag, etag);
        }
        let head = location.head("content/x").await.unwrap().unwrap();
        assert_eq!(
            (head.key.as_str(), head.size, head.etag),
            ("content/x", content.len() as u64, etag)
        );
    }
    let (content, etag) = location.get("content/x").await.unwrap();
    let range = async |range, etag| {
        location
            .store
            .get_range(&location.child("content/x").path, range, etag)
            .await
    };
    assert_eq!(range(2..7, &etag).await.unwrap(), content.slice(2..7));
    assert_eq!(
        range(0..content.len() as u64, &etag).await.unwrap(),
        content
    );
    assert_eq!(range(3..3, &etag).await.unwrap(), Bytes::new());
    assert_eq!(
        range(2..7, "another").await.unwrap_err().kind(),
        Kind::Conflict
    );
    assert!(range(2..100, &etag).await.is_err());
    let missing = location.get("content/missing").await.unwrap_err();
    assert_eq!(missing.kind(), Kind::NotFound);
    assert!(
        missing
            .to_string()
            .starts_with(&location.child("content/missing").name()),
        "{missing}"
    );
    assert_eq!(location.head("content/missing").await.unwrap(), None);
}

async fn conditions_hold(location: &Location) {
    let (a, b, c) = (
        Bytes::from_static(b"a"),
        Bytes::from_static(b"b"),
        Bytes::from_static(b"c"),
    );
    let first = location
        .put("conditions/x", a.clone(), PutMode::IfAbsent)
        .await
        .unwrap();
    let refused = location
        .put("conditions/x", b.clone(), PutMode::IfAbsent)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), Kind::Conflict);
    // The same content is no excuse.
    assert_eq!(
        location
            .put("conditions/x", a.clone(), PutMode::IfAbsent)
            .await
            .unwrap_err()
            .kind(),
        Kind::Conflict
    );
    assert_eq!(
        location.get("conditions/x").await.unwrap(),
        (a, first.clone())
    );

    let second = location
        .put("conditions/x", b.clone(), PutMode::IfMatch(first.clone()))
        .await
        .unwrap();
    assert_ne!(first, second);
    assert_eq!(
        location
            .put("conditions/x", c.clone(), PutMode::IfMatch(first.clone()))
            .await
            .unwrap_err()
            .kind(),
        Kind::Conflict
    );
    assert_eq!(location.get("conditions/x").await.unwrap(), (b, second));
    assert_eq!(
        location
            .put("conditions/none", c, PutMode::IfMatch(first))
            .await
            .unwrap_err()
            .kind(),
        Kind::Conflict
    );
    assert_eq!(
        location.get("conditions/none").await.unwrap_err().kind(),
        Kind::NotFound
    );
}

async fn one_writer_wins(location: &Location) {
    let etag = location
        .put(
            "race/matched",
            Bytes::from_static(b"start"),
            PutMode::Overwrite,
        )
        .await
        .unwrap();
    for (key, mode) in [
        ("race/absent", PutMode::IfAbsent),
        ("race/matched", PutMode::IfMatch(etag)),
    ] {
        let writers = (0..16).map(|writer| {
            let (location, mode) = (location.clone(), mode.clone());
            tokio::spawn(async move {
                let content = Bytes::from(format!("writer {writer}"));
                match location.put(key, content.clone(), mode).await {
                    Ok(_) => Some(content),
                    Err(error) => {
                        assert_eq!(error.kind(), Kind::Conflict, "{error}");
                        None
                    }
                }
            })
        });
        let results = futures::future::join_all(writers).await;
        let winners: Vec<Bytes> = results
            .into_iter()
            .filter_map(|result| result.unwrap())
            .collect();
        assert_eq!(winners.len(), 1, "{key}");
        assert_eq!(location.get(key).await.unwrap().0, winners[0]);
    }
}

async fn streams_become_whole_objects(location: &Location) {
    let chunk = vec![b'x'; 300_000];
    // Less and more than the writer's buffer.
    for chunks in [0, 1, 10] {
        let mut writer = location.writer("a/b").await.unwrap();
        for _ in 0..chunks {
            writer.write_all(&chunk).unwrap();
        }
        assert!(location.list("").await.unwrap().is_empty());
        assert_eq!(location.head("a/b").await.unwrap(), None);
        let etag = writer.commit(PutMode::IfAbsent).await.unwrap();
        let (content, read_etag) = location.get("a/b").await.unwrap();
        assert!(content == chunk.repeat(chunks), "{} bytes", content.len());
        assert_eq!(read_etag, etag);
        location.delete("a/b").await.unwrap();
    }

    // This place itself is an object, too, and is replaced as a whole.
    let place = location.child("c");
    for text in ["one", "another"] {
        let mut writer = place.writer("").await.unwrap();
        writer.write_all(text.as_bytes()).unwrap();
        writer.commit(PutMode::Overwrite).await.unwrap();
        assert_eq!(place.get("").await.unwrap().0, text);
    }
    // What is not committed, or refused, changes nothing.
    let mut dropped = place.writer("").await.unwrap();
    dropped.write_all(b"half").unwrap();
    drop(dropped);
    let refused = place.writer("").await.unwrap();
    let error = refused.commit(PutMode::IfAbsent).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(place.get("").await.unwrap().0, "another");
    assert_eq!(location.list("").await.unwrap().len(), 1);
}

async fn lists_are_in_byte_order(location: &Location) {
    let location = location.child("order");
    // "-" < "/" < "0": a walk through folders gives another order.
    for key in ["a/b/1", "a/bc", "a/b-x", "a/b0", "B", "a/b/0", "é", "b"] {
        location
            .put(key, Bytes::from_static(b"x"), PutMode::IfAbsent)
            .await
            .unwrap();
    }
    let list = async |prefix: &str| -> Vec<String> {
        location
            .list(prefix)
            .await
            .unwrap()
            .into_iter()
            .map(|object| object.key)
            .collect()
    };
    assert_eq!(
        list("").await,
        ["B", "a/b-x", "a/b/0", "a/b/1", "a/b0", "a/bc", "b", "é"]
    );
    assert_eq!(
        list("a/b").await,
        ["a/b-x", "a/b/0", "a/b/1", "a/b0", "a/bc"]
    );
    assert_eq!(list("a/b/").await, ["a/b/0", "a/b/1"]);
    assert_eq!(list("a/bc").await, ["a/bc"]);
    assert!(list("a/x").await.is_empty());
    assert!(list("x/y/z").await.is_empty());
    assert_eq!(
        location.store.children(&location.path).await.unwrap(),
        ["B", "a/", "b", "é"]
    );
    assert_eq!(
        location
            .store
            .children(&location.child("a").path)
            .await
            .unwrap(),
        ["b-x", "b/", "b0", "bc"]
    );
}

async fn long_lists_are_whole(location: &Location, many: usize) {
    let keys: Vec<String> = (0..many).map(|number| format!("{number:05}")).collect();
    futures::stream::iter(keys.clone())
        .for_each_concurrent(16, |key| async move {
            location
                .put(&key, Bytes::from_static(b"x"), PutMode::Overwrite)
                .await
                .unwrap();
        })
        .await;
    let listed: Vec<String> = location
        .list("")
        .await
        .unwrap()
        .into_iter()
        .map(|object| object.key)
        .collect();
    assert!(listed == keys, "{} of {many}", listed.len());
}

async fn deletion_is_repeatable(location: &Location) {
    location
        .put("deleted/x", Bytes::from_static(b"x"), PutMode::IfAbsent)
        .await
        .unwrap();
    location.delete("deleted/x").await.unwrap();
    assert_eq!(
        location.get("deleted/x").await.unwrap_err().kind(),
        Kind::NotFound
    );
    assert!(location.list("deleted/").await.unwrap().is_empty());
    location.delete("deleted/x").await.unwrap();
    location
        .put("deleted/x", Bytes::from_static(b"again"), PutMode::IfAbsent)
        .await
        .unwrap();
    assert_eq!(location.get("deleted/x").await.unwrap().0, "again");
}

async fn keys_may_be_unusual(location: &Location) {
    let mut keys = vec![
        "a b",
        "a+b",
        "a%20b",
        "a%b",
        "Müller.csv",
        "as_of=2017-10-31/x",
        "a&b",
        "a#b",
        "a?b",
        "it's",
        "(1)",
        "a;b,c:d@e",
        "x~y",
    ];
    for key in &keys {
        location
            .put(key, Bytes::from(key.as_bytes()), PutMode::IfAbsent)
            .await
            .unwrap();
    }
    keys.sort_unstable();
    let listed: Vec<String> = location
        .list("")
        .await
        .unwrap()
        .into_iter()
        .map(|object| object.key)
        .collect();
    assert_eq!(listed, keys);
    for key in keys {
        assert_eq!(location.get(key).await.unwrap().0, key.as_bytes(), "{key}");
        location.delete(key).await.unwrap();
    }
}

async fn bad_keys_are_refused(location: &Location) {
    for key in ["a//b", "../b", "a/../b", "a/", "./a"] {
        let error = location
            .put(key, Bytes::new(), PutMode::Overwrite)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Request, "{key}");
        location.get(key).await.unwrap_err();
        location.writer(key).await.unwrap_err();
    }
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    contract(
        Location::new(Arc::new(InMemory::new()), ""),
        1_050,
        Listing::Tagged,
    )
    .await;
    contract(
        Location::new(Arc::new(InMemory::new()), "a/b"),
        10,
        Listing::Tagged,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_folder_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    contract(
        Location::new(Arc::new(Local::new(folder.path())), ""),
        200,
        Listing::Tagged,
    )
    .await;
    contract(
        open(folder.path().join("a/b").to_str().unwrap())
            .await
            .unwrap(),
        10,
        Listing::Tagged,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_in_this_process_keeps_the_contract() {
    let server = Server::start().await;
    contract(
        Location::new(Arc::new(server.store()), "a b/c"),
        1_050,
        Listing::Untagged,
    )
    .await;
}

/// `open` and the SDK read the address and the credentials from the environment, as okuo itself
/// does.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real S3 server: .ci/s3"]
async fn a_real_s3_server_keeps_the_contract() {
    let endpoint = std::env::var("OKUO_TEST_S3_ENDPOINT")
        .expect("OKUO_TEST_S3_ENDPOINT is not set: run through .ci/s3");
    let bucket = std::env::var("OKUO_TEST_S3_BUCKET")
        .expect("OKUO_TEST_S3_BUCKET is not set: run through .ci/s3");
    assert_eq!(std::env::var("AWS_ENDPOINT_URL_S3").as_ref(), Ok(&endpoint));
    let uri = format!("s3://{bucket}/contract-{}", std::process::id());
    contract(open(&uri).await.unwrap(), 1_050, Listing::Tagged).await;

    let location = open(&uri).await.unwrap();
    for key in ["in/2017-11.csv", "in/2017-12.csv", "in/_SUCCESS"] {
        location
            .put(key, Bytes::from_static(b"x"), PutMode::IfAbsent)
            .await
            .unwrap();
    }
    for (path, files) in [
        ("in", 2),
        ("in/", 2),
        ("in/2017-1[0-1].csv", 1),
        ("in/2017-12.csv", 1),
        ("*", 2),
    ] {
        assert_eq!(
            find(&format!("{uri}/{path}"), &[".csv"])
                .await
                .unwrap()
                .len(),
            files,
            "{path}"
        );
    }
    let error = find(&format!("{uri}/in/2017-13.csv"), &[".csv"])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("did you mean"), "{error}");
    let elsewhere = open("s3://no-such-bucket-here/x.csv").await.unwrap();
    for error in [
        find(&elsewhere.name(), &[".csv"]).await.unwrap_err(),
        elsewhere.get("").await.unwrap_err(),
        elsewhere
            .put("", Bytes::from_static(b"x"), PutMode::Overwrite)
            .await
            .unwrap_err(),
        elsewhere
            .put("", Bytes::from_static(b"x"), PutMode::IfAbsent)
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::NotFound, "{error}");
        assert!(
            error
                .to_string()
                .contains("there is no bucket \"no-such-bucket-here\""),
            "{error}"
        );
    }
    for key in ["in/2017-11.csv", "in/2017-12.csv", "in/_SUCCESS"] {
        location.delete(key).await.unwrap();
    }
}

/// A time for one or two more tries.
const SHORT: std::time::Duration = std::time::Duration::from_millis(700);

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let server = Server::start().await;
    let store = server.store();
    for method in [Method::PUT, Method::GET] {
        server.inject(method, Fault::Busy);
    }
    store
        .put("x", Bytes::from_static(b"x"), PutMode::IfAbsent)
        .await
        .unwrap();
    assert_eq!(server.requests(&Method::PUT), 2);
    assert_eq!(store.get("x").await.unwrap().0, "x");
    assert_eq!(server.requests(&Method::GET), 2);
    server.inject(Method::GET, Fault::Busy);
    assert_eq!(store.list("").await.unwrap().len(), 1);
    // By the time of a second removal the object may be another writer's.
    server.inject(Method::DELETE, Fault::Busy);
    assert!(store.delete("x").await.is_err());
    assert_eq!(server.requests(&Method::DELETE), 1);
    store.delete("x").await.unwrap();
}

#[tokio::test]
async fn a_server_that_stays_busy_is_given_up() {
    let server = Server::start().await;
    server.fail(Fault::Busy, 100);
    let error = server
        .store()
        .with_retry_budget(SHORT)
        .put("x", Bytes::from_static(b"x"), PutMode::Overwrite)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::System);
    assert!(
        error.to_string().contains("SlowDown, status 503"),
        "{error}"
    );
    assert!(
        error.to_string().contains("hint: try again later"),
        "{error}"
    );
    // After at most 200 and 400 ms.
    assert!((2..=3).contains(&server.requests(&Method::PUT)));
}

#[tokio::test]
async fn transient_faults_are_outlasted_and_permanent_ones_are_told() {
    for fault in [
        Fault::Busy,
        Fault::TooMany,
        Fault::Broken,
        Fault::Reset,
        Fault::Page,
        Fault::LostAnswer,
        Fault::BrokenBody,
    ] {
        let server = Server::start().await;
        let store = server.store();
        server.fail(fault, 30);
        for number in 0..5 {
            let (key, content) = (format!("a/{number}"), Bytes::from(format!("{number}")));
            store
                .put(&key, content.clone(), PutMode::IfAbsent)
                .await
                .unwrap_or_else(|error| panic!("{fault:?}: {error}"));
            assert_eq!(store.get(&key).await.unwrap().0, content, "{fault:?}");
            assert!(store.head(&key).await.unwrap().is_some(), "{fault:?}");
            assert_eq!(store.list("a/").await.unwrap().len(), number + 1);
        }
        server.fail(fault, 100);
        let store = store.with_retry_budget(SHORT);
        #[expect(clippy::disallowed_methods, reason = "the budget is what is tested")]
        let started = std::time::Instant::now();
        assert!(store.get("a/0").await.is_err(), "{fault:?}");
        if fault != Fault::BrokenBody {
            let error = store
                .put("a/0", Bytes::from_static(b"new"), PutMode::Overwrite)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), Kind::System, "{fault:?}: {error}");
            assert!(error.to_string().contains("hint: "), "{fault:?}: {error}");
        }
        assert!(started.elapsed() < 10 * SHORT, "{fault:?}");
        server.fail(fault, 0);
        let (content, _) = store.get("a/0").await.unwrap();
        // The answer alone was lost: the write was carried out, and nobody could know.
        let written = if fault == Fault::LostAnswer {
            "new"
        } else {
            "0"
        };
        if fault != Fault::BrokenBody {
            assert_eq!(content, written, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_write_without_an_answer_is_looked_up_before_it_has_failed() {
    let server = Server::start().await;
    let store = server.store().with_retry_budget(std::time::Duration::ZERO);
    server.inject(Method::PUT, Fault::LostAnswer);
    let etag = store
        .put("x", Bytes::from_static(b"x"), PutMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(store.head("x").await.unwrap().unwrap().etag, etag);
    server.inject(Method::PUT, Fault::Reset);
    let error = store
        .put("x", Bytes::from_static(b"y"), PutMode::Overwrite)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::System, "{error}");
    assert_eq!(store.get("x").await.unwrap().0, "x");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_fetched_again() {
    let server = Server::start().await;
    let store = server.store();
    let content = Bytes::from(vec![b'x'; 1_000_000]);
    store
        .put("x", content.clone(), PutMode::Overwrite)
        .await
        .unwrap();
    for _ in 0..2 {
        server.inject(Method::GET, Fault::BrokenBody);
    }
    assert!(store.get("x").await.unwrap().0 == content);
    assert_eq!(server.requests(&Method::GET), 3);
    server.fail(Fault::BrokenBody, 100);
    let store = store.with_retry_budget(SHORT);
    let error = store.get("x").await.unwrap_err();
    assert_eq!(error.kind(), Kind::System);
    assert!(
        error
            .to_string()
            .starts_with("s3://okuo-tests/x: the download failed "),
        "{error}"
    );
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_known_as_ones_own() {
    let server = Server::start().await;
    let store = server.store();
    server.inject(Method::PUT, Fault::LostAnswer);
    let etag = store
        .put("x", Bytes::from_static(b"ours"), PutMode::IfAbsent)
        .await
        .unwrap();
    assert_eq!(server.requests(&Method::PUT), 2);
    assert_eq!(
        store.get("x").await.unwrap(),
        (Bytes::from_static(b"ours"), etag.clone())
    );

    server.inject(Method::PUT, Fault::LostAnswer);
    let next = store
        .put(
            "x",
            Bytes::from_static(b"ours again"),
            PutMode::IfMatch(etag),
        )
        .await
        .unwrap();
    assert_eq!(
        store.get("x").await.unwrap(),
        (Bytes::from_static(b"ours again"), next)
    );

    // A rival's object is a rival's, however often we ask.
    server.inject(Method::PUT, Fault::LostAnswer);
    let error = store
        .put("x", Bytes::from_static(b"too late"), PutMode::IfAbsent)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(store.get("x").await.unwrap().0, "ours again");
}

#[tokio::test]
async fn a_contended_write_is_repeated_and_then_a_conflict() {
    let server = Server::start().await;
    let store = server.store();
    server.inject(Method::PUT, Fault::Contended);
    store
        .put("x", Bytes::from_static(b"x"), PutMode::IfAbsent)
        .await
        .unwrap();
    for _ in 0..3 {
        server.inject(Method::PUT, Fault::Contended);
    }
    let error = store
        .put("y", Bytes::from_static(b"y"), PutMode::IfAbsent)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    // A refusal of ours and then of a rival's object with our content: not ours.
    server.inject(Method::PUT, Fault::Contended);
    let error = store
        .put("x", Bytes::from_static(b"x"), PutMode::IfAbsent)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
}

#[tokio::test]
async fn denied_access_names_the_remedy() {
    let server = Server::start().await;
    for (store, text) in [
        (
            server.store_as(support::BUCKET, "okuo", "wrong"),
            "SignatureDoesNotMatch",
        ),
        (
            server.store_as(support::BUCKET, "stranger", "x"),
            "NotSignedUp",
        ),
    ] {
        for error in [
            store.list("a").await.unwrap_err(),
            store.get("a").await.unwrap_err(),
            store
                .put("a", Bytes::from_static(b"x"), PutMode::IfAbsent)
                .await
                .unwrap_err(),
            store.delete("a").await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), Kind::System);
            let message = error.to_string();
            assert!(
                message.starts_with("s3://okuo-tests/a: permission denied ("),
                "{message}"
            );
            assert!(
                message.contains(text) && message.contains("check AWS_ACCESS_KEY_ID"),
                "{message}"
            );
        }
        let message = store.head("a").await.unwrap_err().to_string();
        assert!(
            message.contains("permission denied") && message.contains(text),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    let server = Server::start().await;
    // Of reading and writing only a listing: s3s-fs takes any bucket for the rest. The real server
    // is asked for all of them.
    let error = server.bucket("elsewhere").list("").await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    assert!(
        error
            .to_string()
            .contains("there is no bucket \"elsewhere\""),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("hint: check the name of the bucket elsewhere"),
        "{error}"
    );
}

#[tokio::test]
async fn an_unreachable_endpoint_is_named() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let store = S3::with_config("bucket", &config(&endpoint, "k", "s"))
        .unwrap()
        .with_retry_budget(SHORT);
    for error in [
        store.list("").await.unwrap_err(),
        store.get("a").await.unwrap_err(),
        store
            .put("a", Bytes::from_static(b"x"), PutMode::IfAbsent)
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::System);
        let message = error.to_string();
        assert!(
            message.contains(&format!("cannot reach {endpoint}")),
            "{message}"
        );
        assert!(
            message.contains("Connection refused") && message.contains("AWS_ENDPOINT_URL_S3"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused() {
    let no_region = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .build();
    let error = S3::with_config("b", &no_region).unwrap_err();
    assert!(
        error.to_string().contains("no AWS region is configured")
            && error.to_string().contains("AWS_REGION"),
        "{error}"
    );
    let error = S3::with_config("b", &config("localhost:9000", "k", "s")).unwrap_err();
    assert_eq!(error.kind(), Kind::Request);
    assert!(error.to_string().contains("http://host:port"), "{error}");
}

#[tokio::test]
#[expect(
    deprecated,
    reason = "the new names are in a crate that okuo does not otherwise need"
)]
async fn missing_credentials_are_explained() {
    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
    let server = Server::start().await;
    let files = ProfileFiles::builder()
        .with_contents(ProfileFileKind::Credentials, "")
        .build();
    let nobody = ProfileFileCredentialsProvider::builder()
        .profile_files(files)
        .profile_name("nobody")
        .build();
    let config = config(&server.endpoint, "", "")
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(nobody))
        .build();
    let error = S3::with_config(support::BUCKET, &config)
        .unwrap()
        .list("")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::System);
    assert!(
        error.to_string().contains("no usable AWS credentials"),
        "{error}"
    );
    assert!(error.to_string().contains("AWS_ACCESS_KEY_ID"), "{error}");
}
