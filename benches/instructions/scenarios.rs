//! What can be counted, by name.

use hapax::LogKind;

use crate::rig::Rig;
use crate::{batches, singles};

/// One kind of call.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// As on the command line and in `ci/instructions.budget`.
    pub(crate) name: &'static str,
    log: LogKind,
    /// Makes the calls, and returns how many were counted; of a batch each item counts as one.
    run: fn(&mut Rig) -> u64,
}

const fn on_sled(name: &'static str, run: fn(&mut Rig) -> u64) -> Scenario {
    let log = LogKind::Sled;
    Scenario { name, log, run }
}

const fn on_files(name: &'static str, run: fn(&mut Rig) -> u64) -> Scenario {
    let log = LogKind::Files;
    Scenario { name, log, run }
}

/// All of them, in the order of the alphabet.
pub(crate) const SCENARIOS: &[Scenario] = &[
    on_sled("claim", singles::claim),
    on_sled("claim-async", singles::claim_async),
    on_files("claim-files", singles::claim),
    on_sled("claim-many", batches::claim_many),
    on_sled("claim-running", singles::claim_running),
    on_sled("complete", singles::complete),
    on_files("complete-files", singles::complete),
    on_sled("complete-many", batches::complete_many),
    on_sled("fail", singles::fail),
    on_sled("insert", singles::insert),
    on_files("insert-files", singles::insert),
    on_sled("insert-many", batches::insert_many),
    on_sled("pair", singles::pair),
    on_sled("release", singles::release),
    on_sled("replay", singles::replay),
    on_files("replay-files", singles::replay),
];

impl Scenario {
    pub(crate) fn make_calls(&self) -> u64 {
        (self.run)(&mut Rig::new(self.log))
    }
}
