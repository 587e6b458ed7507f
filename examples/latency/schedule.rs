//! When the next claim of a caller is due, and from when its latency counts.

use std::time::{Duration, Instant};

/// A fixed distance between the claims of one caller, however long they take.
#[derive(Debug)]
pub(crate) struct Schedule {
    due: Instant,
    distance: Duration,
}

/// While a thread had nothing to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    pub(crate) from: Instant,
    pub(crate) until: Instant,
}

impl Schedule {
    /// The schedule of one of this many callers, who share a rate and take turns.
    pub(crate) fn new(from: Instant, rate: u64, callers: u64, number: u64) -> Self {
        let nanos = 1_000_000_000 / rate.max(1);
        Self {
            due: from + Duration::from_nanos(nanos.saturating_mul(number)),
            distance: Duration::from_nanos(nanos.saturating_mul(callers)),
        }
    }

    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Takes the next claim off the schedule, and returns the moment from which its latency counts: when it
    /// was due, or when its thread woke, if the thread slept then. Only claims that fell due in such a sleep
    /// are left out, so nothing that the store does takes a claim off the schedule. Later claims stay where
    /// they were, so that callers who wake together do not stay together.
    pub(crate) fn take(&mut self, idle: Option<Idle>) -> Instant {
        let due = self.due;
        self.due += self.distance;
        let Some(idle) = idle.filter(|idle| idle.from <= due && due <= idle.until) else {
            return due;
        };
        while self.due <= idle.until {
            self.due += self.distance;
        }
        idle.until
    }
}
