//! What a file is that is no table, by its first bytes: for messages that name it and the way out.

use crate::error::Error;

/// A kind of file that is not read as a table.
#[derive(Debug)]
pub(super) struct FileKind {
    /// What it is, with an article: `a PDF document`.
    pub(super) name: &'static str,
    /// What a user can do about it.
    way_out: &'static str,
    has: fn(&[u8]) -> bool,
}

/// All kinds that are known, the surest first.
static KINDS: &[FileKind] = &[
    FileKind {
        name: "an encrypted Parquet file",
        way_out: "decrypt it where its keys are: read it with Spark or pyarrow, and write it as plain Parquet",
        has: |bytes| bytes.starts_with(b"PARE"),
    },
    FileKind {
        name: "a Word document",
        way_out: "export its table as CSV or xlsx",
        has: |bytes| is_office(bytes) && contains(bytes, b"word/"),
    },
    FileKind {
        name: "a PowerPoint presentation",
        way_out: "export its table as CSV or xlsx",
        has: |bytes| is_office(bytes) && contains(bytes, b"ppt/"),
    },
    FileKind {
        name: "an OpenDocument file",
        way_out: "save the sheet as xlsx or CSV: libreoffice --headless --convert-to csv FILE",
        has: |bytes| bytes.starts_with(b"PK\x03\x04") && bytes.get(30..38) == Some(b"mimetype"),
    },
    ZIP,
    FileKind {
        name: "a PDF document",
        way_out: "export the table as CSV where the document was made",
        has: |bytes| bytes.starts_with(b"%PDF"),
    },
    FileKind {
        name: "a tar archive",
        way_out: "unpack it with tar -xf FILE (tar -xzf for .tar.gz and .tgz), and name the files in it",
        has: |bytes| bytes.get(257..262) == Some(b"ustar"),
    },
    FileKind {
        name: "a 7z archive",
        way_out: "unpack it with 7z x FILE, and name the files in it; or pipe it: 7z x -so FILE | okuo … --input -",
        has: |bytes| bytes.starts_with(b"7z\xbc\xaf\x27\x1c"),
    },
    FileKind {
        name: "a RAR archive",
        way_out: "unpack it with unrar x FILE, and name the files in it",
        has: |bytes| bytes.starts_with(b"Rar!\x1a\x07"),
    },
    FileKind {
        name: "data packed with LZ4",
        way_out: "unpack them into okuo: lz4 -dc FILE | okuo … --input -",
        has: |bytes| bytes.starts_with(&[0x04, 0x22, 0x4d, 0x18]),
    },
    FileKind {
        name: "data packed with Snappy",
        way_out: "unpack them (snzip -dc FILE), or write them as Parquet or as CSV with gzip",
        has: |bytes| bytes.starts_with(b"\xff\x06\x00\x00sNaPpY"),
    },
    FileKind {
        name: "data packed with compress (.Z)",
        way_out: "unpack them into okuo: uncompress -c FILE | okuo … --input -",
        has: |bytes| bytes.starts_with(&[0x1f, 0x9d]),
    },
    FileKind {
        name: "an old Excel workbook (.xls)",
        way_out: "save it as xlsx or CSV: libreoffice --headless --convert-to xlsx FILE",
        has: |bytes| bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]),
    },
    FileKind {
        name: "a SQLite database",
        way_out: "pipe a query: sqlite3 -header -csv FILE 'SELECT * FROM tickets' | okuo … --input -",
        has: |bytes| bytes.starts_with(b"SQLite format 3\0"),
    },
    FileKind {
        name: "a DuckDB database",
        way_out: "pipe a query: duckdb -csv FILE -c 'FROM tickets' | okuo … --input -",
        has: |bytes| bytes.get(8..12) == Some(b"DUCK"),
    },
    FileKind {
        name: "a Microsoft Access database",
        way_out: "pipe a table: mdb-export FILE TABLE | okuo … --input -",
        has: |bytes| {
            bytes.get(4..19) == Some(b"Standard Jet DB")
                || bytes.get(4..19) == Some(b"Standard ACE DB")
        },
    },
    FileKind {
        name: "a dump of PostgreSQL",
        way_out: "restore it, and pipe a query: psql --csv -c 'SELECT * FROM tickets' | okuo … --input -",
        has: |bytes| bytes.starts_with(b"PGDMP"),
    },
    FileKind {
        name: "an Avro file",
        way_out: "write it as Parquet, or pipe it: duckdb -csv -c \"FROM read_avro('FILE')\" | okuo … --input -",
        has: |bytes| bytes.starts_with(b"Obj\x01"),
    },
    FileKind {
        name: "an ORC file",
        way_out: "write it as Parquet: pyarrow.orc.read_table, then pyarrow.parquet.write_table",
        has: |bytes| bytes.starts_with(b"ORC"),
    },
    FileKind {
        name: "a Feather file of version 1",
        way_out: "write it as Parquet: pandas.read_feather(FILE).to_parquet('tickets.parquet')",
        has: |bytes| bytes.starts_with(b"FEA1"),
    },
    FileKind {
        name: "an HDF5 file",
        way_out: "write its table as Parquet: pandas.read_hdf(FILE).to_parquet('tickets.parquet')",
        has: |bytes| bytes.starts_with(b"\x89HDF\r\n\x1a\n"),
    },
    FileKind {
        name: "a Python pickle",
        way_out: "write it as Parquet: pandas.read_pickle(FILE).to_parquet('tickets.parquet')",
        has: |bytes| matches!(bytes, [0x80, 2..=5, 0x95 | b'c' | b'}' | b']', ..]),
    },
    FileKind {
        name: "a SAS data set",
        way_out: "write it as Parquet: pandas.read_sas(FILE, encoding='latin-1').to_parquet('tickets.parquet')",
        has: |bytes| {
            bytes.get(12..16) == Some(&[0xc2, 0xea, 0x81, 0x60])
                || bytes.starts_with(b"HEADER RECORD*******LIBRARY HEADER RECORD")
        },
    },
    FileKind {
        name: "an SPSS file",
        way_out: "write it as CSV or Parquet: pandas.read_spss(FILE).to_parquet('tickets.parquet')",
        has: |bytes| bytes.starts_with(b"$FL2") || bytes.starts_with(b"$FL3"),
    },
    FileKind {
        name: "a Stata file",
        way_out: "write it as Parquet: pandas.read_stata(FILE).to_parquet('tickets.parquet')",
        has: |bytes| bytes.starts_with(b"<stata_dta>"),
    },
    FileKind {
        name: "a file of R (.rds or .RData)",
        way_out: "write it as CSV in R: write.csv(readRDS('FILE'), 'tickets.csv', row.names = FALSE)",
        has: |bytes| {
            bytes.starts_with(b"RDX2\n")
                || bytes.starts_with(b"RDX3\n")
                || matches!(bytes, [b'X' | b'A' | b'B', b'\n', 0, 0, 0, 2 | 3, ..])
                || bytes.starts_with(b"RDA")
        },
    },
    FileKind {
        name: "a PNG picture",
        way_out: "name the files that have tickets, for example with a glob",
        has: |bytes| bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
    },
    FileKind {
        name: "a JPEG picture",
        way_out: "name the files that have tickets, for example with a glob",
        has: |bytes| bytes.starts_with(&[0xff, 0xd8, 0xff]),
    },
    FileKind {
        name: "a GIF picture",
        way_out: "name the files that have tickets, for example with a glob",
        has: |bytes| bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a"),
    },
    FileKind {
        name: "a program",
        way_out: "name the files that have tickets, for example with a glob",
        has: |bytes| bytes.starts_with(b"\x7fELF") || bytes.starts_with(b"MZ\x90\0"),
    },
    FileKind {
        name: "an RTF document",
        way_out: "save the table as plain text or CSV",
        has: |bytes| bytes.starts_with(b"{\\rtf"),
    },
    FileKind {
        name: "an HTML page",
        way_out: "it may be a login or an error page that was saved instead of the file: download the file again; a table in a page can be read with pandas.read_html",
        has: |bytes| begins_with_tag(bytes, &["<!doctype html", "<html", "<head", "<body"]),
    },
    FileKind {
        name: "an XML file",
        way_out: "export the tickets as CSV, JSON lines or Parquet; an answer that begins with <Error> came from a server instead of the file",
        has: |bytes| begins_with_tag(bytes, &["<?xml", "<error>"]),
    },
    FileKind {
        name: "a pointer of Git LFS, and not the file itself",
        way_out: "fetch the file: git lfs pull",
        has: |bytes| bytes.starts_with(b"version https://git-lfs.github.com/spec/"),
    },
];

