//! A workbook is an archive that unpacks to much more: it is measured before it is read.

use std::io::Read;

use crate::error::{Error, Result};
use crate::ingest::archive::{self, ZipMember};
use crate::ingest::source::{self, Source};

/// The most bytes that the parts which are held in memory may have together: texts and styles.
const MAX_HELD: u64 = 1 << 28;

/// The most bytes that one value may have, and all between two tags: Excel's longest text is 32,767
/// characters.
const MAX_VALUE: usize = 1 << 20;

/// Checks that reading a workbook takes no more memory than it should.
///
/// # Errors
/// If the workbook is damaged, or its parts are too large.
pub(super) fn check(source: &Source) -> Result<()> {
    if !archive::is_zip(source.first_bytes()) {
        return Err(Error::input("this is no Excel workbook")
            .hint("its name ends in .xlsx; rename it, or save it again"));
    }
    let mut held = 0;
    for member in source::members_of(source)? {
        let is_sheet = member.name.starts_with("xl/worksheets/");
        let is_xml = member.name.ends_with(".xml") || member.name.ends_with(".rels");
        if !is_xml {
            continue;
        }
        let size = measure(&member)?;
        if !is_sheet {
            held += size;
        }
        if held > MAX_HELD {
            return Err(too_large("its texts and styles have more than 256 MiB"));
        }
    }
    Ok(())
}

/// How many bytes a part has.
fn measure(member: &ZipMember) -> Result<u64> {
    let mut stream = member.stream();
    let mut part = vec![0; 1 << 16];
    let (mut size, mut run) = (0, 0);
    loop {
        let read = match stream.read(&mut part) {
            Ok(0) => return Ok(size),
            Ok(read) => part.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(super::damaged(error)),
        };
        size += read.len() as u64;
        for piece in read.split_inclusive(|byte| *byte == b'<') {
            run += piece.len();
            if run > MAX_VALUE {
                return Err(too_large("one of its cells has more than 1 MiB"));
            }
            if piece.ends_with(b"<") {
                run = 0;
            }
        }
    }
}

fn too_large(why: &str) -> Error {
    Error::input(format!("the workbook is too large to be read: {why}"))
        .hint("export the sheet as CSV")
}
