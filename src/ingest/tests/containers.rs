//! Folders, archives and compressions: what is read of them, what is left out, and what is refused.

use std::io::Write;

use super::super::formats::FORMATS;
use super::super::pipeline;
use super::*;
use crate::store::PutMode;

fn bz2(text: &str) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(vec![], bzip2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// [`TEXT`] as xz packs it, with a window of 64 KiB and of 256 MiB.
const XZ: &str = "fd377a585a0000016922de360200210108000000d80f2313e0007d00595d00319d4ab1f65fee631707419511\
    ff221dee68c980b2cf9c95a084a39e05776e74f0e3345514ef10a0c3c5c4815d93053ea6cdec06e1c750a7ca\
    6314ce47dad94556c8373abfe4e6a15161e74ce372b5f2bdd6df67107734ec8000000000df5fb1630001717e\
    a7a11fa19042990d010000000001595a";
const XZ_LONG: &str = "fd377a585a0000016922de3602002101200000000988a576e0007d00595d00319d4ab1f65fee631707419511\
    ff221dee68c980b2cf9c95a084a39e05776e74f0e3345514ef10a0c3c5c4815d93053ea6cdec06e1c750a7ca\
    6314ce47dad94556c8373abfe4e6a15161e74ce372b5f2bdd6df67107734ec8000000000df5fb1630001717e\
    a7a11fa19042990d010000000001595a";

pub(super) fn bytes(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

pub(super) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    for (name, content) in members {
        let options = ::zip::write::SimpleFileOptions::default();
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// What a folder with these files gives, read by its name.
fn read_folder(files: &[(&str, Vec<u8>)], uri: &str) -> Result<Ingested> {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let root = folder.path().to_str().unwrap();
    let location = runtime.block_on(crate::store::open(root)).unwrap();
    for (name, content) in files {
        let put = location.put(name, content.clone().into(), PutMode::Overwrite);
        runtime.block_on(put).unwrap();
    }
    let reader = Reader::with(&options(), None.into(), None, FORMATS);
    let uris = [format!("{root}/{uri}")];
    let read = pipeline::read(&uris, reader, &|_, _| {});
    runtime.block_on(read)?.0.whole()
}

fn message(read: Result<Ingested>) -> String {
    read.unwrap_err().to_string()
}

/// The names and reasons of what was left out.
fn left_out(read: &Ingested) -> Vec<(String, String)> {
    let name = |object: &str| object.rsplit('/').next().unwrap().to_owned();
    let left = read.report.left_out.iter();
    left.map(|left| (name(&left.object), left.why.clone()))
        .collect()
}

#[test]
fn every_compression_is_read_by_its_first_bytes() {
    let packed = [
        bz2(TEXT),
        [bz2(&TEXT[..60]), bz2(&TEXT[60..])].concat(),
        bytes(XZ),
        zip(&[("tickets.csv", TEXT.as_bytes())]),
        zip(&[("2017/a.csv.gz", &gz(TEXT))]),
    ];
    for (number, content) in packed.into_iter().enumerate() {
        for name in ["a.csv", "a"] {
            let read = read_all(&options(), None, &[(name, content.clone())]).unwrap();
            assert_eq!(spelled_out(&read.purchases), LINES, "{number}");
            assert_eq!(read.report.objects, 1);
        }
    }
}

#[test]
fn a_member_without_a_header_borrows_that_of_another() {
    let (first, rest) = TEXT.split_at(TEXT.match_indices('\n').nth(1).unwrap().0 + 1);
    let members: [(&str, &[u8]); 2] = [
        ("part-0.csv", rest.as_bytes()),
        ("part-1.csv", first.as_bytes()),
    ];
    let one = zip(&members);
    let two = [("a.zip", zip(&members[..1])), ("b.zip", zip(&members[1..]))];
    let sorted = |read: &Ingested| {
        let mut lines = spelled_out(&read.purchases);
        lines.sort();
        lines
    };
    let mut expected = LINES.map(str::to_owned);
    expected.sort();
    let in_memory = read_all(&options(), None, &[("a.zip", one.clone())]).unwrap();
    let in_folder = read_folder(&[("a.zip", one)], "").unwrap();
    let of_two = read_folder(&two, "").unwrap();
    for read in [in_memory, in_folder, of_two] {
        assert_eq!(sorted(&read), expected);
        assert!(
            read.report.left_out.is_empty(),
            "{:?}",
            read.report.left_out
        );
        let lent = "part-0.csv has no header: the columns of the first object with one hold for it";
        assert!(
            read.warnings.iter().any(|warning| warning.contains(lent)),
            "{:?}",
            read.warnings
        );
    }
}

#[test]
fn zeros_after_gzip_are_no_data_and_other_bytes_are_damage() {
    let packed = gz(TEXT);
    let parts = [gz(&TEXT[..60]), gz(""), gz(&TEXT[60..])].concat();
    for whole in [&packed, &parts] {
        for zeros in [1, 9_000, 100_000] {
            let padded = [whole.clone(), vec![0; zeros]].concat();
            let read = read_all(&options(), None, &[("a.csv.gz", padded)]).unwrap();
            assert_eq!(spelled_out(&read.purchases), LINES, "{zeros}");
        }
    }
    let zeros = vec![0; 512];
    for rest in [
        b"more".to_vec(),
        [&*zeros, b"more"].concat(),
        [&*zeros, &*packed].concat(),
    ] {
        let read = read_all(
            &options(),
            None,
            &[("a.csv.gz", [packed.clone(), rest].concat())],
        );
        let message = message(read);
        assert!(message.contains("truncated or damaged"), "{message}");
    }
}

#[test]
fn a_header_that_begins_like_bzip2_is_text() {
    let text = TEXT.replace("store", "BZh9").replace("customer_id,", "");
    let text = text.replace("\n7,", "\n").replace("\n8,", "\n");
    let text = text.replace("product_id", "BZhaus,customer_id,product_id");
    let text = text.replace("\n1", "\nx,7,1");
    assert!(text.starts_with("BZhaus,"));
    let read = read_all(&options(), None, &[("a.csv", csv(&text))]).unwrap();
    assert_eq!(read.report.kept, 3);
}

#[test]
fn packed_data_cut_or_flipped_anywhere_are_an_error_or_whole() {
    let text = format!("{TEXT}{}", "9,12,2017-10-31,1,b\n".repeat(50));
    let wholes = [bz2(&text), bytes(XZ), zip(&[("a.csv", text.as_bytes())])];
    for whole in wholes {
        for length in 7..whole.len() {
            let read = read_all(&options(), None, &[("a.csv", whole[..length].to_vec())]);
            let message = message(read);
            assert!(
                message.contains("truncated or damaged") && message.contains("hint: "),
                "{length}: {message}"
            );
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            if let Err(error) = read_all(&options(), None, &[("a.csv", flipped)]) {
                assert_eq!(error.exit_code(), 1, "{error}");
            }
        }
    }
}

#[test]
fn what_needs_much_memory_is_refused_with_the_command_that_unpacks_it() {
    let mut encoder = zstd::Encoder::new(vec![], 1).unwrap();
    encoder.window_log(28).unwrap();
    encoder.write_all(TEXT.as_bytes()).unwrap();
    let zst = encoder.finish().unwrap();
    // The window's size stands in the frame's header, and no byte of it is needed to refuse it.
    let long = message(read_all(&options(), None, &[("a.csv.zst", zst)]));
    assert!(
        long.contains("more than 128 MiB") && long.contains("zstd -dc --long=31 FILE | okuo"),
        "{long}"
    );
    let xz = message(read_all(&options(), None, &[("a.csv.xz", bytes(XZ_LONG))]));
    assert!(
        xz.contains("more than 128 MiB") && xz.contains("xz -dc FILE"),
        "{xz}"
    );
}

#[test]
fn each_table_of_an_archive_is_read_and_the_rest_is_said() {
    let half = TEXT.len() - "8,10,2017-10-31,1,b\n".len();
    let second = "timestamp;customer_id;product_id\n2017-10-31;8;10\n";
    let parquet = parquet(vec![
        Column::new("customer_id".into(), [9_i64]),
        Column::new("product_id".into(), [10_i64]),
        text_column("timestamp", &["2017-10-31"]),
    ]);
    let archive = zip(&[
        ("tickets/1.csv", &TEXT.as_bytes()[..half]),
        ("tickets/2.txt", second.as_bytes()),
        ("tickets/3", &parquet),
        ("LIESMICH.txt", b"Ein Export.\n"),
        ("logo", b"\x89PNG\r\n\x1a\n"),
        ("notes.md", b"# Notes\n"),
        ("__MACOSX/tickets/._1.csv", b"\0\x05\x16\x07"),
    ]);
    let read = read_all(&options(), None, &[("export.zip", archive)]).unwrap();
    let mut expected: Vec<&str> = LINES.to_vec();
    expected.push("9 2017-10-31 10");
    assert_eq!(spelled_out(&read.purchases), expected);
    assert_eq!(read.report.objects, 3);
    let left: Vec<(&str, &str)> = read
        .report
        .left_out
        .iter()
        .map(|left| (left.object.as_str(), left.why.as_str()))
        .collect();
    assert_eq!(
        left,
        [
            ("export.zip/LIESMICH.txt", "text without the columns"),
            ("export.zip/logo", "a PNG picture"),
            ("export.zip/notes.md", "a .md file"),
        ]
    );
}

#[test]
fn an_archive_without_a_table_or_with_a_secret_is_refused() {
    let wrong = TEXT.replace("customer_id", "kunde");
    let one = zip(&[("a.csv", wrong.as_bytes())]);
    let message_of = |content| message(read_all(&options(), None, &[("x.zip", content)]));
    let lacking = message_of(one);
    assert!(
        lacking.starts_with("x.zip/a.csv: there is no column \"customer_id\""),
        "{lacking}"
    );
    let none = message_of(zip(&[("a.pdf", b"%PDF-1.4"), ("b", b"%PDF-1.4")]));
    assert!(
        none.starts_with("x.zip: the zip archive has no table"),
        "{none}"
    );
    assert!(message_of(zip(&[])).contains("no table"));
    let mut lzma = zip(&[("a.csv", TEXT.as_bytes())]);
    let directory = lzma
        .windows(4)
        .position(|four| four == b"PK\x01\x02")
        .unwrap();
    (lzma[8], lzma[directory + 10]) = (14, 14);
    let lzma = message_of(lzma);
    assert!(
        lzma.contains("is not read: LZMA") && lzma.contains("7z x -so"),
        "{lzma}"
    );
    let mut secret = zip(&[("a.csv", TEXT.as_bytes())]);
    // The flag of encryption, in the member's header and in the directory.
    let directory = secret
        .windows(4)
        .position(|four| four == b"PK\x01\x02")
        .unwrap();
    secret[6] |= 1;
    secret[directory + 8] |= 1;
    let secret = message_of(secret);
    assert!(
        secret.contains("a.csv of the zip archive is encrypted"),
        "{secret}"
    );
}

#[test]
fn a_bomb_ends_early_and_small() {
    // 256 MiB of one letter in some hundred kilobytes: no line ends.
    let letters = std::io::Read::take(std::io::repeat(b'x'), 1 << 28);
    let mut packed = flate2::read::GzEncoder::new(letters, flate2::Compression::fast());
    let mut gz = vec![];
    std::io::Read::read_to_end(&mut packed, &mut gz).unwrap();
    for bomb in [gz.clone(), zip(&[("a.csv", &gz)])] {
        let message = message(read_all(&options(), None, &[("a.csv", bomb)]));
        assert!(
            message.contains("a line is longer than 16 MB")
                || message.contains("divides the lines")
                || message.contains("there is no column \"customer_id\""),
            "{message:.200}"
        );
        assert!(message.len() < 1_000);
    }
}

#[test]
fn a_folder_is_read_by_content_and_what_is_no_table_is_said() {
    let second = "customer_id\tproduct_id\ttimestamp\n9\t10\t2017-10-31\n";
    let files = [
        ("t/2017-10.csv", csv(TEXT)),
        ("t/2017-11.txt", csv(second)),
        ("t/000_part_00", csv(&second.replace("\n9", "\n10"))),
        ("t/0001.gz", gz(&second.replace("\n9", "\n11"))),
        ("t/README", csv("Tickets of two months.\n")),
        ("t/notes", b"%PDF-1.5".to_vec()),
        ("t/empty.txt", vec![]),
        ("t/.hidden.txt", csv(second)),
        ("t/blob", vec![1, 0, 2, 0]),
    ];
    let read = read_folder(&files, "t").unwrap();
    assert_eq!((read.report.objects, read.report.kept), (4, 6));
    let expected = [
        ("README", "text without the columns"),
        ("blob", "no table"),
        ("empty.txt", "empty"),
        ("notes", "a PDF document"),
    ];
    let expected = expected.map(|(name, why)| (name.to_owned(), why.to_owned()));
    assert_eq!(left_out(&read), expected);
    assert_eq!(
        read.warnings[0],
        "read 4 of 8 objects; left out: README (text without the columns), blob (no table), empty.txt (empty), notes (a PDF document)"
    );
    let json = serde_json::to_value(&read.report).unwrap();
    assert_eq!(json["left_out"][3]["why"], "a PDF document");
    // A clean folder has nothing to say.
    let clean = read_folder(&files[..3], "t").unwrap();
    let json = serde_json::to_value(&clean.report).unwrap();
    assert!(json.get("left_out").is_none());
    assert_eq!(clean.report.kept, 5);
}

#[test]
fn a_folder_without_a_table_says_what_the_likeliest_lacks() {
    let wrong = TEXT.replace("customer_id", "kunde_id");
    let files = [("t/000", csv(&wrong)), ("t/x", b"%PDF".to_vec())];
    let lacking = message(read_folder(&files, "t"));
    assert!(
        lacking.contains("/t/000: there is no column \"customer_id\""),
        "{lacking}"
    );
    let pictures = [("t/a", b"GIF89a".to_vec()), ("t/b", b"%PDF".to_vec())];
    let none = message(read_folder(&pictures, "t"));
    assert!(
        none.contains("no object is a table that is read: a (a GIF picture), b (a PDF document)"),
        "{none}"
    );
    let named = message(read_folder(&pictures, "t/b"));
    assert!(
        named.contains("t/b: it is a PDF document, and no table"),
        "{named}"
    );
}

#[test]
fn another_table_in_the_folder_is_named_with_the_glob_that_leaves_it_out() {
    let week = |day: &str| csv(&format!("customer_id,product_id,timestamp\n1,2,{day}\n"));
    let files = [
        ("t/sales_1.csv", week("2017-10-01")),
        ("t/sales_2.csv", week("2017-10-08")),
        ("t/time.csv", csv("week,first_day\n1,2017-10-01\n")),
    ];
    let other = message(read_folder(&files, "t"));
    assert!(
        other.contains("2 of 3 objects have these columns; ")
            && other.contains("/t/time.csv has not"),
        "{other}"
    );
    assert!(other.contains("/t/sales_*.csv'"), "{other}");
    // Where none has them, the columns have other names.
    let none = message(read_folder(&files[2..], "t"));
    assert!(none.contains("time.csv: there is no column"), "{none}");
}

#[test]
fn a_table_of_a_lake_is_refused_however_it_is_named() {
    let part = parquet(vec![Column::new("customer_id".into(), [1_i64])]);
    let delta = [
        ("lake/sales/part-0.parquet", part.clone()),
        ("lake/sales/date=1/part-1.parquet", part.clone()),
        ("lake/sales/_delta_log/0.json", csv("{}")),
    ];
    for uri in [
        "lake",
        "lake/sales",
        "lake/sales/",
        "lake/sales/*.parquet",
        "lake/sales/part-*.parquet",
        "lake/*/*.parquet",
        "lake/sales/date=1",
        "lake/sales/part-0.parquet",
        "lake/sales/date=1/part-1.parquet",
    ] {
        let message = message(read_folder(&delta, uri));
        assert!(
            message.contains("lake/sales: it is a table in the format Delta")
                && message.contains("delta_scan('"),
            "{uri}: {message}"
        );
    }
    let iceberg = [
        ("sales/data/0.parquet", part.clone()),
        ("sales/metadata/v2.metadata.json", csv("{}")),
    ];
    for uri in ["sales", "sales/data", "sales/data/*.parquet"] {
        let message = message(read_folder(&iceberg, uri));
        assert!(
            message.contains("Iceberg") && message.contains("iceberg_scan"),
            "{uri}: {message}"
        );
    }
    let hudi = [
        ("h/a.parquet", part),
        ("h/.hoodie/hoodie.properties", csv("")),
    ];
    assert!(message(read_folder(&hudi, "h")).contains("Hudi"));
}

#[test]
fn predictions_and_models_below_the_tickets_are_left_out() {
    let offers = "customer_id,product_id,timestamp\n9,10,2017-10-31\n".as_bytes();
    let night = "nightly/as_of=2017-10-31";
    let files = [
        ("t/a.csv".to_owned(), csv(TEXT)),
        (
            format!("t/{night}/run=0123456789ab/offers.csv"),
            offers.to_vec(),
        ),
        (format!("t/{night}/manifest.json"), b"{}".to_vec()),
        (
            "t/models/2017-10-31-0123456789ab/model.okuo".to_owned(),
            b"okuo".to_vec(),
        ),
        ("t/models/latest.json".to_owned(), b"{}".to_vec()),
    ];
    let files: Vec<(&str, Vec<u8>)> = files
        .iter()
        .map(|(name, content)| (name.as_str(), content.clone()))
        .collect();
    let read = read_folder(&files, "t").unwrap();
    assert_eq!(spelled_out(&read.purchases), LINES);
    let expected = [
        ("models".to_owned(), "models of okuo train".to_owned()),
        ("nightly".to_owned(), "predictions of okuo score".to_owned()),
    ];
    assert_eq!(left_out(&read), expected);
    let notice = "read 1 of 3 objects; left out: models (models of okuo train), nightly (predictions of okuo score)";
    assert!(
        read.warnings.iter().any(|warning| warning == notice),
        "{:?}",
        read.warnings
    );
    // Who names a file means it; a folder of predictions alone has no tickets.
    let named = format!("t/{night}/run=0123456789ab/offers.csv");
    assert_eq!(read_folder(&files, &named).unwrap().report.kept, 1);
    let refused = message(read_folder(&files, "t/nightly"));
    assert!(refused.contains("no tickets"), "{refused}");
}