/// Apart, because an archive is looked into.
const ZIP: FileKind = FileKind {
    name: "a zip archive",
    way_out: "unpack it, or pipe a member: unzip -p FILE MEMBER | okuo … --input -",
    has: super::archive::is_zip,
};

impl FileKind {
    /// The kind of a file with these first bytes, if it is one that is not read.
    pub(super) fn of(first_bytes: &[u8]) -> Option<&'static Self> {
        KINDS.iter().find(|kind| (kind.has)(first_bytes))
    }

    /// Whether it is a zip archive, and nothing that is only packed so.
    pub(super) fn is_zip(&self) -> bool {
        self.name == ZIP.name
    }

    /// The error of an object that was named as a table and is of this kind.
    pub(super) fn refusal(&self) -> Error {
        Error::input(format!("it is {}, and no table that is read", self.name)).hint(self.way_out)
    }
}

/// Endings of names whose files are left out of a folder unseen.
const NO_TABLES: &[&str] = &[
    ".md", ".rst", ".html", ".htm", ".pdf", ".doc", ".docx", ".ppt", ".pptx", ".odt", ".png",
    ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".py", ".ipynb", ".r", ".sql", ".sh", ".bat", ".ps1",
    ".rs", ".js", ".css", ".java", ".yml", ".yaml", ".toml", ".ini", ".cfg", ".exe", ".dll", ".so",
    ".crc", ".md5", ".sha256", ".sig", ".asc",
];

