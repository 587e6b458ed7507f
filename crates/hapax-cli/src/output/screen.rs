//! [`Screen`]: writes rows to standard output, as columns or as JSON.

use std::io::{self, BufWriter, Stdout, Write};

use crate::notation::escaped;
use crate::output::format::{Format, OutputArgs};
use crate::output::row::{Field, Row};
use crate::output::stderr::say;
use crate::output::table::{Column, Table};
use crate::trouble::{Result, Trouble};

/// The number of rows that are laid out together.
const PAGE_ROWS: usize = 1000;

/// Standard output.
#[derive(Debug)]
pub(crate) struct Screen {
    format: Format,
    key_hex: bool,
    out: BufWriter<Stdout>,
    /// The reader has closed the pipe. The verb continues its work without output.
    unread: bool,
}

impl Screen {
    pub(crate) fn new(output: OutputArgs) -> Self {
        Self {
            format: output.format,
            key_hex: output.key_hex,
            out: BufWriter::new(io::stdout()),
            unread: false,
        }
    }

    /// Whether keys are shown in hexadecimal.
    pub(crate) fn key_hex(&self) -> bool {
        self.key_hex
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Shows one row: a line for each field, or an object.
    pub(crate) fn record(&mut self, row: &Row) -> Result<()> {
        if self.is_json() {
            return self.line(&row.json());
        }
        let labels: Vec<(String, &str)> = row
            .fields
            .iter()
            .filter_map(|field| Some((field.label(), field.cell.as_deref()?)))
            .collect();
        let width = labels.iter().map(|(label, _)| label.len()).max();
        for (label, cell) in &labels {
            let line = format!("{label:width$}  {cell}", width = width.unwrap_or(0));
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    /// Shows a list: columns, or an object on each line. Returns the number of rows. It stops when the reader
    /// has gone, so producing a row must not change anything.
    pub(crate) fn list(&mut self, rows: impl IntoIterator<Item = Result<Row>>) -> Result<u64> {
        let mut table = Table::default();
        let mut page = Vec::new();
        let mut count = 0;
        for row in rows {
            let row = match row {
                Ok(row) => row,
                Err(trouble) => {
                    self.page(&mut table, &page)?;
                    return Err(trouble);
                }
            };
            count += 1;
            if self.is_json() {
                self.line(&row.json())?;
            } else {
                page.push(row);
            }
            if page.len() == PAGE_ROWS {
                self.page(&mut table, &page)?;
                page.clear();
            }
            if self.unread {
                break;
            }
        }
        self.page(&mut table, &page)?;
        Ok(count)
    }

    /// Shows a row of an open-ended list at once.
    pub(crate) fn tick(&mut self, table: &mut Table, row: &Row) -> Result<()> {
        if self.is_json() {
            self.line(&row.json())?;
        } else {
            self.page(table, std::slice::from_ref(row))?;
        }
        self.flush()
    }

    /// Writes a remark for people to standard error.
    pub(crate) fn note(&self, text: &str) {
        say(&escaped::line(text));
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.out.write_all(bytes);
        self.wrote(written)
    }

    /// Writes a line that needs no escapes.
    pub(crate) fn line(&mut self, line: &str) -> Result<()> {
        let written = writeln!(self.out, "{line}");
        self.wrote(written)
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        let written = self.out.flush();
        self.wrote(written)
    }

    /// Whether the reader has closed the pipe.
    pub(crate) fn is_unread(&self) -> bool {
        self.unread
    }

    fn wrote(&mut self, written: io::Result<()>) -> Result<()> {
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.unread = true;
                Ok(())
            }
            written => written.map_err(Trouble::file("writing the results")),
        }
    }

    fn page(&mut self, table: &mut Table, rows: &[Row]) -> Result<()> {
        let Some(first) = rows.first() else {
            return Ok(());
        };
        let shown = |field: &&Field| field.cell.is_some();
        let columns: Vec<Column> = first
            .fields
            .iter()
            .filter(shown)
            .map(|field| Column {
                title: field.label().to_uppercase(),
                right: field.right,
            })
            .collect();
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                row.fields
                    .iter()
                    .filter_map(|field| field.cell.clone())
                    .collect()
            })
            .collect();
        for line in table.lines(&columns, &cells) {
            self.line(&line)?;
        }
        Ok(())
    }
}
