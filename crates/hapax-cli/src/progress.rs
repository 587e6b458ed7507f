//! How far long work has come, on standard error, where that is a terminal.

use hapax::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar for one piece of work; it goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new(doing: &'static str) -> Self {
        let bar = ProgressBar::no_length().with_message(doing);
        if let Ok(style) =
            ProgressStyle::with_template("{msg} [{bar:30}] {pos} of {len} {prefix}, {eta} left")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(bar)
    }

    /// What the library tells.
    pub(crate) fn show(&self, progress: &Progress) {
        self.0.set_prefix(progress.unit().to_string());
        self.0.set_length(progress.total());
        self.0.set_position(progress.done());
    }

    /// What has been done of something whose size is known.
    pub(crate) fn at(&self, done: u64, total: Option<u64>, unit: &'static str) {
        self.0.set_prefix(unit);
        if let Some(total) = total {
            self.0.set_length(total);
        }
        self.0.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
