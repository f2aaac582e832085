use std::io::Write;
use std::sync::Arc;

use super::super::Location;
use super::*;
use crate::error::Kind;

fn store() -> (tempfile::TempDir, Local) {
    let folder = tempfile::tempdir().unwrap();
    let local = Local::new(folder.path());
    (folder, local)
}

async fn keys(local: &Local, prefix: &str) -> Vec<String> {
    local
        .list(prefix)
        .await
        .unwrap()
        .into_iter()
        .map(|object| object.key)
        .collect()
}

#[tokio::test]
async fn only_objects_are_left_behind_and_listed() {
    let (folder, local) = store();
    for mode in [PutMode::IfAbsent, PutMode::Overwrite] {
        local
            .put("a/x", Bytes::from_static(b"1"), mode)
            .await
            .unwrap();
    }
    let tag = local.get("a/x").await.unwrap().1;
    local
        .put("a/x", Bytes::from_static(b"2"), PutMode::IfMatch(tag))
        .await
        .unwrap();
    local
        .put("a/x", Bytes::from_static(b"3"), PutMode::IfAbsent)
        .await
        .unwrap_err();
    let names: Vec<_> = std::fs::read_dir(folder.path().join("a"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["x"]);
    // As a crash would leave them.
    std::fs::File::create_new(folder.path().join("a/.okuo-put-xyz")).unwrap();
    std::fs::File::create_new(folder.path().join("a/.okuo-lock")).unwrap();
    assert_eq!(keys(&local, "").await, ["a/x"]);
    assert_eq!(local.children("a").await.unwrap(), ["x"]);
    local
        .put("a/x", Bytes::from_static(b"4"), PutMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(
        local
            .put("a/.okuo-x", Bytes::new(), PutMode::Overwrite)
            .await
            .unwrap_err()
            .kind(),
        Kind::Request
    );
}

/// A process that is killed leaves what is in the folder before the commit.
#[tokio::test]
async fn a_stream_is_a_hidden_file_until_it_is_committed() {
    let (folder, local) = store();
    let location = Location::new(Arc::new(local.clone()), "");
    let file_names = || -> Vec<String> {
        std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect()
    };
    let mut writer = location.writer("t.csv").await.unwrap();
    writer.write_all(&vec![b'x'; 3_000_000]).unwrap();
    let names = file_names();
    assert!(names.len() == 1 && is_own(&names[0]), "{names:?}");
    assert!(keys(&local, "").await.is_empty());
    assert!(local.children("").await.unwrap().is_empty());
    writer.commit(PutMode::Overwrite).await.unwrap();
    assert_eq!(file_names(), ["t.csv"]);

    let mut dropped = location.writer("t.csv").await.unwrap();
    dropped.write_all(b"half").unwrap();
    drop(dropped);
    assert_eq!(file_names(), ["t.csv"]);
    assert_eq!(local.get("t.csv").await.unwrap().0.len(), 3_000_000);
}

#[tokio::test]
async fn a_missing_root_is_empty_and_the_first_write_makes_it() {
    let (folder, _) = store();
    let local = Local::new(folder.path().join("not/yet"));
    assert!(local.list("").await.unwrap().is_empty());
    assert!(local.list("a/b").await.unwrap().is_empty());
    assert_eq!(local.get("a").await.unwrap_err().kind(), Kind::NotFound);
    local.delete("a").await.unwrap();
    local
        .put("a/b", Bytes::from_static(b"x"), PutMode::IfAbsent)
        .await
        .unwrap();
    assert_eq!(keys(&local, "").await, ["a/b"]);
    local.delete("a/b").await.unwrap();
    assert!(!folder.path().join("not/yet/a").exists());
    assert!(folder.path().join("not/yet").exists());
}

#[tokio::test]
async fn a_change_behind_okuos_back_is_seen() {
    let (folder, local) = store();
    let file = folder.path().join("pointer");
    for size in [3, 400_000] {
        local
            .put("pointer", vec![b'a'; size].into(), PutMode::Overwrite)
            .await
            .unwrap();
        let (_, tag) = local.get("pointer").await.unwrap();
        assert_eq!(local.list("").await.unwrap()[0].etag, tag);
        assert_eq!(local.head("pointer").await.unwrap().unwrap().etag, tag);
        // Same size; the small one also keeps its time.
        let time = std::fs::metadata(&file).unwrap().modified().unwrap();
        let other = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
        std::io::Write::write_all(&mut other.as_file(), &vec![b'b'; size]).unwrap();
        if size == 3 {
            other.as_file().set_modified(time).unwrap();
        }
        other.persist(&file).unwrap();
        let refused = local
            .put("pointer", Bytes::from_static(b"new"), PutMode::IfMatch(tag))
            .await
            .unwrap_err();
        assert_eq!(refused.kind(), Kind::Conflict);
    }
}

#[tokio::test]
async fn folders_are_no_objects() {
    let (_folder, local) = store();
    local
        .put("a/b", Bytes::from_static(b"x"), PutMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(local.get("a").await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(local.get("a/b/c").await.unwrap_err().kind(), Kind::NotFound);
    assert!(local.head("a").await.unwrap().is_none());
    local.delete("a").await.unwrap();
    local.delete("a/b/c").await.unwrap();
    let refused = local
        .put("a", Bytes::new(), PutMode::Overwrite)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("it is a folder"), "{refused}");
    let refused = local
        .put("a/b/c", Bytes::new(), PutMode::Overwrite)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("is a file, not a folder"),
        "{refused}"
    );
    assert_eq!(keys(&local, "").await, ["a/b"]);
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_and_circles_end() {
    use std::os::unix::fs::symlink;
    let (folder, local) = store();
    let root = folder.path();
    local
        .put("x/one", Bytes::from_static(b"1"), PutMode::Overwrite)
        .await
        .unwrap();
    local
        .put("y/two", Bytes::from_static(b"2"), PutMode::Overwrite)
        .await
        .unwrap();
    symlink("../y", root.join("x/to-y")).unwrap();
    symlink("../x", root.join("y/to-x")).unwrap();
    symlink(".", root.join("self")).unwrap();
    symlink("x/one", root.join("link")).unwrap();
    symlink("nowhere", root.join("lost")).unwrap();
    assert_eq!(
        keys(&local, "").await,
        ["link", "lost", "x/one", "x/to-y/two", "y/to-x/one", "y/two"]
    );
    assert!(
        local
            .get("lost")
            .await
            .unwrap_err()
            .to_string()
            .contains("leads nowhere")
    );
    local
        .put("link", Bytes::from_static(b"new"), PutMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(local.get("x/one").await.unwrap().0, "new");
    let mut writer = Location::new(Arc::new(local.clone()), "link")
        .writer("")
        .await
        .unwrap();
    writer.write_all(b"streamed").unwrap();
    writer.commit(PutMode::Overwrite).await.unwrap();
    assert_eq!(local.get("x/one").await.unwrap().0, "streamed");
    assert!(root.join("link").symlink_metadata().unwrap().is_symlink());
    local.delete("link").await.unwrap();
    assert_eq!(local.get("x/one").await.unwrap().0, "streamed");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_has_the_usual_rights() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, local) = store();
    local
        .put("a", Bytes::from_static(b"x"), PutMode::Overwrite)
        .await
        .unwrap();
    let streamed = Location::new(Arc::new(local), "b");
    let writer = streamed.writer("").await.unwrap();
    writer.commit(PutMode::Overwrite).await.unwrap();
    let usual = folder.path().join("usual");
    std::fs::File::create_new(&usual).unwrap();
    let rights = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    for name in ["a", "b"] {
        assert_eq!(rights(&folder.path().join(name)), rights(&usual), "{name}");
    }
}

#[tokio::test]
async fn errors_name_the_place() {
    let error = Local::new("some/where").get("x.csv").await.unwrap_err();
    assert_eq!(error.to_string(), "some/where/x.csv: there is no such file");
    assert_eq!(Local::new("").uri("x.csv"), "x.csv");
    assert_eq!(Local::new("").name(), ".");
    assert_eq!(Local::new("/").uri("x.csv"), "/x.csv");
}

#[expect(clippy::disallowed_methods, reason = "a name that store cannot write")]
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_name_that_is_not_utf8_is_told_as_such() {
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.csv");
    for size in [10, 1 << 21] {
        std::fs::write(folder.path().join(name), vec![b'x'; size]).unwrap();
        let uri = folder.path().to_str().unwrap();
        let found = crate::store::find(uri, &[".csv"]).await.unwrap();
        let errors = [
            found[0].get().await.unwrap_err(),
            found[0].again().await.unwrap_err(),
        ];
        for error in errors {
            let error = error.to_string();
            assert!(
                error.contains("caf\u{fffd}.csv: its name is not UTF-8"),
                "{error}"
            );
        }
    }
}
