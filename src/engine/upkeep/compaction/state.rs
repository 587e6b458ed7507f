//! [`Compaction`]: where compaction stands, what keeps it away, and what it has done.

use std::collections::HashSet;

use crate::engine::upkeep::compaction::janitor::Janitor;
use crate::runtime::sync::{AtomicU64, AtomicUsize, Mutex, Ordering};
use crate::value::locator::Locator;

/// Where compaction stands, what keeps it away, and what it has done.
#[derive(Debug, Default)]
pub(crate) struct Compaction {
    pub(in crate::engine) janitor: Mutex<Janitor>,
    /// Copies that were made and are not on the medium yet: their originals are.
    copies: Mutex<HashSet<Locator>>,
    /// The log is left alone while this is not zero.
    pins: AtomicUsize,
    segments_dropped: AtomicU64,
    records_carried: AtomicU64,
}

impl Compaction {
    /// Whether a record is a copy whose original is on the medium.
    pub(in crate::engine) fn is_copy(&self, locator: &Locator) -> bool {
        self.copies.lock().contains(locator)
    }

    pub(in crate::engine) fn note_copy(&self, locator: Locator) {
        self.copies.lock().insert(locator);
    }

    /// Copies up to here are on the medium themselves.
    pub(in crate::engine) fn forget_copies(&self, durable: u64) {
        self.copies.lock().retain(|copy| copy.frame > durable);
    }

    pub(in crate::engine) fn pin(&self) {
        self.pins.fetch_add(1, Ordering::AcqRel);
        // A step that is under way ends first; the next one sees the pin.
        drop(self.janitor.lock());
    }

    pub(in crate::engine) fn unpin(&self) {
        self.pins.fetch_sub(1, Ordering::AcqRel);
    }

    pub(in crate::engine) fn is_pinned(&self) -> bool {
        self.pins.load(Ordering::Acquire) > 0
    }

    pub(in crate::engine) fn note_dropped(&self) {
        self.segments_dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn segments_dropped(&self) -> u64 {
        self.segments_dropped.load(Ordering::Relaxed)
    }

    pub(in crate::engine) fn note_carried(&self, records: u64) {
        self.records_carried.fetch_add(records, Ordering::Relaxed);
    }

    pub(crate) fn records_carried(&self) -> u64 {
        self.records_carried.load(Ordering::Relaxed)
    }
}
