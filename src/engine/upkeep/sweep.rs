//! [`Sweep`]: which shard is swept next, and when the marks of an idle store were written last.

use crate::runtime::sync::Mutex;

/// A shard is swept at most this often.
const SWEEP_MS: u64 = 100;

/// An idle store writes the time into its marks this often.
const IDLE_MARKS_MS: u64 = 60 * 1000;

/// Which shard is swept next, and when the marks of an idle store were written last.
#[derive(Debug, Default)]
pub(in crate::engine) struct Sweep(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: usize,
    swept_ms: u64,
    marks_touched_ms: u64,
}

impl Sweep {
    /// Whether the marks are due; then they count as written.
    pub(in crate::engine) fn take_marks(&self, mono_ms: u64) -> bool {
        let mut state = self.0.lock();
        let are_due = mono_ms.saturating_sub(state.marks_touched_ms) >= IDLE_MARKS_MS;
        if are_due {
            state.marks_touched_ms = mono_ms;
        }
        are_due
    }

    /// The shard that is to be swept now, out of this number.
    pub(in crate::engine) fn take_shard(&self, mono_ms: u64, shards: usize) -> Option<usize> {
        let mut state = self.0.lock();
        if mono_ms < state.swept_ms.saturating_add(SWEEP_MS) {
            return None;
        }
        state.swept_ms = mono_ms;
        let index = state.next % shards;
        state.next = index + 1;
        Some(index)
    }
}
