//! Formats that are a file and an entry of the table: no other code knows of them.

use super::super::chunk::ChunkRequest;
use super::super::columns::QuantityPresence;
use super::super::decoded_line::{DecodedLine, LineFacts, Quantity};
use super::super::formats::{Access, ChunkDecoder, FORMATS, Formats, InputFormat};
use super::super::ids::RawId;
use super::super::line_checker::LineChecker;
use super::super::pipeline;
use super::super::rejects::RejectedValue;
use super::super::source::Source;
use super::super::stream::ByteStream;
use super::*;
use crate::store::PutMode;

static TABLE: Formats = &[
    FORMATS[0],
    &TicketLog,
    &FixedWidth,
    FORMATS[FORMATS.len() - 1],
];

/// Gives a row of three words to the lines: customer, product, time.
fn take(lines: &mut LineChecker, row: u64, words: [&str; 3]) -> Result<()> {
    let [customer, product, time] = words;
    let line = DecodedLine {
        time: lines.time_rules().text(time),
        customer: RawId::Untyped(customer),
        product: RawId::Untyped(product),
        quantity: Quantity::Absent,
        takes_back: false,
        facts: LineFacts::NONE,
    };
    lines.add(row, line, |_| (Some("word"), RejectedValue::text(time)))
}

/// A line a row, `customer product time`, read as a stream.
#[derive(Debug)]
struct TicketLog;

struct TicketLogDecoder {
    stream: ByteStream,
    row: u64,
}

impl InputFormat for TicketLog {
    fn endings(&self) -> &'static [&'static str] {
        &[".log"]
    }

    fn access(&self) -> Access {
        Access::Stream
    }

    fn sniff(&self, name: &str, first_bytes: &[u8]) -> bool {
        name.ends_with(".log") || first_bytes.starts_with(b"#tickets\n")
    }

    fn open(
        &self,
        source: &Arc<Source>,
        _options: &InputOptions,
        _days: NeededDays,
    ) -> Result<Vec<ChunkRequest>> {
        Ok(vec![ChunkRequest::stream(source, |stream| {
            Box::new(TicketLogDecoder { stream, row: 0 })
        })])
    }
}

impl ChunkDecoder for TicketLogDecoder {
    fn decode(&mut self, lines: &mut LineChecker) -> Result<bool> {
        self.stream.fill(self.row)?;
        let mut taken = 0;
        for line in self.stream.data().split_inclusive(|byte| *byte == b'\n') {
            if !line.ends_with(b"\n") && !self.stream.has_ended() {
                break;
            }
            taken += line.len();
            let text = String::from_utf8_lossy(line);
            if let [customer, product, time] = *text.split_whitespace().collect::<Vec<_>>() {
                self.row += 1;
                take(lines, self.row, [customer, product, time])?;
            }
        }
        self.stream.consume(taken);
        Ok(!self.stream.has_ended())
    }

    fn quantity(&self) -> QuantityPresence {
        QuantityPresence::Missing
    }
}

/// Rows of 13 bytes, `cc`, `pp` and `yyyymmdd\n`, read by ranges of two rows each.
#[derive(Debug)]
struct FixedWidth;

const WIDTH: u64 = 13;

struct FixedWidthDecoder {
    bytes: Vec<Bytes>,
    rows_before: u64,
}

impl InputFormat for FixedWidth {
    fn endings(&self) -> &'static [&'static str] {
        &[".fixed"]
    }

    fn access(&self) -> Access {
        Access::Ranges
    }

    fn sniff(&self, name: &str, _first_bytes: &[u8]) -> bool {
        name.ends_with(".fixed")
    }

    fn open(
        &self,
        source: &Arc<Source>,
        _options: &InputOptions,
        _days: NeededDays,
    ) -> Result<Vec<ChunkRequest>> {
        let rows = source.size() / WIDTH;
        if source.size() != rows * WIDTH {
            return Err(Error::input("the last row is not whole"));
        }
        let request = |row: u64| {
            let end = rows.min(row + 2);
            let range = row * WIDTH..end * WIDTH;
            ChunkRequest::ranges(source, vec![range], move |bytes| {
                Box::new(FixedWidthDecoder {
                    bytes,
                    rows_before: row,
                })
            })
        };
        Ok((0..rows.max(1)).step_by(2).map(request).collect())
    }
}

