//! [`Admin`]: what the handlers of one router share.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use crate::answer::problem::Code;
use crate::gate::Gate;
use crate::options::Options;

/// The options of a router, and a gate for each kind of work.
pub(crate) struct Admin {
    pub(crate) options: Options,
    /// Reads of the log: two at a time, so that reloading a page ten times does not read the log ten times.
    pub(crate) scans: Gate,
    /// Reads of one record, or of a few facts.
    pub(crate) reads: Gate,
    /// Scrapes of metrics: they have places of their own, so that hanging reads do not block them.
    pub(crate) scrapes: Gate,
    /// Snapshots for pages, which take no place from scrapers.
    pub(crate) glances: Gate,
    /// Operations.
    pub(crate) actions: Gate,
    /// A name that no other router has: a page compares counters only under one name.
    pub(crate) run: String,
}

impl Admin {
    pub(crate) fn new(options: Options) -> Self {
        let secs = Duration::from_secs;
        Self {
            scans: Gate::new(2, options.scan_time, secs(5), Code::TooSlow),
            reads: Gate::new(16, secs(5), secs(1), Code::TooSlow),
            scrapes: Gate::new(4, secs(5), secs(1), Code::TooSlow),
            glances: Gate::new(4, secs(5), secs(1), Code::TooSlow),
            actions: Gate::new(8, secs(30), secs(1), Code::StillRunning),
            run: run_name(),
            options,
        }
    }
}

/// A random name: it differs when the store was opened again, or by another process.
fn run_name() -> String {
    format!("{:016x}", RandomState::new().hash_one("run"))
}

#[cfg(test)]
mod tests {
    use super::run_name;

    #[test]
    fn two_runs_have_two_names() {
        assert_ne!(run_name(), run_name());
    }
}
