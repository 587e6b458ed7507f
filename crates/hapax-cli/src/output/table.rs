//! [`Table`]: rows laid out in columns.

use unicode_width::UnicodeWidthStr;

/// A column: its title, and whether its cells are aligned to the right.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) title: String,
    pub(crate) right: bool,
}

/// Lays out rows, page by page. A column is as wide as its widest cell so far.
#[derive(Debug, Default)]
pub(crate) struct Table {
    widths: Vec<usize>,
    has_titles: bool,
}

impl Table {
    /// Lays out a page of rows; the first page has the titles above it.
    pub(crate) fn lines(&mut self, columns: &[Column], rows: &[Vec<String>]) -> Vec<String> {
        self.widths.resize(columns.len(), 0);
        let titles: Vec<String> = columns.iter().map(|column| column.title.clone()).collect();
        for row in rows.iter().chain([&titles]) {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let titles = [titles];
        let head: &[Vec<String>] = if self.has_titles { &[] } else { &titles };
        self.has_titles = true;
        head.iter()
            .chain(rows)
            .map(|row| self.line(columns, row))
            .collect()
    }

    fn line(&self, columns: &[Column], row: &[String]) -> String {
        let mut line = String::new();
        let cells = row.iter().zip(columns).zip(&self.widths);
        for (at, ((cell, column), width)) in cells.enumerate() {
            if at > 0 {
                line.push_str("  ");
            }
            let room = " ".repeat(width.saturating_sub(cell.width()));
            if column.right {
                line.push_str(&room);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&room);
            }
        }
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Column, Table};

    #[test]
    fn columns_line_up() {
        let column = |title: &str, right| Column {
            title: title.to_owned(),
            right,
        };
        let columns = [column("KEY", false), column("AGE", true)];
        let row = |key: &str, age: &str| vec![key.to_owned(), age.to_owned()];
        let mut table = Table::default();
        let lines = table.lines(&columns, &[row("order-42", "3m"), row("\u{4e00}", "12m")]);
        assert_eq!(
            lines,
            ["KEY       AGE", "order-42   3m", "\u{4e00}        12m"]
        );
        assert_eq!(table.lines(&columns, &[row("x", "1s")]), ["x          1s"]);
    }
}