impl ChunkDecoder for FixedWidthDecoder {
    fn decode(&mut self, lines: &mut LineChecker) -> Result<bool> {
        for (row, bytes) in (1..).zip(self.bytes[0].chunks(WIDTH as usize)) {
            let text = std::str::from_utf8(bytes).unwrap();
            let words = [&text[..2], &text[2..4], text[4..].trim_end()];
            take(lines, self.rows_before + row, words.map(str::trim))?;
        }
        Ok(false)
    }

    fn quantity(&self) -> QuantityPresence {
        QuantityPresence::Missing
    }
}

const LOG: &str = "#tickets\n7 10 2017-10-30\n7 11 2017-10-30\n8 10 yesterday\n8 10 2017-10-31\n";
const FIXED: &str = " 71020171030\n 71120171030\n 81020171331\n 81020171031\n";

fn read_by_table(files: &[(&str, Vec<u8>)]) -> Result<Ingested> {
    let options = InputOptions {
        max_bad_share: 1.0,
        ..options()
    };
    let mut reader = Reader::with(&options, None.into(), None, TABLE);
    for (name, content) in files {
        reader.object(name, content.clone().into())?;
    }
    reader.finish()
}

#[test]
fn a_format_of_the_table_is_read_like_the_others() {
    let ways = [
        ("a.log", csv(LOG), "yesterday"),
        ("a.log.gz", gz(LOG), "yesterday"),
        // By the first bytes, which are unpacked for that.
        ("a", gz(LOG), "yesterday"),
        ("a.fixed", csv(FIXED), "20171331"),
    ];
    for (name, content, bad) in ways {
        let read = read_by_table(&[(name, content)]).unwrap();
        assert_eq!(spelled_out(&read.purchases), LINES, "{name}");
        assert_eq!(
            places(&read.report),
            [[format!("{name}: row 3, column \"word\": \"{bad}\"")]]
        );
        assert!(read.report.balanced() && read.report.objects == 1);
    }
}

#[test]
fn formats_mix_in_one_input_and_name_their_objects() {
    let files = [
        ("a.csv", csv(TEXT)),
        ("b.fixed", csv(FIXED)),
        ("c.log", csv(LOG)),
        ("d.log", vec![]),
    ];
    let read = read_by_table(&files).unwrap();
    assert_eq!(spelled_out(&read.purchases), LINES);
    assert_eq!((read.report.objects, read.report.lines_read), (4, 11));
    assert_eq!(
        read.warnings,
        [
            "d.log has no lines",
            "2 of 3 objects have no column \"quantity\", the first is b.fixed: all of their lines count as sales"
        ]
    );
    let cut = read_by_table(&[("b.fixed", csv(&FIXED[1..]))]).unwrap_err();
    assert_eq!(cut.to_string(), "b.fixed: the last row is not whole");
}

#[test]
fn a_folder_is_read_by_the_endings_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let uri = folder.path().to_str().unwrap().to_owned();
    let location = runtime.block_on(crate::store::open(&uri)).unwrap();
    let files = [
        ("a.log.zst", zstd::encode_all(LOG.as_bytes(), 3).unwrap()),
        ("b.fixed", csv(FIXED)),
        ("c.fixed.gz", gz(FIXED)),
        ("d.txt", csv("Nothing to see here.\n")),
    ];
    for (name, content) in files {
        let put = location.put(name, content.into(), PutMode::Overwrite);
        runtime.block_on(put).unwrap();
    }
    let options = InputOptions {
        max_bad_share: 1.0,
        ..options()
    };
    let reader = Reader::with(&options, None.into(), None, TABLE);
    let (read, objects) = runtime
        .block_on(pipeline::read(&[uri], reader, &|_, _| {}))
        .unwrap();
    let names: Vec<&str> = objects
        .iter()
        .filter_map(|object| object.uri.rsplit('/').next())
        .collect();
    // What is read by ranges is unpacked first where it is compressed.
    assert_eq!(names, ["a.log.zst", "b.fixed", "c.fixed.gz"]);
    assert_eq!(
        read.warnings.first().unwrap(),
        "read 3 of 4 objects; left out: d.txt (text without the columns)"
    );
    assert_eq!(spelled_out(&read.whole().unwrap().purchases), LINES);
}
