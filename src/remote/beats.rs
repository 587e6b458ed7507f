//! [`Beats`]: the signs of life of this process, without which its leases end.

use crate::runtime::sync::{AtomicU64, Ordering};

/// What this process knows of its own signs of life, on its monotonic clock.
#[derive(Debug)]
pub(super) struct Beats {
    /// Until when other processes take this one to be alive, at least.
    pub(super) alive_until_ms: AtomicU64,
    /// When the last gap was over, in which others may have taken this process to be gone: what it held before, others
    /// may hold since.
    pub(super) alive_since_ms: AtomicU64,
    /// The clock of the server at the last sign, and the monotonic clock then.
    pub(super) server_ms: AtomicU64,
    pub(super) mono_ms: AtomicU64,
}

impl Beats {
    pub(super) fn new() -> Self {
        Self {
            alive_until_ms: AtomicU64::new(0),
            alive_since_ms: AtomicU64::new(0),
            server_ms: AtomicU64::new(0),
            mono_ms: AtomicU64::new(0),
        }
    }

    pub(super) fn alive_until_ms(&self) -> u64 {
        self.alive_until_ms.load(Ordering::Acquire)
    }

    pub(super) fn alive_since_ms(&self) -> u64 {
        self.alive_since_ms.load(Ordering::Acquire)
    }

    pub(super) fn server_estimate_ms(&self, mono_ms: u64) -> u64 {
        let passed = mono_ms.saturating_sub(self.mono_ms.load(Ordering::Acquire));
        self.server_ms
            .load(Ordering::Acquire)
            .saturating_add(passed)
    }
}
