//! Tables of text: the only place that aligns columns.

use std::fmt;

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// How a column is laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    align: Align,
    /// In characters; `None` for as wide as the widest cell. A longer cell sticks out.
    width: Option<usize>,
}

impl Column {
    /// As wide as its widest cell.
    pub(super) fn fitted(align: Align) -> Self {
        Self { align, width: None }
    }

    /// This many characters wide, whatever stands in it.
    pub(super) fn fixed(align: Align, width: usize) -> Self {
        Self {
            align,
            width: Some(width),
        }
    }
}

/// Rows of cells under each other. Lines have no spaces at their end.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    /// What stands before each line.
    indent: &'static str,
    /// What stands between two columns.
    separator: &'static str,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table, without an indent and with two spaces between columns.
    pub(super) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self {
            columns: columns.into(),
            indent: "",
            separator: "  ",
            rows: vec![],
        }
    }

    pub(super) fn indent(self, indent: &'static str) -> Self {
        Self { indent, ..self }
    }

    pub(super) fn separator(self, separator: &'static str) -> Self {
        Self { separator, ..self }
    }

    /// Adds a row; it may have fewer cells than there are columns.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// How many rows there are, headings included.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    fn width(&self, at: usize, column: &Column) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at));
        match column.width {
            Some(width) => width,
            None => cells.map(|cell| cell.chars().count()).max().unwrap_or(0),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<(Align, usize)> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| (column.align, self.width(at, column)))
            .collect();
        for row in &self.rows {
            let mut line = self.indent.to_owned();
            for (at, (cell, (align, width))) in row.iter().zip(&columns).enumerate() {
                if at > 0 {
                    line.push_str(self.separator);
                }
                line.push_str(&match align {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                });
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A figure with its decimals, or a dash if it is not known.
pub(super) fn figure(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters_and_lines_end_with_a_cell() {
        let mut table = Table::new([
            Column::fitted(Align::Left),
            Column::fitted(Align::Right),
            Column::fixed(Align::Left, 4),
            Column::fitted(Align::Left),
        ])
        .indent("> ");
        table.row(["name", "–", "a", ""]);
        table.row(["n", "12.5", "longer", "x"]);
        assert_eq!(table.len(), 2);
        assert_eq!(
            table.to_string(),
            "> name     –  a\n> n     12.5  longer  x\n"
        );
        let mut short = Table::new([Column::fixed(Align::Right, 3); 2]).separator("|");
        short.row(["1"]);
        short.row([figure(Some(0.25), 1), figure(None, 1)]);
        assert_eq!(short.to_string(), "  1\n0.2|  –\n");
    }
}
