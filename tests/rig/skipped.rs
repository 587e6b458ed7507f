//! A test that cannot run here says so, even past the capture of the test harness.

use std::io::Write;

/// Says on the standard error of the process what was not tested, and what the test needs.
pub(crate) fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "\n**** SKIPPED: {what}");
}
