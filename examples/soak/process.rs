//! The facts about this process in `/proc`, where the system has it.

use std::fs;

/// The number after a name in a file of `/proc`.
pub(crate) fn number_in(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Memory that this process has; zero where the system does not say.
pub(crate) fn resident_bytes() -> u64 {
    number_in("/proc/self/status", "VmRSS:").unwrap_or(0) * 1024
}
