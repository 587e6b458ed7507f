//! Standard error: one line at a time, for people.

use std::io::{self, Write};

/// Writes a line to standard error; ignores that it may be closed.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
