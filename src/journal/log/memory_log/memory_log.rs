//! [`MemoryLog`]: a log in memory that can crash.

use std::io;

use crate::journal::log::memory_log::medium::SharedMedium;
use crate::journal::log::memory_log::session::MemorySession;

/// A medium in memory, which knows what a crash would leave of everything that a store writes.
///
/// Handles are cheap to clone and share one medium. One store at a time has it open; a store that
/// is opened on it later finds what the earlier one has left.
///
/// # Examples
///
/// ```
/// use hapax::testing::{ManualClock, MemoryLog};
/// use hapax::{Claim, Policy, Store};
///
/// let (log, clock) = (MemoryLog::new(), ManualClock::new());
/// let open = || Store::in_memory().log(&log).clock(&clock).open();
/// let store = open()?;
/// let jobs = store.namespace("jobs", Policy::at_least_once())?;
/// let Claim::Granted(lease) = jobs.claim("report")? else { panic!("it is new") };
/// log.crash();
/// drop((lease, jobs, store));
///
/// let jobs = open()?.namespace("jobs", Policy::at_least_once())?;
/// assert!(matches!(jobs.claim("report")?, Claim::Granted(_)), "its holder died");
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryLog {
    pub(super) medium: SharedMedium,
}

impl MemoryLog {
    /// Makes an empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the power: what was appended and not synced is lost, and the store that has the log open
    /// gets errors from now on. What was synced is there for the next store.
    pub fn crash(&self) {
        self.crash_keeping(0);
    }

    /// Cuts the power like [`crash`](Self::crash), but keeps the first `unsynced_frames` of those that
    /// were not synced, since a real medium may have stored them already.
    pub fn crash_keeping(&self, unsynced_frames: usize) {
        self.medium.lock().crash(unsynced_frames);
    }

    /// Opens the log; [`ErrorKind::ResourceBusy`](std::io::ErrorKind::ResourceBusy) while it is open
    /// elsewhere.
    pub(crate) fn session(&self) -> io::Result<MemorySession> {
        MemorySession::open(self.medium.clone())
    }
}

/// What tests do to the medium, unknown to the store.
#[cfg(test)]
impl MemoryLog {
    /// Changes the bytes of a stored frame.
    pub(crate) fn corrupt(&self, segment: u64, index: u32, change: impl FnOnce(&mut Vec<u8>)) {
        let mut medium = self.medium.lock();
        let stored = medium
            .segments
            .get_mut(&segment)
            .expect("a segment that is there");
        let frame = stored.frames[index as usize]
            .as_mut()
            .expect("a frame that is there");
        change(frame);
    }

    /// Removes a stored frame, which leaves a hole.
    pub(crate) fn remove_frame(&self, segment: u64, index: u32) {
        let mut medium = self.medium.lock();
        let stored = medium
            .segments
            .get_mut(&segment)
            .expect("a segment that is there");
        stored.frames[index as usize] = None;
    }

    /// Keeps every sync from ending until the guard is dropped.
    #[cfg(hapax_shuttle)]
    pub(crate) fn hang_syncs(&self) -> crate::runtime::sync::MutexGuard<'_, ()> {
        self.medium.hang_syncs()
    }

    /// Lets this number of further syncs succeed; all later ones fail.
    pub(crate) fn fail_sync_after(&self, syncs: u64) {
        self.medium.lock().syncs_left = Some(syncs);
    }

    /// How many frames have been appended.
    pub(crate) fn appends(&self) -> u64 {
        self.medium.lock().appends
    }

    /// Whether a store has it open.
    #[cfg(hapax_shuttle)]
    pub(crate) fn is_open(&self) -> bool {
        self.medium.lock().open.is_some()
    }

    /// How many frames a crash would leave.
    #[cfg(hapax_shuttle)]
    pub(crate) fn durable_frames(&self) -> usize {
        let medium = self.medium.lock();
        medium.segments.values().map(|stored| stored.durable).sum()
    }

    /// How many syncs have succeeded.
    pub(crate) fn syncs(&self) -> u64 {
        self.medium.lock().syncs
    }
}
