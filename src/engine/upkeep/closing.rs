//! The end of a store: leases are closed, everything is made durable, the threads are joined.

use std::sync::Arc;

use crate::engine::engine::Engine;
use crate::engine::turn::Turn;
use crate::engine::upkeep::timers::TICK_MS;
use crate::runtime::patience::Patience;
use crate::runtime::sync::{Drive, is_this_thread};
use crate::state::slab::SlabRef;
use crate::value::error::{Error, ErrorKind, Result};

impl Engine {
    /// Ends the store: leases are closed, everything is made durable, the threads are joined.
    pub(crate) fn close(self: &Arc<Self>) -> Result<()> {
        if self.is_forked() {
            // The parent goes on; a fork has nothing to close, and none of the threads.
            return self.check_alive();
        }
        if !self.lifecycle.close() {
            return Err(Error::new(ErrorKind::Closed, "the store was closed before"));
        }
        self.end_leases();
        let closed = self.stop_threads().and_then(|own| {
            self.serve_reads();
            self.close_journal(own)
        });
        closed.unwrap_or_else(|stuck| {
            self.journal.poison("closing the store", &stuck);
            Err(Error::io("closing the store", stuck))
        })
    }

    /// Closes the journal on a thread of its own, because its writes are no longer watched: if the thread is
    /// stuck, it is given up.
    fn close_journal(self: &Arc<Self>, own: usize) -> std::io::Result<Result<()>> {
        let engine = Arc::clone(self);
        let on_thread = self.options.drive == Drive::Threads
            && self
                .spawn("hapax-close", move || engine.run_close())
                .is_ok();
        if on_thread {
            self.wait_for_threads(own)?;
        } else {
            self.run_close();
        }
        let closed = self.workers.take_closed();
        // Without a result it has panicked, and the store is poisoned.
        Ok(closed.unwrap_or_else(|| self.journal.check()))
    }

    fn run_close(&self) {
        let closed = self.journal.close(self.time.mono_ms());
        self.workers.note_closed(closed);
    }

    /// Wakes every caller that waits for a key or watches a lease: it finds the store closed. Takes back the grants
    /// on their way, before the last commit: their callers are refused, so these grants must not count. Takes
    /// the lock of every shard: what was changed under it before is committed, and later changes are refused.
    fn end_leases(&self) {
        for index in 0..self.shards.len() {
            let mut turn = self.turn_at(index);
            for at in turn.shard.running_refs() {
                turn.end_lease_at_close(at);
            }
        }
    }

    /// Ends the threads; gives how many cannot end before this call does.
    fn stop_threads(&self) -> std::io::Result<usize> {
        self.wake_threads();
        let handles = self.workers.take_handles();
        // The last handle may go away on a thread of the store itself, inside a waker: that one
        // cannot be waited for.
        let own = usize::from(handles.iter().any(is_this_thread));
        self.wait_for_threads(own)?;
        Ok(own)
    }

    /// Waits for the threads, but for `own` of them; one that is stuck in a write is given up after
    /// the write deadline.
    fn wait_for_threads(&self, own: usize) -> std::io::Result<()> {
        let limit_ms = crate::value::time::millis(self.options.write_deadline);
        let mut patience = Patience::new(self.time.mono_ms());
        while self.workers.running() > own {
            let now_ms = self.time.mono_ms();
            let left_ms = limit_ms.saturating_sub(patience.look(now_ms));
            if left_ms == 0 {
                let text = format!(
                    "a thread of the store gave no answer for {:?}",
                    self.options.write_deadline
                );
                return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, text));
            }
            let next_ms = now_ms.saturating_add(left_ms.min(TICK_MS));
            self.workers.ended.wait(self.time.clock.park_until(next_ms));
        }
        Ok(())
    }
}

impl Turn<'_> {
    fn end_lease_at_close(&mut self, at: SlabRef) {
        let Some(running) = self.shard.get_mut(at) else {
            return;
        };
        let is_undelivered = running.holder.undelivered;
        self.aftermath.wake(running.rest.take_watchers());
        self.aftermath.send_back(running.rest.take_waiters());
        if is_undelivered {
            self.take_back(at);
        }
    }
}
