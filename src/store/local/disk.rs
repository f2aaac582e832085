//! The blocking half of the local store: walks folders, reads files, and writes them so that
//! neither a crash nor another writer leaves a part of a content.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::super::find::name_not_utf8;
use super::super::sha256_hex;
use super::super::temporary::{Registered, TemporaryFile};
use super::{ObjectMeta, PutMode, failure, is_absent, is_own, parent};
use crate::error::{Error, Result};

/// Up to this size in bytes a tag is a hash of the content.
const HASHED: u64 = 256 * 1024;

/// The names of temporary files begin so.
const TEMPORARY: &str = ".okuo-put-";

/// After so long a temporary file is nobody's.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// How often a reader or a writer tries where another one interferes.
const TRIES: usize = 5;

/// How long a writer waits for another process's lock: 2,000 times 15 ms.
const LOCK_TRIES: usize = 2_000;
const LOCK_PAUSE: Duration = Duration::from_millis(15);

/// The names in a folder with their paths, this store's own files left out. No folder is no names.
pub(super) fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error, folder)),
    };
    let mut entries = Vec::new();
    for entry in listing {
        let entry = entry.map_err(|error| unreadable(error, folder))?;
        // A name that is not UTF-8 is listed as well as it can be. Reading it fails, which is
        // better than to leave it out in silence.
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_own(&name) {
            entries.push((name, entry.path()));
        }
    }
    Ok(entries)
}

fn unreadable(error: std::io::Error, folder: &Path) -> Error {
    failure(error, "the folder cannot be read").object(folder.display().to_string())
}

/// Collects the objects below a folder whose key begins with `prefix`. `key` is the folder's own
/// key with a `/` at its end. `linked_from` has the folders that the walk left through links, so
/// that a circle of links ends.
pub(super) fn walk(
    folder: &Path,
    key: &str,
    prefix: &str,
    linked_from: &mut Vec<PathBuf>,
    objects: &mut Vec<ObjectMeta>,
) -> Result<()> {
    for (name, path) in entries(folder)? {
        let key = format!("{key}{name}");
        let Ok(own) = fs::symlink_metadata(&path) else {
            continue;
        }; // Deleted while we list.
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(_) if own.is_symlink() => {
                if key.starts_with(prefix) {
                    objects.push(ObjectMeta {
                        key,
                        size: 0,
                        etag: String::new(),
                        age: None,
                    });
                }
                continue;
            }
            Err(_) => continue,
        };
        if metadata.is_dir() {
            let key = format!("{key}/");
            if !key.starts_with(prefix) {
                continue;
            }
            if !own.is_symlink() {
                walk(&path, &key, prefix, linked_from, objects)?;
            } else if let (Ok(target), Ok(here)) =
                (fs::canonicalize(&path), fs::canonicalize(folder))
            {
                linked_from.push(here);
                if !linked_from.iter().any(|folder| folder.starts_with(&target)) {
                    walk(&path, &key, prefix, linked_from, objects)?;
                }
                linked_from.pop();
            }
        } else if metadata.is_file() && key.starts_with(prefix) {
            objects.push(ObjectMeta {
                key,
                size: metadata.len(),
                etag: tag_of_file(&path, &metadata),
                age: age(&metadata),
            });
        }
    }
    Ok(())
}

/// How long ago a file was written; one of the future was written now.
#[expect(
    clippy::disallowed_methods,
    reason = "the age of a file decides only about its removal"
)]
pub(super) fn age(metadata: &Metadata) -> Option<Duration> {
    let written = metadata.modified().ok()?;
    Some(
        SystemTime::now()
            .duration_since(written)
            .unwrap_or_default(),
    )
}

/// The tag of a file with this metadata and content. The content of a large file does not count.
fn tag(metadata: &Metadata, content: &[u8]) -> String {
    if metadata.len() <= HASHED {
        sha256_hex(content)
    } else {
        tag_of_large(metadata)
    }
}

fn tag_of_large(metadata: &Metadata) -> String {
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let inode = 0_u64;
    format!("{:x}-{:x}-{inode:x}", metadata.len(), changed_ns(metadata))
}

