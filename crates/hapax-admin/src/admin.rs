//! [`Admin`]: what all handlers of one router share.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use crate::answer::problem::Code;
use crate::gate::Gate;
use crate::options::Options;

/// What the handlers share.
pub(crate) struct Admin {
    pub(crate) options: Options,
    /// Reading the log: two at a time, so that a page that is reloaded does not read it ten times.
    pub(crate) scans: Gate,
    /// Reading one record, or a few facts.
    pub(crate) reads: Gate,
    /// Reading counters: reads that hang take no place from whoever scrapes them.
    pub(crate) scrapes: Gate,
    /// The same for pages, which take no place from scrapers either.
    pub(crate) glances: Gate,
    /// Changing something.
    pub(crate) actions: Gate,
    /// Tells the counters of this router from those of another one.
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

/// What tells the counters of one router from those of another, whose store was opened again or by
/// another process.
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
