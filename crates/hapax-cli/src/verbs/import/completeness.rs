//! Whether a file is all of an export, and makes sense to its last line.

use std::collections::{BTreeMap, HashSet};

use crate::input::json_file::JsonFile;
use crate::notation::count::counted;
use crate::output::progress_bar::ProgressBar;
use crate::output::screen::Screen;
use crate::trouble::{Result, Trouble};
use crate::verbs::export_end::ExportEnd;
use crate::verbs::import::export_line::{EndMembers, ExportLine};

/// What is known of a file before anything is done with it.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The namespaces of keys that no line before them makes, and where they stand first.
    pub(crate) unmade: BTreeMap<String, u64>,
    /// The last line, where it has no end and makes no sense.
    pub(crate) cut: Option<u64>,
}

/// Reads a file to its end, and refuses what makes no sense or was cut.
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
            screen.note(&format!("{fault}. What is there is taken as it is"));
        }
        Some(fault) => {
            return Err(Trouble::usage(format!(
                "{fault}. Nothing was done: get the whole file, or add --partial to take what is there"
            )));
        }
        None => {}
    }
    Ok(Checked {
        unmade: read.unmade,
        cut: read.cut,
    })
}

/// What was read so far.
#[derive(Debug, Default)]
struct Read {
    made: HashSet<String>,
    unmade: BTreeMap<String, u64>,
    cut: Option<u64>,
    ending: ExportEnd,
    /// The end that was met, what the lines before it came to, and its number.
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
                let text =
                    format!("it is of version {version}, and this reads 1: use a newer `hapax`");
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

    /// Why this is not all of an export, and nothing else.
    fn fault(&self) -> Option<String> {
        if let Some(number) = self.cut {
            return Some(format!("the file was cut within line {number}"));
        }
        let Some((members, before, number)) = &self.end else {
            return Some(format!(
                "{}, and none that says that this is all of an export: it was cut, or written by hand",
                counted(self.ending.lines(), "line")
            ));
        };
        if let Some(beyond) = self.beyond {
            return Some(format!(
                "line {beyond} stands behind the end of the export in line {number}"
            ));
        }
        if members.lines != before.lines() {
            return Some(format!(
                "the file is not what was exported: {} before its end, and there were {}",
                counted(before.lines(), "line"),
                members.lines
            ));
        }
        (members.xxh3 != before.xxh3()).then(|| {
            format!(
                "the file is not what was exported: its lines have the checksum {}, and had {}",
                before.xxh3(),
                members.xxh3
            )
        })
    }
}
