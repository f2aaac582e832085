use super::super::{InMemory, PutMode};
use super::*;
use crate::error::Kind;

const ENDINGS: [&str; 3] = [".csv", ".csv.gz", ".parquet"];

async fn store(keys: &[&str]) -> Arc<dyn Store> {
    let store = InMemory::new();
    for key in keys {
        store
            .put(key, Bytes::from_static(b"x"), PutMode::IfAbsent)
            .await
            .unwrap();
    }
    Arc::new(store)
}

const KEYS: [&str; 12] = [
    "t/2017-10.csv",
    "t/2017-11.CSV",
    "t/2017-12.csv.gz",
    "t/README.md",
    "t/_SUCCESS",
    "t/_old/2016.csv",
    "t/month=01/a.parquet",
    "t/month=01/.a.parquet.crc",
    "t/month=01/notes.txt",
    "t/month=02/a.parquet",
    "tt/2018.csv",
    "odd/a[1].csv",
];

/// As [`find`], in a store that is already open.
async fn find_named(store: Arc<dyn Store>, path: &str) -> Result<Vec<InputObject>> {
    let found = find_in(store, path, &ENDINGS).await?;
    without_candidates(&format!("memory:/{path}"), found, &ENDINGS)
}

async fn names(path: &str) -> Vec<String> {
    find_named(store(&KEYS).await, path)
        .await
        .unwrap()
        .into_iter()
        .map(|found| found.uri.replace("memory:/", ""))
        .collect()
}

#[tokio::test]
async fn a_file_is_itself_and_a_folder_what_is_readable_in_it() {
    assert_eq!(names("t/README.md").await, ["t/README.md"]);
    let all = [
        "t/2017-10.csv",
        "t/2017-11.CSV",
        "t/2017-12.csv.gz",
        "t/month=01/a.parquet",
        "t/month=02/a.parquet",
    ];
    assert_eq!(names("t").await, all);
    assert_eq!(names("t/").await, all);
    assert_eq!(names("t/month=02").await, ["t/month=02/a.parquet"]);
    assert_eq!(names("t/_old").await, ["t/_old/2016.csv"]);
    assert_eq!(names("").await.len(), 7);
}

#[tokio::test]
async fn what_has_no_known_ending_is_a_candidate() {
    let found = |path| async move {
        let found = find_in(store(&KEYS).await, path, &ENDINGS).await.unwrap();
        let candidates: Vec<String> = found
            .objects
            .iter()
            .filter(|object| object.is_candidate)
            .map(|object| object.key.clone())
            .collect();
        (found.objects.len(), candidates, found.hidden)
    };
    let candidates = vec!["t/README.md".to_owned(), "t/month=01/notes.txt".to_owned()];
    let hidden = ["_SUCCESS", "_old/2016.csv", "month=01/.a.parquet.crc"];
    let hidden: Vec<String> = hidden
        .iter()
        .map(|key| format!("memory:/t/{key}"))
        .collect();
    assert_eq!(found("t").await, (7, candidates, hidden));
    assert_eq!(found("t/README*").await.1, ["t/README.md"]);
    // What is named, or matched by a glob with an ending, is what it is named for.
    assert!(found("t/README.md").await.1.is_empty());
    assert!(found("t/*.md").await.1.is_empty());
}

#[tokio::test]
async fn a_glob_matches_files_and_folders() {
    for (glob, expected) in [
        ("t/*.csv", vec!["t/2017-10.csv"]),
        (
            "t/2017-1[01].{csv,CSV}",
            vec!["t/2017-10.csv", "t/2017-11.CSV"],
        ),
        (
            "t/2017-1?.csv{,.gz}",
            vec!["t/2017-10.csv", "t/2017-12.csv.gz"],
        ),
        (
            "t/month=*",
            vec!["t/month=01/a.parquet", "t/month=02/a.parquet"],
        ),
        (
            "t/month=*/",
            vec!["t/month=01/a.parquet", "t/month=02/a.parquet"],
        ),
        ("t/month=*/*.txt", vec!["t/month=01/notes.txt"]),
        (
            "**/*.parquet",
            vec!["t/month=01/a.parquet", "t/month=02/a.parquet"],
        ),
        ("t/_*/*.csv", vec!["t/_old/2016.csv"]),
        ("t*/*.csv", vec!["t/2017-10.csv", "tt/2018.csv"]),
        (
            "t/2017-*",
            vec!["t/2017-10.csv", "t/2017-11.CSV", "t/2017-12.csv.gz"],
        ),
        ("odd/a[1].csv", vec!["odd/a[1].csv"]),
        (r"odd/a\[1\].csv", vec!["odd/a[1].csv"]),
    ] {
        assert_eq!(names(glob).await, expected, "{glob}");
    }
    assert_eq!(names("**").await.len(), 7);
}

