//! Progress: a bar on a terminal, else a plain line now and then. Both go to stderr.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

/// Plain lines per run, so that a log stays readable.
const LINES: u64 = 20;

/// Counts deliveries and shows how many there were.
#[derive(Debug)]
pub(crate) struct Progress {
    done: AtomicU64,
    total: AtomicU64,
    step: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(crate) fn new(total: u64) -> Self {
        Self {
            done: AtomicU64::new(0),
            total: AtomicU64::new(total),
            step: total.div_ceil(LINES).max(1),
            bar: io::stderr().is_terminal().then(|| bar(total)),
        }
    }

    /// Expects this many more deliveries, because they come again.
    pub(crate) fn expect_more(&self, more: u64) {
        self.total.fetch_add(more, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.inc_length(more);
        }
    }

    /// One was delivered.
    pub(crate) fn delivered(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        } else if done % self.step == 0 {
            let total = self.total.load(Ordering::Relaxed);
            say(&format!("progress: {done} of {total} deliveries"));
        }
    }

    /// Takes the bar away, so that the report stands alone.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("[{bar:40}] {human_pos} of {human_len} deliveries")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style.progress_chars("=> "))
}

/// A line on stderr, in one write; a closed stderr does not stop the example.
pub(crate) fn say(text: &str) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}