/// Nanoseconds from 1970 to the file's last change; 0 where the disk does not keep it.
fn changed_ns(metadata: &Metadata) -> u128 {
    metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |time| time.as_nanos())
}

/// The tag of a file whose content is not at hand. A small file that cannot be read gets the tag of
/// a large one: reading it will say what is wrong.
pub(super) fn tag_of_file(path: &Path, metadata: &Metadata) -> String {
    if metadata.is_file() && metadata.len() <= HASHED {
        let mut content = Vec::new();
        let read = open(path).and_then(|file| file.take(HASHED + 1).read_to_end(&mut content));
        if read.is_ok() {
            return sha256_hex(&content);
        }
    }
    tag_of_large(metadata)
}

/// The tag of a file that was just written.
fn tag_of_open_file(file: &mut File) -> std::io::Result<String> {
    let metadata = file.metadata()?;
    let mut content = Vec::new();
    if metadata.len() <= HASHED {
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut content)?;
    }
    Ok(tag(&metadata, &content))
}

/// The one place where files are opened for reading.
fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// What [`failure`] says of a file.
const NOT_READABLE: &str = "cannot be read";

/// The whole content of a file, and its tag.
pub(super) fn read(path: &Path) -> Result<(Bytes, String)> {
    for _ in 0..TRIES {
        check_is_file(path)?;
        let mut file = open(path).map_err(|error| failure(error, NOT_READABLE))?;
        let before = file
            .metadata()
            .map_err(|error| failure(error, NOT_READABLE))?;
        let mut content = Vec::new();
        let size = usize::try_from(before.len()).unwrap_or(usize::MAX);
        content.try_reserve_exact(size).map_err(|error| {
            Error::system(format!("its {size} bytes do not fit into memory"))
                .source(error)
                .hint("split the file, or use a larger machine")
        })?;
        file.read_to_end(&mut content)
            .map_err(|error| failure(error, NOT_READABLE))?;
        let after = file
            .metadata()
            .map_err(|error| failure(error, NOT_READABLE))?;
        // Another program may have written in place meanwhile; okuo never does.
        if after.len() == content.len() as u64 && changed_ns(&before) == changed_ns(&after) {
            let tag = tag(&after, &content);
            return Ok((content.into(), tag));
        }
    }
    Err(Error::system("changes while it is read").hint("wait until its writer has finished"))
}

/// Refuses what is no file, and says what it is.
fn check_is_file(path: &Path) -> Result<()> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return Err(why_no_metadata(error, path)),
    };
    if metadata.is_dir() {
        Err(Error::not_found("is a folder, not a file"))
    } else if !metadata.is_file() {
        Err(Error::request("is neither a file nor a folder")
            .hint("pipes and devices cannot be read: write the data to a file"))
    } else {
        Ok(())
    }
}

/// The error for a path that cannot be looked at.
fn why_no_metadata(error: std::io::Error, path: &Path) -> Error {
    let is_link = fs::symlink_metadata(path).is_ok_and(|own| own.is_symlink());
    if is_link && is_absent(&error) {
        Error::not_found("is a link that leads nowhere")
            .hint("remove the link or mend it (ls -l shows where it leads)")
    } else if error.kind() == ErrorKind::NotADirectory {
        Error::not_found("there is no such file")
    } else if path.to_string_lossy().contains('\u{fffd}') && is_absent(&error) {
        name_not_utf8()
    } else {
        failure(error, NOT_READABLE)
    }
}

/// A range of a file's content; `None` if the file is gone or has another tag than `etag`.
pub(super) fn read_range(path: &Path, range: Range<u64>, etag: &str) -> Result<Option<Bytes>> {
    let mut file = match open(path) {
        Ok(file) => file,
        // Removed, or replaced by a folder, since it was found.
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(failure(error, NOT_READABLE)),
    };
    let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    let mut content = Vec::new();
    content.try_reserve_exact(len).map_err(|error| {
        Error::system(format!("{len} bytes of it do not fit into memory")).source(error)
    })?;
    file.seek(SeekFrom::Start(range.start))
        .and_then(|_| (&file).take(len as u64).read_to_end(&mut content))
        .map_err(|error| failure(error, NOT_READABLE))?;
    // After reading, so that a writer in place is noticed.
    let metadata = file
        .metadata()
        .map_err(|error| failure(error, NOT_READABLE))?;
    Ok((content.len() == len && tag_of_file(path, &metadata) == etag).then(|| content.into()))
}

