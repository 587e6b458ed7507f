//! Standard error: one line at a time, for people.

use std::io::{self, Write};

/// A line on standard error; a closed one is no error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
