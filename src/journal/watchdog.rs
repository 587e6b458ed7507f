//! [`Watchdog`]: notices a writer that is stuck.

use std::io;
use std::time::Duration;

use crate::runtime::patience::{LOOK_MS_MAX, Patience};
use crate::runtime::sync::{AtomicU64, Mutex, Ordering};
use crate::value::time::millis;

/// The begin of no work.
const IDLE: u64 = u64::MAX;

/// For how long the writer has been at its current work.
///
/// Time in which the watchdog itself could not look, as when the process was stopped, does not count.
///
/// Invariant: only the holder of the writer's lock changes `busy_since_ms`.
#[derive(Debug)]
pub(super) struct Watchdog {
    deadline: Duration,
    /// When the writer began its current work; [`IDLE`] while it has none.
    busy_since_ms: AtomicU64,
    /// The work that was last seen, by the moment of its begin, and for how long it was seen.
    watched: Mutex<Option<(u64, Patience)>>,
    /// A copy of that time, for readers that take no lock.
    watched_ms: AtomicU64,
}

impl Watchdog {
    pub(super) fn new(deadline: Duration) -> Self {
        Self {
            deadline,
            busy_since_ms: AtomicU64::new(IDLE),
            watched: Mutex::new(None),
            watched_ms: AtomicU64::new(0),
        }
    }

    /// How long one piece of work may take.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Watches the writer while it does this work. The caller holds the writer's lock.
    pub(super) fn during<T>(&self, now_ms: u64, work: impl FnOnce() -> T) -> T {
        self.busy_since_ms.store(now_ms, Ordering::Relaxed);
        let done = work();
        self.busy_since_ms.store(IDLE, Ordering::Relaxed);
        done
    }

    /// Looks at the writer, as happens at every tick; returns an error if its work has taken longer
    /// than the deadline.
    pub(super) fn look(&self, now_ms: u64) -> Option<io::Error> {
        let since_ms = self.busy_since_ms.load(Ordering::Relaxed);
        let mut watched = self.watched.lock();
        if since_ms == IDLE {
            *watched = None;
            self.watched_ms.store(0, Ordering::Relaxed);
            return None;
        }
        let known = watched.take().filter(|(since, _)| *since == since_ms);
        let (_, patience) =
            watched.insert(known.unwrap_or_else(|| (since_ms, Patience::new(since_ms))));
        let seen_ms = patience.look(now_ms);
        drop(watched);
        self.watched_ms.store(seen_ms, Ordering::Relaxed);
        let limit = self.deadline;
        (seen_ms > millis(limit))
            .then(|| io::Error::new(io::ErrorKind::TimedOut, format!("no answer for {limit:?}")))
    }

    /// For how long the writer has been at its current work; 0 while it has none.
    pub(super) fn busy_ms(&self, now_ms: u64) -> u64 {
        let busy_ms = now_ms.saturating_sub(self.busy_since_ms.load(Ordering::Relaxed));
        let watched_ms = self.watched_ms.load(Ordering::Relaxed);
        busy_ms.min(watched_ms.saturating_add(LOOK_MS_MAX))
    }
}