/// Writes a file as a whole and returns its tag.
pub(super) fn write(path: &Path, content: &[u8], mode: PutMode) -> Result<String> {
    let target = resolve_link(path);
    let mut temporary = temporary_in(parent(&target)).map_err(unwritable)?;
    temporary.write_all(content).map_err(unwritable)?;
    let file = persist(temporary, &target, mode)?;
    let metadata = file.metadata().map_err(unwritable)?;
    Ok(tag(&metadata, content))
}

/// An empty temporary file beside the file that [`persist_staged`] will make of it.
pub(super) fn stage(path: &Path) -> Result<TemporaryFile> {
    temporary_in(parent(&resolve_link(path))).map_err(unwritable)
}

/// Makes a temporary file that [`stage`] gave for this path the file, and returns its tag.
pub(super) fn persist_staged(
    temporary: TemporaryFile,
    path: &Path,
    mode: PutMode,
) -> Result<String> {
    let mut file = persist(temporary, &resolve_link(path), mode)?;
    tag_of_open_file(&mut file).map_err(unwritable)
}

/// The file to write for a path. A link stays a link: its target is written.
fn resolve_link(path: &Path) -> PathBuf {
    let is_link = fs::symlink_metadata(path).is_ok_and(|own| own.is_symlink());
    let target = is_link.then(|| fs::canonicalize(path).ok()).flatten();
    target.unwrap_or_else(|| path.to_owned())
}

/// Renames a temporary file to its target, durably, if the mode's condition holds.
fn persist(temporary: TemporaryFile, target: &Path, mode: PutMode) -> Result<File> {
    let folder = parent(target);
    temporary.as_file().sync_all().map_err(unwritable)?;
    let persisted = match mode {
        PutMode::IfAbsent => temporary.persist_noclobber(target),
        PutMode::Overwrite => {
            let _lock = Lock::of(folder)?;
            temporary.persist(target)
        }
        PutMode::IfMatch(expected) => {
            let _lock = Lock::of(folder)?;
            let present = match fs::metadata(target) {
                Ok(metadata) => Some(tag_of_file(target, &metadata)),
                Err(error) if is_absent(&error) => None,
                Err(error) => return Err(unwritable(error)),
            };
            if present.as_ref() != Some(&expected) {
                return Err(Error::conflict("has changed since it was read"));
            }
            temporary.persist(target)
        }
    };
    let file = persisted.map_err(|failed| match failed.error.kind() {
        ErrorKind::AlreadyExists => Error::conflict("is already there"),
        _ => unwritable(failed.error),
    })?;
    sync_folder(folder).map_err(unwritable)?;
    Ok(file)
}

/// The error of a write. The system also says "not found" where a folder may not be created (in
/// /proc, say); that is no mistake in the name of an object.
fn unwritable(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => {
            Error::system("cannot be written: the system does not let the folder be made")
                .source(error)
                .hint("name another place")
        }
        _ => failure(error, "cannot be written"),
    }
}

/// Removes a file, and those of the `depth` folders above it that this leaves empty. A link is
/// removed itself. A file that only a linked folder leads to may be somebody else's, and stays.
pub(super) fn delete(path: &Path, depth: usize) -> Result<()> {
    const WHAT: &str = "cannot be removed";
    let link = path
        .ancestors()
        .skip(1)
        .take(depth)
        .find(|folder| folder.is_symlink());
    if let Some(link) = link {
        return Err(
            Error::system(format!("{WHAT}: {} is a link", link.display()))
                .hint("okuo removes nothing behind a link: remove the link if it is not wanted"),
        );
    }
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Ok(()), // A folder is no object.
        Ok(_) => {}
        Err(error) if is_absent(&error) => return Ok(()),
        Err(error) => return Err(failure(error, WHAT)),
    }
    let folder = parent(path);
    {
        let _lock = Lock::of(folder)?;
        match fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(failure(error, WHAT)),
        }
        sync_folder(folder).map_err(|error| failure(error, WHAT))?;
    }
    // `remove_dir` refuses a folder that is not empty.
    let _ = path
        .ancestors()
        .skip(1)
        .take(depth)
        .try_for_each(fs::remove_dir);
    Ok(())
}

