//! Checks that a file is a complete export, and that all its lines are valid.

use std::collections::{BTreeMap, HashSet};

use crate::input::json_file::JsonFile;
use crate::notation::count::counted;
use crate::output::progress_bar::ProgressBar;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble};
use crate::verbs::export_end::ExportEnd;
use crate::verbs::import::export_line::{EndMembers, ExportLine};

/// The result of the check.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Namespaces that keys name before a line defines them, with the first such line.
    pub(crate) unmade: BTreeMap<String, u64>,
    /// The last line, if it is incomplete.
    pub(crate) cut: Option<u64>,
}

/// Reads a file to its end, and refuses an invalid or incomplete one.
pub(crate) fn check(file: &JsonFile, partial: bool, screen: &Screen) -> Result<Checked> {
    let mut read = Read::default();
    let mut bar = ProgressBar::new("checking");
    for line in file.lines()? {
        let (number, line) = line?;
        read.line(number, &line)?;
        bar.lines(number);
    }
    drop(bar);
    match read.fault() {
        Some(fault) if partial => {
            screen.note(&format!("{fault}. It is imported as it is"));
        }
        Some(fault) => {
            return Err(Trouble::usage(format!(
                "{fault}. Nothing was changed: get the complete file, or add --partial to import this one as it is"
            )));
        }
        None => {}
    }
    Ok(Checked {
        unmade: read.unmade,
        cut: read.cut,
    })
}

/// The state of the check.
#[derive(Debug, Default)]
struct Read {
    made: HashSet<String>,
    unmade: BTreeMap<String, u64>,
    cut: Option<u64>,
    ending: ExportEnd,
    /// The end line, the lines before it, and its number.
    end: Option<(EndMembers, ExportEnd, u64)>,
    /// The first line after the end.
    beyond: Option<u64>,
}

impl Read {
    fn line(&mut self, number: u64, line: &[u8]) -> Result<()> {
        let parsed = match ExportLine::parse(number, line) {
            Ok(parsed) => parsed,
            Err(_) if !line.ends_with(b"\n") => {
                self.cut = Some(number);
                return Ok(());
            }
            Err(text) => return Err(Trouble::in_line(number, text)),
        };
        if self.end.is_some() {
            self.beyond.get_or_insert(number);
        }
        match parsed {
            ExportLine::Export { version: 1 } => {}
            ExportLine::Export { version } => {
                let text = format!(
                    "the export has version {version}, and this `hapax` reads version 1: use a newer one"
                );
                return Err(Trouble::in_line(number, text));
            }
            ExportLine::Namespace { name, .. } => {
                self.made.insert(name);
            }
            ExportLine::Key(key) => {
                if !self.made.contains(&key.namespace) {
                    self.unmade.entry(key.namespace).or_insert(number);
                }
            }
            ExportLine::End(members) => {
                let met = (members, self.ending.clone(), number);
                self.end.get_or_insert(met);
            }
        }
        self.ending.add(line.trim_ascii());
        Ok(())
    }

    /// Why the file is not exactly one complete export.
    fn fault(&self) -> Option<String> {
        if let Some(number) = self.cut {
            return Some(format!("the file was cut within line {number}"));
        }
        let Some((members, before, number)) = &self.end else {
            return Some(format!(
                "the file has {} and no end line: it was cut, or written by hand",
                counted(self.ending.lines(), "line")
            ));
        };
        if let Some(beyond) = self.beyond {
            return Some(format!(
                "line {beyond} comes after the end of the export in line {number}"
            ));
        }
        if members.lines != before.lines() {
            return Some(format!(
                "the file was changed after its export: it has {} before its end, and had {}",
                counted(before.lines(), "line"),
                members.lines
            ));
        }
        (members.xxh3 != before.xxh3()).then(|| {
            format!(
                "the file was changed after its export: its lines have the checksum {}, and had {}",
                before.xxh3(),
                members.xxh3
            )
        })
    }
}
