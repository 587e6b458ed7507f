//! The outside world: a file with a line for each payment that was made. The store does not know it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hapax::FencingToken;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Failure;

/// The label of the derived key of a payment in the ledger.
pub(crate) const EFFECT: &str = "ledger";

/// One effect: money that moved.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(crate) struct Entry {
    /// The key that the client chose.
    pub(crate) key: String,
    /// The key derived from it, the same in every attempt; empty without the layer.
    pub(crate) derived_key: String,
    /// The token of the run; `None` without the layer.
    pub(crate) token: Option<FencingToken>,
    pub(crate) attempt: u32,
    pub(crate) amount: u64,
    pub(crate) currency: String,
}

impl Entry {
    /// The answer to the client. It follows from the entry alone, so that it can be rebuilt from the
    /// ledger. It names the run, so that two runs of one payment cannot look like one.
    pub(crate) fn answer(&self) -> String {
        let answer = json!({
            "receipt": self.derived_key,
            "run": self.token,
            "amount": self.amount,
            "currency": self.currency,
        });
        answer.to_string()
    }
}

/// The open ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    file: File,
    syncs: bool,
}

/// The path of the ledger in a directory.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("ledger.jsonl")
}

impl Ledger {
    /// Opens the ledger, and cuts off a last line that a kill tore: its run never got past the write, so
    /// no client heard of it. Call it with the store open, whose lock keeps other processes out.
    pub(crate) fn open(dir: &Path, syncs: bool) -> Result<Self, Failure> {
        let path = path(dir);
        let options = OpenOptions::new().append(true).create(true).to_owned();
        let file = options
            .open(&path)
            .map_err(|error| in_file(&path, &error))?;
        let text = std::fs::read(&path).map_err(|error| in_file(&path, &error))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |at| at + 1);
        if whole < text.len() {
            file.set_len(u64::try_from(whole)?)?;
        }
        Ok(Self { file, syncs })
    }

    /// The effect: one line, in one write at the end of the file.
    pub(crate) fn append(&self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_string(entry)?;
        line.push('\n');
        let mut file = &self.file;
        file.write_all(line.as_bytes())?;
        if self.syncs {
            file.sync_data()?;
        }
        Ok(())
    }
}

/// All entries, oldest first, without a torn last line.
pub(crate) fn entries(dir: &Path) -> Result<Vec<Entry>, Failure> {
    let path = path(dir);
    let text = std::fs::read_to_string(&path).map_err(|error| in_file(&path, &error))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut entries = Vec::new();
    for (line, number) in whole.lines().zip(1..) {
        let entry = serde_json::from_str(line);
        entries.push(entry.map_err(|error| format!("{}, line {number}: {error}", path.display()))?);
    }
    Ok(entries)
}

fn in_file(path: &Path, error: &io::Error) -> Failure {
    format!("{}: {error}", path.display()).into()
}