/// A temporary file in a folder, which is created if need be. Another process's deletion may remove
/// the folder while it is empty; then it is created again.
fn temporary_in(folder: &Path) -> std::io::Result<TemporaryFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    // The rights that a new file usually has, less the umask. By default only the owner may read a
    // temporary file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    sweep(folder);
    for _ in 0..TRIES {
        create_folder(folder)?;
        match TemporaryFile::new(|| builder.tempfile_in(folder)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            made => return made,
        }
    }
    TemporaryFile::new(|| builder.tempfile_in(folder))
}

/// Proves that a file can be written in a folder, or, if there is none, in the first above it that
/// is there.
pub(super) fn prove_writable(folder: &Path) -> Result<()> {
    let there = folder.ancestors().find(|above| above.exists());
    let there = there.filter(|above| !above.as_os_str().is_empty());
    let there = there.unwrap_or_else(|| Path::new("."));
    temporary_in(there)
        .map(drop)
        .map_err(|error| unwritable(error).object(folder.display().to_string()))
}

/// Removes the temporary files that killed runs left in a folder. Nobody writes for so long as a day.
#[expect(
    clippy::disallowed_methods,
    reason = "how old a file is shows in no result"
)]
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_temporary = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
        let age = || {
            let changed = entry.metadata().and_then(|metadata| metadata.modified());
            changed
                .ok()
                .and_then(|changed| SystemTime::now().duration_since(changed).ok())
        };
        if is_temporary && age().is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Creates a folder and those above it. Each entry is synced, so that a crash does not lose a new
/// folder with the file in it.
fn create_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|above| !above.as_os_str().is_empty() && !above.exists())
        .collect();
    fs::create_dir_all(folder)?;
    for made in missing {
        // Only a safeguard: another process may have removed the folder again.
        let _ = sync_folder(parent(made));
    }
    Ok(())
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        match open(folder).and_then(|folder| folder.sync_all()) {
            // Some network file systems cannot sync a folder; a folder that may be written but not
            // listed cannot be opened.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
                ) =>
            {
                Ok(())
            }
            done => done,
        }
    } else {
        Ok(())
    }
}

/// Among the threads of this process.
static WRITERS: Mutex<()> = Mutex::new(());

/// Keeps other writers out of a folder while it lives. It is a lock on a file, which is removed
/// with it; the system ends the lock with the process, whatever happens to that.
struct Lock {
    file: File,
    path: PathBuf,
    _registered: Registered,
    _thread: MutexGuard<'static, ()>,
}

impl Lock {
    fn of(folder: &Path) -> Result<Self> {
        const WHAT: &str = "the folder cannot be locked";
        let thread = WRITERS.lock().unwrap_or_else(PoisonError::into_inner);
        let path = folder.join(".okuo-lock");
        for _ in 0..LOCK_TRIES {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(|error| failure(error, WHAT))?;
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => {
                    return Ok(Self {
                        file,
                        _registered: Registered::of(path.clone()),
                        path,
                        _thread: thread,
                    });
                }
                Ok(()) => {} // The former holder has removed the file that we locked.
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(failure(error, WHAT)),
            }
        }
        Err(Error::system("another process keeps the folder locked")
            .hint(format!("see who has {} open (lsof)", path.display())))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is locked, so that nobody can hold a valid lock on it. A failure does no
        // harm: the file is reused.
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
        let _ = self.file.unlock();
    }
}

/// Whether the open file is still the one under the path.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        match (file.metadata(), fs::metadata(path)) {
            (Ok(open), Ok(named)) => open.ino() == named.ino() && open.dev() == named.dev(),
            _ => false,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        true
    }
}
