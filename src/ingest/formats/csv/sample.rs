//! The first rows of a CSV object, as a viewer shows them: nothing is known of its columns.

use std::borrow::Cow;

use super::CsvOptions;
use super::header::CsvHeader;
use super::layout::BeginningLines;
use super::records::{RecordScanner, RecordStyle, ScannedRecord};
use super::shape::{is_number, looks_like_time};
use super::split_lines::SplitLines;
use crate::error::{Error, Result};
use crate::ingest::encoding::likeliest;
use crate::ingest::sample::TableSample;
use crate::ingest::stream::ByteStream;

/// The first rows of an object.
///
/// # Errors
/// If it cannot be read, or has no line.
pub(super) fn sample(
    mut stream: ByteStream,
    options: &CsvOptions,
    rows: usize,
) -> Result<TableSample> {
    stream.fill(0)?;
    let mut notes = vec!["the format is CSV".to_owned()];
    let text = as_utf8(stream.data(), &mut notes);
    let line_end = if text.contains(&b'\n') { b'\n' } else { b'\r' };
    if line_end == b'\r' {
        notes.push("lines end with CR".to_owned());
    }
    let beginning = BeginningLines::new(&text, stream.has_ended(), line_end, options);
    let tables = beginning
        .separators()
        .into_iter()
        .map(|separator| (separator, SplitLines::new(&beginning, separator)));
    let Some((separator, table)) = tables.max_by_key(|(_, table)| table.score) else {
        return Err(Error::input("it has no lines"));
    };
    let style = beginning.style(separator);
    notes.push(format!("fields are separated by {}", name_of(separator)));
    let place = table.place();
    let width = place
        .header
        .map_or(table.width, |at| table.lines.get(at).map_or(0, Vec::len));
    let columns = match place.header {
        Some(at) => table.lines.get(at).cloned().unwrap_or_default(),
        None => (1..=width).map(|number| format!("#{number}")).collect(),
    };
    match (place.header, place.header.unwrap_or(place.data)) {
        (None, _) => notes.push("there is no header: columns have numbers".to_owned()),
        (Some(_), 0) => {}
        (Some(_), titles) => notes.push(format!("{titles} lines before the header are titles")),
    }
    let start = beginning
        .lines
        .get(place.data)
        .map_or(text.len(), |line| line.start());
    let rest = text.get(start..).unwrap_or_default();
    Ok(TableSample {
        types: vec![String::new(); columns.len()],
        rows: first_rows(rest, &style, columns.len(), rows),
        columns,
        nested: None,
        notes,
    })
}

/// The text as UTF-8, decoded from the likeliest encoding if it is not.
fn as_utf8<'a>(data: &'a [u8], notes: &mut Vec<String>) -> Cow<'a, [u8]> {
    // The last character may be cut off.
    let is_utf8 = match std::str::from_utf8(data) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    if is_utf8 {
        return Cow::Borrowed(data);
    }
    let (name, encoding) = likeliest(data);
    notes.push(format!("the text is not UTF-8, and probably {name}: set encoding = \"{name}\" and check the letters"));
    let (text, _) = encoding.decode_without_bom_handling(data);
    Cow::Owned(text.into_owned().into_bytes())
}

/// Where the header and the first line of data are among lines.
struct TablePlace {
    header: Option<usize>,
    data: usize,
}

