//! [`ProgressBar`]: the progress of long work, on standard error if it is a terminal.

use hapax::maintenance::{Progress, ProgressUnit};
use indicatif::ProgressStyle;

/// A bar for one piece of work; it disappears when it is dropped.
#[derive(Debug)]
pub(crate) struct ProgressBar {
    bar: indicatif::ProgressBar,
    has_unit: bool,
}

impl ProgressBar {
    pub(crate) fn new(doing: &'static str) -> Self {
        let bar = indicatif::ProgressBar::no_length().with_message(doing);
        Self {
            bar,
            has_unit: false,
        }
    }

    /// Shows progress that the library reports.
    pub(crate) fn show(&mut self, progress: &Progress) {
        match progress.unit() {
            ProgressUnit::Bytes => self.count("{bytes} of {total_bytes}"),
            unit => self.count(&format!("{{pos}} of {{len}} {unit}")),
        }
        self.bar.set_length(progress.total());
        self.bar.set_position(progress.done());
    }

    /// Shows a number of keys, of a total.
    pub(crate) fn keys(&mut self, done: u64, total: u64) {
        self.count("{pos} of {len} keys");
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    /// Shows a number of lines, of an unknown total.
    pub(crate) fn lines(&mut self, done: u64) {
        if !self.has_unit {
            self.style("{msg} {pos} lines, {per_sec}");
        }
        self.bar.set_position(done);
    }

    fn count(&mut self, count: &str) {
        if !self.has_unit {
            self.style(&format!("{{msg}} [{{bar:30}}] {count}, {{eta}} left"));
        }
    }

    /// Chooses the template once, because the unit stays the same.
    fn style(&mut self, template: &str) {
        self.has_unit = true;
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("=> "));
        }
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
