//! Records calls: stamps of one monotonic clock, and one line for each.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hapax_check::History;
use hapax_check::history::{Call, Line, Meta, Reopen, write_line};

/// What has been recorded.
#[derive(Debug)]
pub(crate) struct Recorder {
    from: Instant,
    kept: Mutex<Kept>,
    calls: AtomicU64,
}

#[derive(Debug)]
struct Kept {
    file: Option<BufWriter<File>>,
    /// `None` where the history is not judged here.
    history: Option<History>,
    error: Option<io::Error>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a history is about real time; nothing else reads a clock here"
)]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the checker compares the store's clock with the one on the wall"
)]
fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

impl Recorder {
    /// Starts a history with its meta line.
    pub(crate) fn new(mut meta: Meta, file: Option<&Path>, keep: bool) -> io::Result<Self> {
        meta.wall_ms = wall_ms();
        let from = instant();
        let mut file = file.map(File::create).transpose()?.map(BufWriter::new);
        if let Some(file) = &mut file {
            write_line(file, &Line::Meta(meta.clone()))?;
        }
        let history = keep.then(|| History {
            meta,
            ..History::default()
        });
        Ok(Self {
            from,
            kept: Mutex::new(Kept {
                file,
                history,
                error: None,
            }),
            calls: AtomicU64::new(0),
        })
    }

    /// Nanoseconds since the beginning.
    pub(crate) fn stamp(&self) -> u64 {
        u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        instant().saturating_duration_since(self.from)
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn call(&self, call: Call) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.keep(Line::Call(call));
    }

    pub(crate) fn reopened(&self, start: u64) {
        let end = self.stamp();
        self.keep(Line::Reopen(Reopen { start, end }));
    }

    fn keep(&self, line: Line) {
        let mut kept = self.kept.lock().expect("no thread panics with it");
        if let Some(file) = &mut kept.file {
            if let Err(error) = write_line(file, &line) {
                kept.error.get_or_insert(error);
            }
        }
        match (&mut kept.history, line) {
            (Some(history), Line::Call(call)) => history.calls.push(call),
            (Some(history), Line::Reopen(reopen)) => history.reopens.push(reopen),
            _ => {}
        }
    }

    /// The history, where it was kept. Fails when the file could not be written.
    pub(crate) fn finish(self) -> io::Result<Option<History>> {
        let mut kept = self.kept.into_inner().expect("no thread panicked with it");
        if let Some(error) = kept.error {
            return Err(error);
        }
        if let Some(file) = &mut kept.file {
            file.flush()?;
        }
        Ok(kept.history)
    }
}
