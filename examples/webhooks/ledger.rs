//! The outside world: a file that gets a line for each effect. hapax does not know it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::Failure;

/// One effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// The id of the delivery.
    pub(crate) delivery: String,
    /// The fencing token of the lease under which it happened.
    pub(crate) token: i64,
    /// The lease's derived key: the same for every attempt at this delivery.
    pub(crate) key: String,
    /// A digest of the body that was handled.
    pub(crate) digest: String,
}

impl Entry {
    /// The answer to the sender. It follows from the entry alone, so that it can be rebuilt from the ledger
    /// if the process died before it was stored.
    pub(crate) fn response(&self) -> Vec<u8> {
        let response =
            json!({ "accepted": self.delivery, "receipt": self.key, "digest": self.digest });
        response.to_string().into_bytes()
    }

    fn line(&self) -> String {
        let line = json!({
            "delivery": self.delivery,
            // As a string, because JSON numbers lose bits above 2^53.
            "token": self.token.to_string(),
            "key": self.key,
            "digest": self.digest,
        });
        format!("{line}\n")
    }

    fn parse(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        let text = |name: &str| line.get(name)?.as_str().map(str::to_owned);
        Some(Self {
            delivery: text("delivery")?,
            token: text("token")?.parse().ok()?,
            key: text("key")?,
            digest: text("digest")?,
        })
    }
}

/// The open ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    file: File,
    appended: u64,
    /// Why the last write failed. A line may be there in part, and what follows it would be glued
    /// to it, so nothing does until the ledger is opened again.
    failed: Option<io::ErrorKind>,
}

impl Ledger {
    /// Opens the ledger, and cuts off a last line that a kill has torn.
    ///
    /// A torn line is not an effect: its holder never got past the write, so no caller was told of
    /// it and its key cannot be completed. It must go before anything is appended to it, and before
    /// the reconciler looks. Call it with the store open: the store's lock keeps other processes
    /// out.
    pub(crate) fn open(path: PathBuf) -> Result<Self, Failure> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(|error| in_file(&path, &error))?;
        let bytes = std::fs::read(&path).map_err(|error| in_file(&path, &error))?;
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        if whole < bytes.len() {
            file.set_len(u64::try_from(whole)?)
                .map_err(|error| in_file(&path, &error))?;
        }
        let writer = Mutex::new(Writer {
            file,
            appended: 0,
            failed: None,
        });
        Ok(Self { path, writer })
    }

    /// The effect: one line, newline included, in one write at the end of the file.
    ///
    /// It survives `kill -9` as it is; to survive a power cut, the outside world must make it
    /// durable before it answers.
    pub(crate) fn append(&self, entry: &Entry) -> io::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = writer.failed {
            return Err(kind.into());
        }
        let written = writer.file.write_all(entry.line().as_bytes());
        writer.failed = written.as_ref().err().map(io::Error::kind);
        written?;
        writer.appended += 1;
        Ok(())
    }

    /// Lines appended since it was opened.
    pub(crate) fn appended(&self) -> u64 {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.appended
    }

    /// All entries, oldest first, read back from the file.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, Failure> {
        let text =
            std::fs::read_to_string(&self.path).map_err(|error| in_file(&self.path, &error))?;
        let mut entries = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let entry = Entry::parse(line).ok_or_else(|| {
                format!(
                    "{}, line {number}: not a line of a ledger",
                    self.path.display()
                )
            })?;
            entries.push(entry);
        }
        Ok(entries)
    }
}

fn in_file(path: &Path, error: &io::Error) -> Failure {
    format!("{}: {error}", path.display()).into()
}
