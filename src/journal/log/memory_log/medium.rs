//! [`Medium`]: stands in for a disk, in memory.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use crate::journal::log::first_failure::FirstFailure;
use crate::runtime::sync::{Mutex, MutexGuard};

/// One medium, shared by all handles on it.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedMedium {
    medium: Arc<Mutex<Medium>>,
    /// Locked by each sync while it runs, so that a test can make one hang.
    #[cfg(all(test, hapax_shuttle))]
    syncing: Arc<Mutex<()>>,
}

impl SharedMedium {
    pub(super) fn lock(&self) -> MutexGuard<'_, Medium> {
        self.medium.lock()
    }

    /// Keeps every sync from ending until the guard is dropped.
    #[cfg(all(test, hapax_shuttle))]
    pub(super) fn hang_syncs(&self) -> MutexGuard<'_, ()> {
        self.syncing.lock()
    }
}

/// Everything that the log has written, and the failures that it will have next.
#[derive(Debug, Default)]
pub(super) struct Medium {
    /// The number of the open session, which is never used again.
    pub(super) open: Option<u64>,
    pub(super) sessions: u64,
    pub(super) manifest: Option<Vec<u8>>,
    pub(super) marks: [Vec<u8>; 2],
    pub(super) segments: BTreeMap<u64, StoredSegment>,
    pub(super) archives: BTreeMap<u64, Vec<u8>>,
    pub(super) fail_append: Option<ErrorKind>,
    pub(super) fail_sync: Option<ErrorKind>,
    /// How many syncs succeed before one fails.
    #[cfg(test)]
    pub(super) syncs_left: Option<u64>,
    pub(super) fail_archive: Option<ErrorKind>,
    pub(super) appends: u64,
    pub(super) syncs: u64,
}

/// One segment.
#[derive(Debug, Default)]
pub(super) struct StoredSegment {
    pub(super) link: Vec<u8>,
    /// By index; `None` for a frame that was removed.
    pub(super) frames: Vec<Option<Vec<u8>>>,
    /// How many of the frames a crash leaves.
    pub(super) durable: usize,
    pub(super) sealed: bool,
    /// The first failure of a write: later writes fail with it too.
    pub(super) failure: FirstFailure,
}

impl Medium {
    /// Starts a session; [`ErrorKind::ResourceBusy`] while another one is open.
    pub(super) fn begin_session(&mut self) -> io::Result<u64> {
        if self.open.is_some() {
            let what = "another store has this log open";
            return Err(io::Error::new(ErrorKind::ResourceBusy, what));
        }
        self.sessions += 1;
        self.open = Some(self.sessions);
        for stored in self.segments.values_mut() {
            // As recovery does on a real medium: nothing may rest on what could still be lost.
            stored.durable = stored.frames.len();
            stored.sealed = true;
            stored.failure = FirstFailure::default();
        }
        Ok(self.sessions)
    }

    /// Loses what was not synced, except the first `unsynced_frames` of it, and ends the session.
    pub(super) fn crash(&mut self, unsynced_frames: usize) {
        let mut left = unsynced_frames;
        for stored in self.segments.values_mut() {
            let kept = left.min(stored.frames.len() - stored.durable);
            stored.durable += kept;
            stored.frames.truncate(stored.durable);
            left -= kept;
        }
        self.open = None;
        self.fail_append = None;
        self.fail_sync = None;
        #[cfg(test)]
        {
            self.syncs_left = None;
        }
        self.fail_archive = None;
    }

    pub(super) fn stored(&mut self, segment: u64) -> io::Result<&mut StoredSegment> {
        let what = || io::Error::new(ErrorKind::NotFound, format!("no segment {segment}"));
        self.segments.get_mut(&segment).ok_or_else(what)
    }
}
