//! Writing the marks: after commits, while the store is idle, and for a new epoch or low mark.

use crate::journal::chore::Chore;
use crate::journal::format::marks::{Archived, LowMark, Marks};
use crate::journal::journal::Journal;
use crate::journal::writer::Writer;
use crate::value::doing::Doing;
use crate::value::error::Result;

impl Journal {
    pub(crate) fn marks(&self) -> Marks {
        self.writer.lock().current_marks(self.store_ms())
    }

    /// Writes the marks if they are due. After a failure they lag for longer, which breaks no promise:
    /// the whole slot is written again, and the other slot is whole.
    pub(super) fn update_marks(&self, writer: &mut Writer, now_ms: u64) {
        if writer.marks.due_ms().is_some_and(|at| at <= now_ms) {
            let marks = writer.current_marks(self.store_ms());
            // `retries` keeps the failure, and tells it.
            let _ = self.retries.attempt(Chore::Marks, now_ms, || {
                let written = writer.marks.write(&*self.log, marks);
                written.while_doing(Chore::Marks.doing())
            });
        }
    }

    /// When the marks are due to be written; `None` while the writer is busy.
    pub(super) fn marks_due_ms(&self) -> Option<u64> {
        let due_ms = self.writer.try_lock()?.marks.due_ms()?;
        let again_ms = self.retries.again_ms(Chore::Marks);
        Some(again_ms.map_or(due_ms, |again_ms| due_ms.max(again_ms)))
    }

    /// Has the marks written although nothing was committed, so that they tell the time of an idle
    /// store.
    ///
    /// Never waits: a busy writer is not idle, and the timer thread, which calls this, is the one that
    /// notices a stuck writer.
    pub(crate) fn touch_marks(&self, now_ms: u64) {
        if let Some(mut writer) = self.writer.try_lock() {
            writer.marks.make_due(now_ms);
            drop(writer);
            self.signal.raise();
        }
    }

    /// Takes the next epoch durably, so that no token of an earlier epoch can be granted again.
    pub(crate) fn raise_epoch(&self, epoch: u32) -> Result<()> {
        self.check()?;
        let mut writer = self.writer.lock();
        let marks = Marks {
            epoch,
            ..writer.current_marks(self.store_ms())
        };
        // Both slots: if one is damaged later, the other one still knows the epoch.
        let written = writer
            .marks
            .write(&*self.log, marks)
            .and_then(|()| writer.marks.write(&*self.log, marks));
        drop(writer);
        // A failure ends nothing: no token of this epoch was granted.
        written.while_doing("writing the epoch")
    }

    /// Raises the low mark durably: the segments below it are dead, and their audit entries are in
    /// archives up to `archived`, if they had any.
    pub(crate) fn raise_low(
        &self,
        low: LowMark,
        archived: Option<Archived>,
        now_ms: u64,
    ) -> Result<()> {
        self.check()?;
        let mut writer = self.writer.lock();
        let current = writer.current_marks(self.store_ms());
        let marks = Marks {
            low,
            archived: archived.unwrap_or(current.archived),
            ..current
        };
        // Watched as the journal thread's own work, because that thread waits for the writer meanwhile.
        let written = self
            .watchdog
            .during(now_ms, || writer.marks.write(&*self.log, marks));
        drop(writer);
        // A failure ends nothing: the segments below the mark only stay for longer.
        written.while_doing("writing the low mark")
    }
}
