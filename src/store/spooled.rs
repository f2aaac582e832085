//! A stream as an object: its bytes are set aside in a temporary file, so that they can be read more
//! than once.

use std::io::{IsTerminal, Read};
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::{InputObject, ObjectMeta, PutMode, SpillFile, Store, check_key, hex, run_blocking};
use crate::error::{Error, Result};

/// How many bytes are set aside at a time.
const PART: usize = 1 << 20;

/// The name of the standard input in messages and manifests.
const STDIN: &str = "stdin";

/// A stream that was read to its end. It is the only object of its store.
#[derive(Debug)]
struct Spooled {
    name: String,
    content: SpillFile,
    size: u64,
    /// The SHA-256 of the content.
    etag: String,
}

impl Spooled {
    /// Reads a stream to its end.
    ///
    /// # Errors
    /// If it cannot be read, or the temporary file cannot be written.
    fn read(name: &str, mut stream: impl Read) -> Result<Self> {
        let content = SpillFile::new();
        let mut hash = Sha256::new();
        let mut size = 0;
        let mut part = vec![0; PART];
        loop {
            let read = match stream.read(&mut part) {
                Ok(0) => break,
                Ok(read) => part.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(Error::system("it cannot be read")
                        .object(name)
                        .source(error));
                }
            };
            content.append(read)?;
            hash.update(read);
            size += read.len() as u64;
        }
        Ok(Self {
            name: name.to_owned(),
            content,
            size,
            etag: hex(&hash.finalize()),
        })
    }

    fn meta(&self) -> ObjectMeta {
        ObjectMeta {
            key: self.name.clone(),
            size: self.size,
            etag: self.etag.clone(),
            age: None,
        }
    }

    fn check(&self, key: &str) -> Result<()> {
        check_key(key)?;
        if key == self.name {
            Ok(())
        } else {
            Err(Error::not_found("there is no such object").object(key))
        }
    }

    fn part(&self, range: &Range<u64>) -> Result<Bytes> {
        let len = range
            .end
            .checked_sub(range.start)
            .filter(|_| range.end <= self.size);
        match len.map(usize::try_from) {
            Some(Ok(0)) => Ok(Bytes::new()),
            Some(Ok(len)) => self.content.read(range.start, len).map(Bytes::from),
            _ => {
                Err(Error::system("it ends before the range that was asked for").object(&self.name))
            }
        }
    }
}

#[async_trait]
impl Store for Spooled {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn uri(&self, key: &str) -> String {
        key.to_owned()
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let is_listed = self.name.starts_with(prefix);
        Ok(is_listed.then(|| self.meta()).into_iter().collect())
    }

    fn whole_fetch_limit(&self) -> u64 {
        1 << 20
    }

    async fn get(&self, key: &str) -> Result<(Bytes, String)> {
        self.check(key)?;
        Ok((self.part(&(0..self.size))?, self.etag.clone()))
    }

    async fn get_range(&self, key: &str, range: Range<u64>, _etag: &str) -> Result<Bytes> {
        self.check(key)?;
        self.part(&range)
    }

    async fn put(&self, _key: &str, _content: Bytes, _mode: PutMode) -> Result<String> {
        Err(Error::request("a stream that is read cannot be written").object(&self.name))
    }

    async fn delete(&self, _key: &str) -> Result<()> {
        Err(Error::request("a stream that is read cannot be removed").object(&self.name))
    }
}

/// The standard input as an object. It is read once for the whole process.
///
/// # Errors
/// If it is a terminal, or cannot be read.
pub(super) async fn standard_input() -> Result<InputObject> {
    static SPOOLED: OnceCell<Arc<Spooled>> = OnceCell::const_new();
    let spooled = SPOOLED.get_or_try_init(spool_standard_input).await?;
    Ok(input_object(spooled))
}

async fn spool_standard_input() -> Result<Arc<Spooled>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Error::request(
            "--input - reads a table from a pipe, and the standard input is a terminal",
        )
        .hint(
            "pipe one into okuo, for example: duckdb -csv -c 'FROM tickets' | okuo … --input -",
        ));
    }
    run_blocking(move || Spooled::read(STDIN, stdin.lock()).map(Arc::new)).await
}

fn input_object(spooled: &Arc<Spooled>) -> InputObject {
    let ObjectMeta {
        key, size, etag, ..
    } = spooled.meta();
    InputObject {
        uri: key.clone(),
        key,
        size,
        etag,
        is_candidate: false,
        store: Arc::<Spooled>::clone(spooled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_is_an_object_that_can_be_read_twice() {
        let spooled = Arc::new(Spooled::read("stdin", &b"customer_id"[..]).unwrap());
        let object = input_object(&spooled);
        assert_eq!((object.uri.as_str(), object.size), ("stdin", 11));
        for _ in 0..2 {
            let (content, etag) = object.get().await.unwrap();
            assert_eq!((&content[..], &etag), (&b"customer_id"[..], &object.etag));
        }
        assert_eq!(object.etag, super::super::sha256_hex(b"customer_id"));
        assert_eq!(object.again().await.unwrap().size, 11);
        assert_eq!(object.get_range(3..6).await.unwrap(), &b"tom"[..]);
        let error = object.get_range(3..12).await.unwrap_err();
        assert!(
            error.to_string().starts_with("stdin: it ends before"),
            "{error}"
        );
        let empty = Arc::new(Spooled::read("stdin", &b""[..]).unwrap());
        assert!(input_object(&empty).get().await.unwrap().0.is_empty());
    }
}
