//! Where a report goes: to the screen, and into files.

use std::path::Path;

use super::lines::Report;
use super::{csv, json, svg, table};
use crate::outcome::Outcome;

impl Report {
    /// The table for people.
    #[must_use]
    pub fn table(&self) -> String {
        table::render(self)
    }

    /// A list of `{row, engine, value, unit, ratio_to_hapax}`.
    ///
    /// # Errors
    /// Never for what was found.
    pub fn json(&self) -> Outcome<String> {
        json::render(self)
    }

    /// Writes the table, the JSON, the CSV and the plots.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, out: &Path, json: Option<&Path>) -> Outcome<()> {
        std::fs::create_dir_all(out)?;
        std::fs::write(out.join("compare.txt"), self.table())?;
        std::fs::write(out.join("compare.csv"), csv::render(self))?;
        let text = self.json()?;
        std::fs::write(out.join("compare.json"), &text)?;
        if let Some(json) = json {
            std::fs::write(json, &text)?;
        }
        for line in &self.lines {
            if let Some(plot) = svg::render(line, &self.machine) {
                std::fs::write(out.join(format!("{}.svg", line.figure.name)), plot)?;
            }
        }
        Ok(())
    }
}