impl SplitLines {
    /// Where the table begins: the first line of the commonest width with a number or a time in it is
    /// data, and a line of names just before it is the header.
    fn place(&self) -> TablePlace {
        let is_value =
            |field: &String| is_number(field.as_bytes()) || looks_like_time(field.as_bytes());
        let is_data = |line: &Vec<String>| line.len() == self.width && line.iter().any(is_value);
        let Some(data) = self.lines.iter().position(is_data) else {
            return TablePlace {
                header: Some(0),
                data: 1,
            };
        };
        let is_ruler = |line: &Vec<String>| {
            line.iter()
                .all(|field| field.bytes().all(|byte| matches!(byte, b'-' | b'=' | b'+')))
        };
        let before = self.lines.get(..data).unwrap_or_default();
        let is_header = |line: &Vec<String>| {
            !is_ruler(line) && line.len().abs_diff(self.width) <= 1 && !line.iter().any(is_value)
        };
        let header = before.iter().rposition(is_header);
        // Lines after the header whose quotes make them look longer are data, too.
        let after = header.map_or(data, |header| header + 1);
        let rulers = before
            .get(after..)
            .unwrap_or_default()
            .iter()
            .take_while(|line| is_ruler(line));
        TablePlace {
            header,
            data: after + rulers.count(),
        }
    }
}

fn first_rows(
    data: &[u8],
    style: &RecordStyle,
    width: usize,
    most: usize,
) -> Vec<Vec<Option<String>>> {
    let mut record = RecordScanner::default();
    let (mut rest, mut rows) = (data, vec![]);
    while rows.len() < most
        && let ScannedRecord::Record { len } | ScannedRecord::Blank { len } =
            record.read(rest, style, true)
        && len > 0
    {
        let mut cells = CsvHeader::names_of(&record, rest);
        if cells.len() > 1 || width == 1 {
            cells.resize(width, String::new());
            let cell = |cell: String| (!cell.is_empty()).then_some(cell);
            rows.push(cells.into_iter().map(cell).collect());
        }
        rest = rest.get(len..).unwrap_or_default();
    }
    rows
}

fn name_of(separator: u8) -> String {
    match separator {
        b',' => "commas".to_owned(),
        b';' => "semicolons".to_owned(),
        b'\t' => "tabs".to_owned(),
        other => format!("\"{}\"", char::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::InputOptions;

    fn sample_of(text: &[u8]) -> TableSample {
        let stream = ByteStream::new(std::io::Cursor::new(text.to_vec()), None).into_text(None);
        sample(
            stream,
            &CsvOptions::new(&InputOptions::default()).unwrap(),
            2,
        )
        .unwrap()
    }

    #[test]
    fn a_sample_is_what_a_viewer_shows() {
        let titled = "Bericht M\u{fc}ller\n\nKunde;Artikel;Datum;Menge\n0850;04726;2024-03-01;0,350\n0877;04780;2024-03-02;2\n;Summe;;3\n";
        let latin: Vec<u8> = titled.chars().map(|character| character as u8).collect();
        let sample = sample_of(&latin);
        assert_eq!(sample.columns, ["Kunde", "Artikel", "Datum", "Menge"]);
        let row = |row: [&str; 4]| row.map(|cell| Some(cell.to_owned())).to_vec();
        assert_eq!(
            sample.rows,
            [
                row(["0850", "04726", "2024-03-01", "0,350"]),
                row(["0877", "04780", "2024-03-02", "2"])
            ]
        );
        assert_eq!(
            sample.notes,
            [
                "the format is CSV",
                "the text is not UTF-8, and probably cp1252: set encoding = \"cp1252\" and check the letters",
                "fields are separated by semicolons",
                "1 lines before the header are titles",
            ]
        );
        let sample = sample_of(b"7\t\t2017-10-30\n8\tx\t2017-10-31\n");
        assert_eq!(sample.columns, ["#1", "#2", "#3"]);
        assert_eq!(
            sample.rows[0],
            [Some("7".to_owned()), None, Some("2017-10-30".to_owned())]
        );
        let odd = b"day,customer,name\n2024-03-01,7,\"12\\\" ROUND, BOXED\"\n2024-03-01,8,x\n2024-03-02,9,y\n";
        assert_eq!(sample_of(odd).columns, ["day", "customer", "name"]);
        let sample = sample_of(b"name,city\nAnn,Rome\nBo,Lyon\n");
        assert_eq!(
            (sample.columns, sample.rows.len()),
            (vec!["name".to_owned(), "city".to_owned()], 2)
        );
    }
}