#[tokio::test]
async fn nothing_found_says_what_is_there() {
    let keys = [
        "t/2017-10.csv",
        "docs/README.md",
        "docs/a.txt",
        "hidden/_SUCCESS",
    ];
    for (path, text) in [
        (
            "t/2017-01.csv",
            "memory:/t/2017-01.csv: there is no such file or folder\nhint: did you mean memory:/t/2017-10.csv?",
        ),
        (
            "dosc",
            "memory:/dosc: there is no such file or folder\nhint: did you mean memory:/docs/?",
        ),
        (
            "elsewhere/x.csv",
            "hint: nothing lies in memory:/elsewhere either",
        ),
        (
            "quite-other",
            "hint: memory: has 3 files, none of a similar name",
        ),
        (
            "docs",
            "hint: the folder has 2 files, none ends with .csv, .csv.gz, .parquet, for instance a.txt",
        ),
        (
            "hidden",
            "the folder has 1 file, none ends with .csv, .csv.gz, .parquet, for instance _SUCCESS",
        ),
        (
            "t/2018*.csv",
            "no file matches\nhint: memory:/t has 1 file of other names; the first is 2017-10.csv",
        ),
        (
            "t/2017*.parquet",
            "no file matches\nhint: 1 file below memory:/t begin like it; the first is 2017-10.csv",
        ),
        (
            "x/*.csv",
            "no file matches\nhint: nothing lies in memory:/x",
        ),
    ] {
        let error = find_named(store(&keys).await, path).await.unwrap_err();
        let expected = match path {
            "docs" => Kind::NotFound,
            _ => Kind::NoData,
        };
        assert_eq!(error.kind(), expected, "{path}");
        assert!(error.to_string().contains(text), "{path}: {error}");
    }
    let error = find_named(store(&keys).await, "t/[a.csv")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Request);
    assert!(
        error.to_string().contains("the glob cannot be read"),
        "{error}"
    );
}

#[tokio::test]
async fn an_object_that_is_removed_before_it_is_read_may_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.csv");
    std::fs::File::create_new(&file).unwrap();
    let found = find(folder.path().to_str().unwrap(), &ENDINGS)
        .await
        .unwrap();
    std::fs::remove_file(file).unwrap();
    for error in [
        found[0].get().await.unwrap_err(),
        found[0].again().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::NoData);
        let text = error.to_string();
        assert!(
            text.contains("a.csv: it was removed while it was read"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn local_paths_stay_as_they_were_typed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let local = Local::new(root);
    for key in [
        "in [x]/a.csv",
        "in [x]/b 1.csv",
        "in [x]/sub/c.csv",
        "in [x]/n.txt",
    ] {
        local
            .put(key, Bytes::from_static(b"content"), PutMode::IfAbsent)
            .await
            .unwrap();
    }
    for (uri, expected) in [
        (format!("{root}/in*/b*.csv"), vec!["in [x]/b 1.csv"]),
        (
            format!("{root}/in*"),
            vec!["in [x]/a.csv", "in [x]/b 1.csv", "in [x]/sub/c.csv"],
        ),
        (
            format!("file://{root}/in%20%5Bx%5D/a.csv"),
            vec!["in [x]/a.csv"],
        ),
        (
            format!("{root}/"),
            vec!["in [x]/a.csv", "in [x]/b 1.csv", "in [x]/sub/c.csv"],
        ),
        (
            format!("{root}/in*/**/*.csv"),
            vec!["in [x]/a.csv", "in [x]/b 1.csv", "in [x]/sub/c.csv"],
        ),
    ] {
        let found = find(&uri, &ENDINGS).await.unwrap();
        let uris: Vec<String> = found.iter().map(|found| found.uri.clone()).collect();
        let expected: Vec<String> = expected.iter().map(|key| format!("{root}/{key}")).collect();
        assert_eq!(uris, expected, "{uri}");
        for found in found {
            assert_eq!(
                found.get().await.unwrap(),
                (Bytes::from_static(b"content"), found.etag.clone())
            );
        }
    }
    let error = find(&format!("{root}/nothing"), &ENDINGS)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    let empty = tempfile::tempdir_in(root).unwrap();
    let error = find(empty.path().to_str().unwrap(), &ENDINGS)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the folder is empty"), "{error}");
    assert_eq!(error.kind(), Kind::NoData);
    let hidden = empty.path().join("_temporary");
    std::fs::create_dir(&hidden).unwrap();
    std::fs::File::create_new(hidden.join("part-0.csv")).unwrap();
    let unfinished = find(empty.path().to_str().unwrap(), &ENDINGS).await;
    assert_eq!(unfinished.unwrap_err().kind(), Kind::NoData);
    assert_eq!(
        find("s3://b*/x", &ENDINGS).await.unwrap_err().kind(),
        Kind::Request
    );
}

#[test]
fn a_glob_is_split_at_its_first_character() {
    let split = |uri: &str| split_at_glob(uri, &Address::parse(uri).unwrap()).unwrap();
    assert_eq!(split("*.csv"), (None, "*.csv".to_owned()));
    assert_eq!(split("/*.csv"), (Some("/".to_owned()), "*.csv".to_owned()));
    assert_eq!(
        split("../a/b*/c"),
        (Some("../a".to_owned()), "b*/c".to_owned())
    );
    assert_eq!(
        split("s3://b/*.csv"),
        (Some("s3://b".to_owned()), "*.csv".to_owned())
    );
    assert_eq!(
        split("s3://b/a/x=*/"),
        (Some("s3://b/a".to_owned()), "x=*".to_owned())
    );
}
