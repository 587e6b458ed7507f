//! Commits: what the journal thread does, or a caller that carries out its own commits.

use std::io;

use crate::journal::chore::Chore;
use crate::journal::commit_round::{CommitRound, Interruption};
use crate::journal::frame_window::frame_memory;
use crate::journal::journal::Journal;
use crate::journal::writer::{FullSegment, Writer};
use crate::runtime::sync::{Wakes, assert_outside_shards};
use crate::value::doing::Doing;
use crate::value::error::Result;

impl Journal {
    /// One round of the writer: writes what waits, and makes it durable if it is due or `force`d.
    pub(crate) fn commit(&self, now_ms: u64, force: bool) {
        assert_outside_shards("writing");
        let mut wakes = Wakes::default();
        let written = self.write(now_ms, |writer| {
            let round = CommitRound {
                journal: self,
                writer,
                now_ms,
                wakes: &mut wakes,
            };
            round.run(force || self.commit_is_due(now_ms))
        });
        // Wakers are foreign code, which may close the store: not under the lock of the writer. They
        // go before the memory and the marks, for which no caller waits.
        wakes.wake();
        self.make_memory_ahead();
        if written {
            self.write(now_ms, |writer| {
                self.update_marks(writer, now_ms);
                Ok(())
            });
        }
        self.retries.tell();
    }

    /// Lets `act` write, unless the store is poisoned; its failure poisons the store. Returns whether
    /// it came to its end.
    fn write(
        &self,
        now_ms: u64,
        act: impl FnOnce(&mut Writer) -> Result<(), Interruption>,
    ) -> bool {
        if self.is_poisoned() {
            return false;
        }
        let mut writer = self.writer.lock();
        let result = self.watchdog.during(now_ms, || act(&mut writer));
        drop(writer);
        if let Err(Interruption::Failed(doing, error)) = &result {
            self.poison(doing, error);
        }
        result.is_ok()
    }

    /// Makes memory for the frames to come, so that a caller which seals one does not wait for the kernel to
    /// find it.
    fn make_memory_ahead(&self) {
        let missing = self.tail.lock().take_missing();
        if missing > 0 {
            let memory = frame_memory(missing);
            self.tail.lock().add_spare(memory);
        }
    }

    fn commit_is_due(&self, now_ms: u64) -> bool {
        let since_ms = self.backlog.unsynced_since_ms();
        self.durable.is_wanted()
            || since_ms.is_some_and(|since_ms| self.policy.is_due(since_ms, now_ms))
    }

    /// The moment at which the journal thread has something to do next, on the monotonic clock.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        let commit = match self.retries.again_ms(Chore::Begin) {
            // Frames that could not be written are due at the next try, and later changes with them.
            Some(again) => Some(again),
            None => {
                let since_ms = self.backlog.unsynced_since_ms();
                since_ms.map(|since_ms| self.policy.due_ms(since_ms))
            }
        };
        commit.into_iter().chain(self.marks_due_ms()).min()
    }

    /// Takes the full segments that were not closed yet.
    pub(crate) fn take_full(&self) -> Vec<FullSegment> {
        std::mem::take(&mut self.writer.lock().full)
    }

    /// The oldest segment that takes frames or has not been closed.
    pub(crate) fn oldest_unclosed(&self) -> u64 {
        let writer = self.writer.lock();
        // Before the first frame of a run, the segments of earlier runs are all closed, but the
        // newest of them is what the next one links to.
        writer
            .oldest_unclosed()
            .unwrap_or_else(|| self.tail.lock().newest_segment())
    }

    /// The segment that is being written; `None` before the first of this run.
    pub(crate) fn open_segment(&self) -> Option<u64> {
        self.writer.lock().segment.map(|segment| segment.number)
    }

    /// Does something while the writer is busy.
    #[cfg(test)]
    pub(crate) fn while_busy<T>(&self, act: impl FnOnce() -> T) -> T {
        let writer = self.writer.lock();
        let done = act();
        drop(writer);
        done
    }

    /// Commits everything, and waits for a segment that cannot begin yet: no later round would do it.
    fn commit_last(&self, now_ms: u64) {
        self.commit(now_ms, true);
        while !self.is_poisoned() && !self.writer.lock().waiting.is_empty() {
            let again = self.retries.again_ms(Chore::Begin).unwrap_or(now_ms);
            let Some(until) = self.clock.park_until(again) else {
                let error = io::Error::other("no segment could begin, and the store was closed");
                return self.poison("closing the store", &error);
            };
            self.signal.wait(Some(until));
            self.commit(self.clock.mono_ms(), true);
        }
    }

    /// Commits everything, writes the marks, and closes the log.
    pub(crate) fn close(&self, now_ms: u64) -> Result<()> {
        self.commit_last(now_ms);
        let poisoned = self.check();
        let mut writer = self.writer.lock();
        let marked = if poisoned.is_ok() && !self.log.is_read_only() {
            let marks = writer.current_marks(self.store_ms());
            writer.marks.write(&*self.log, marks)
        } else {
            Ok(())
        };
        let closed = self.log.close();
        drop(writer);
        self.shut();
        poisoned?;
        marked.while_doing("writing the marks at close")?;
        closed.while_doing("closing the log")
    }
}
