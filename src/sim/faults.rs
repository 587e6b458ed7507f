//! [`Faults`]: what goes wrong in a simulation, and how often.

use fastrand::Rng;

/// A fault that a simulation injects.
///
/// # Examples
///
/// ```
/// use hapax::sim::{Fault, Faults, Simulation};
///
/// let kills = Faults::none().rate(Fault::Kill, 100);
/// let report = Simulation::new(7).steps(200).faults(kills).run(|_| async { Ok(()) });
/// assert_eq!(report.power_cuts(), 1, "the one at the end");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The power goes: any part of what was not synced is lost, and any part of it torn. Between two
    /// steps, and within a call of the log.
    PowerCut,
    /// The process is killed: what it had not handed to the operating system is lost.
    Kill,
    /// The store is closed, or its last handle dropped, while actors use it; then it is reopened.
    Restart,
    /// A write or a sync fails, or reports a failure although it has happened.
    WriteError,
    /// A read fails.
    ReadError,
    /// A write or a sync takes up to two seconds.
    SlowWrite,
    /// The wall clock is set forward or back: by seconds, by days, or, while the store is closed, by
    /// months.
    ClockStep,
    /// An actor is dropped where it waits.
    Cancel,
    /// The medium says that it has no space left, for a while.
    LowDisk,
    /// A sync reports success without having happened. No store can keep a promise on such a disk,
    /// so this one is never among the defaults: it shows that a check would notice a loss.
    LyingSync,
}

const ALL: [Fault; 10] = [
    Fault::PowerCut,
    Fault::Kill,
    Fault::Restart,
    Fault::WriteError,
    Fault::ReadError,
    Fault::SlowWrite,
    Fault::ClockStep,
    Fault::Cancel,
    Fault::LowDisk,
    Fault::LyingSync,
];

/// The rate of each [`Fault`], per ten thousand opportunities.
///
/// An opportunity is a step of the simulation, or, for what fails in the log, a call of the log.
/// The default has all of them but [`LyingSync`](Fault::LyingSync).
///
/// # Examples
///
/// ```
/// use hapax::sim::{Fault, Faults};
///
/// // Only the process dies, and it does so a lot.
/// let faults = Faults::none().rate(Fault::Kill, 200);
/// # let _ = faults;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Faults {
    per_10_000: [u32; ALL.len()],
}

impl Faults {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self {
            per_10_000: [0; ALL.len()],
        }
    }

    /// Sets the rate of a fault, per ten thousand opportunities.
    pub fn rate(mut self, fault: Fault, per_10_000: u32) -> Self {
        self.per_10_000[fault as usize] = per_10_000;
        self
    }

    /// Whether it comes at all.
    pub(super) fn has(&self, fault: Fault) -> bool {
        self.per_10_000[fault as usize] > 0
    }

    /// Whether it comes at this opportunity.
    pub(super) fn strikes(&self, fault: Fault, random: &mut Rng) -> bool {
        let rate = self.per_10_000[fault as usize];
        rate > 0 && random.u32(0..10_000) < rate
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
            .rate(Fault::PowerCut, 60)
            .rate(Fault::Kill, 20)
            .rate(Fault::Restart, 20)
            .rate(Fault::WriteError, 15)
            .rate(Fault::ReadError, 10)
            .rate(Fault::SlowWrite, 100)
            .rate(Fault::ClockStep, 20)
            .rate(Fault::Cancel, 100)
            .rate(Fault::LowDisk, 10)
    }
}