/// Whether an object is no table by its name: then it is not even fetched.
pub(super) fn is_no_table_by_name(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    NO_TABLES
        .iter()
        .copied()
        .find(|ending| name.ends_with(ending))
}

/// Whether bytes are text, in any encoding in which tables are written: a NUL is in none but
/// UTF-16.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let has_mark = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    let controls = bytes
        .iter()
        .filter(|byte| **byte < b' ' && !byte.is_ascii_whitespace() && **byte != 0x1a)
        .count();
    has_mark || controls * 100 <= bytes.len() && !bytes.contains(&0)
}

fn is_office(bytes: &[u8]) -> bool {
    super::archive::is_zip(bytes) && contains(bytes, b"[Content_Types].xml")
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Whether text begins with one of the tags, in small or capital letters.
fn begins_with_tag(bytes: &[u8], tags: &[&str]) -> bool {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = text.trim_ascii_start();
    tags.iter().any(|tag| {
        text.get(..tag.len())
            .is_some_and(|beginning| beginning.eq_ignore_ascii_case(tag.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_by_the_first_bytes() {
        for (bytes, kind) in [
            (&b"%PDF-1.7\n"[..], "a PDF document"),
            (b"\xef\xbb\xbf\n<!DOCTYPE HTML><html>", "an HTML page"),
            (b"<?xml version=\"1.0\"?>", "an XML file"),
            (b"PARE....", "an encrypted Parquet file"),
            (b"Obj\x01\x04", "an Avro file"),
            (b"SQLite format 3\0\x10", "a SQLite database"),
            (b"FEA1\0\0", "a Feather file of version 1"),
            (b"PK\x05\x06\0\0", "a zip archive"),
            (b"X\n\0\0\0\x03\0", "a file of R (.rds or .RData)"),
        ] {
            assert_eq!(FileKind::of(bytes).unwrap().name, kind);
        }
        let mut tar = vec![b'a'; 512];
        tar[257..263].copy_from_slice(b"ustar\0");
        assert_eq!(FileKind::of(&tar).unwrap().name, "a tar archive");
        for table in [
            &b"customer_id,product_id,timestamp\n"[..],
            b"PKW,customer\n",
            b"ORDER,customer_id\n",
            b"Object,customer_id\n",
            b"",
        ] {
            assert!(FileKind::of(table).is_none());
        }
    }

    #[test]
    fn text_is_what_has_no_other_bytes() {
        assert!(
            is_text(b"a,b\r\n1,2\n\x1a") && is_text("Größe".as_bytes()) && is_text(b"Gr\xf6\xdfe")
        );
        assert!(is_text(b"\xff\xfea\0,\0b\0") && is_text(b""));
        assert!(!is_text(b"a\0b") && !is_text(&[1; 20]));
    }
}
