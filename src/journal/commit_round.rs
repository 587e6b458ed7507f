//! [`CommitRound`]: one round of the writer, from the tail to the medium.

use std::io;

use crate::journal::chore::Chore;
use crate::journal::format::frame::FrameHeader;
use crate::journal::format::marks::Link;
use crate::journal::journal::Journal;
use crate::journal::tail::SealedFrame;
use crate::journal::writer::{FullSegment, OpenSegment, Writer};
use crate::runtime::sync::{Ordering, Wakes};
use crate::value::doing::Doing;
use crate::value::error::Result;
use crate::value::time::millis;

/// Bytes after which frames are handed to the operating system, so that memory stays bounded.
const FLUSH_BYTES: usize = 4 * 1024 * 1024;

/// Bytes that a log adds to a frame, about: its header, and what the log puts around it.
const FRAME_EXTRA_BYTES: u64 = 160;

/// How often the writer looks at the free disk space, at most.
const LOOK_EVERY_MS: u64 = 5;

/// Free disk space that the writer wants besides what it writes.
const SPARE_DISK_BYTES: u64 = 4 << 20;

/// Tries to begin a segment when no time can pass between them.
const TRIES_AT_ONCE: u32 = 3;

/// Why a round did not come to its end.
#[derive(Debug)]
pub(super) enum Interruption {
    /// A write or sync failed: the store is poisoned.
    Failed(&'static str, io::Error),
    /// The next segment could not begin, and nothing was written: the round is tried again.
    Later,
}

impl Interruption {
    fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Failed(doing, error)
    }
}

/// One round of the writer, under the writer's lock.
#[derive(Debug)]
pub(super) struct CommitRound<'a> {
    pub(super) journal: &'a Journal,
    pub(super) writer: &'a mut Writer,
    pub(super) now_ms: u64,
    /// Callers to be woken after the lock is released.
    pub(super) wakes: &'a mut Wakes,
}

impl CommitRound<'_> {
    /// Writes what waits, and makes it durable if that is due.
    pub(super) fn run(mut self, is_due: bool) -> Result<(), Interruption> {
        let begun = self.take_frames(is_due);
        self.make_disk_room();
        self.write_waiting()?;
        if let Some(begun) = begun.filter(|_| self.writer.segment.is_none()) {
            // Before its first frame, so that the first commit of a run is as fast as the others.
            self.roll(begun)?;
        }
        if self.writer.sync_is_due {
            self.sync()
                .map_err(Interruption::failed("syncing the log"))?;
            self.writer.sync_is_due = false;
            self.journal.backlog.end_sync();
        } else if self.writer.unflushed_bytes >= FLUSH_BYTES {
            self.flush()
                .map_err(Interruption::failed("flushing the log"))?;
        }
        Ok(())
    }

    /// Takes what waits in the tail, and the open frame too if a commit is due. Returns the segment
    /// that frames go to from now on.
    fn take_frames(&mut self, is_due: bool) -> Option<(u64, u32)> {
        self.writer.sync_is_due |= is_due;
        let mut tail = self.journal.tail.lock();
        if is_due {
            tail.seal();
            self.journal.backlog.begin_sync();
        }
        let taken = self.journal.backlog.take_bytes();
        self.journal.meters.note_taken(taken);
        self.writer.waiting.append(&mut tail.take_sealed());
        let (calls_janitor, begun) = (tail.take_call(), tail.begun_segment());
        drop(tail);
        if calls_janitor {
            self.journal.janitor.raise();
        }
        begun
    }

    /// Gives the reserve back if another program has taken the disk space meanwhile: the waiting frames
    /// were admitted, and a write that fails poisons the store.
    fn make_disk_room(&mut self) {
        let is_early = self.now_ms < self.writer.looked_ms.saturating_add(LOOK_EVERY_MS);
        if self.writer.waiting.is_empty() || is_early {
            return;
        }
        self.writer.looked_ms = self.now_ms;
        let sizes = self.writer.waiting.iter().map(|frame| frame.payload.len());
        let bytes = u64::try_from(sizes.sum::<usize>()).expect("what waits is in memory");
        // Without an answer the write itself finds out.
        let Ok(Some(free)) = self.journal.log.free_bytes() else {
            return;
        };
        let is_short = free < bytes.saturating_add(SPARE_DISK_BYTES);
        if is_short && self.journal.log.hold_reserve(0).is_ok() {
            self.journal.janitor.tell_reserve_gone();
        }
    }

    fn write_waiting(&mut self) -> Result<(), Interruption> {
        while let Some(frame) = self.writer.waiting.front() {
            let (segment, room) = (frame.segment, frame.room);
            let open = match self.writer.segment {
                Some(open) if open.number == segment => open,
                _ => self.roll((segment, room))?,
            };
            let Some(frame) = self.writer.waiting.pop_front() else {
                break;
            };
            self.write_frame(open, &frame)
                .map_err(Interruption::failed("writing to the log"))?;
        }
        Ok(())
    }

    fn write_frame(&mut self, open: OpenSegment, frame: &SealedFrame) -> io::Result<()> {
        let (journal, writer) = (self.journal, &mut *self.writer);
        debug_assert_eq!(
            frame.number,
            writer.written.frame + 1,
            "frames are written in order"
        );
        let header = FrameHeader {
            records: frame.records,
            store_id: journal.store_id,
            number: frame.number,
            epoch: writer.marks.written().epoch,
            store_secs: u32::try_from(journal.store_ms() / 1000).unwrap_or(u32::MAX),
            durable: journal.durable(),
            previous: writer.written.checksum,
        };
        let checksum = header.seal(&frame.payload, &mut writer.scratch);
        let index = u32::try_from(frame.number - open.first_frame)
            .expect("a segment has at most 8192 frames");
        journal.log.append(open.number, index, &writer.scratch)?;
        writer.written.frame = frame.number;
        writer.written.checksum = checksum;
        writer.unflushed_bytes += writer.scratch.len();
        journal.meters.note_taken(FRAME_EXTRA_BYTES);
        Ok(())
    }

    /// Moves on to a segment, whose first frame is the next one, after making the one before durable.
    fn roll(&mut self, (number, room): (u64, u32)) -> Result<OpenSegment, Interruption> {
        if let Some(before) = self.writer.segment.take() {
            self.sync_segment(before.number)
                .map_err(Interruption::failed("syncing the log"))?;
            self.writer.full.push(FullSegment {
                number: before.number,
                end_frame: self.writer.written.frame + 1,
            });
            self.publish();
        }
        let link = Link {
            store_id: self.journal.store_id,
            segment: number,
            before: self.writer.written.frame,
            checksum: self.writer.written.checksum,
        };
        self.begin((number, room), &link.encode())?;
        let open = OpenSegment {
            number,
            first_frame: self.writer.written.frame + 1,
        };
        self.writer.segment = Some(open);
        self.journal.janitor.tell_activated(number);
        Ok(open)
    }

    /// Makes a segment exist. A failure loses no write, so it is tried again, for as long as one write
    /// may take.
    fn begin(&self, (number, room): (u64, u32), link: &[u8]) -> Result<(), Interruption> {
        let (log, retries) = (&self.journal.log, &self.journal.retries);
        let begin = || {
            let prepared = log.prepare(number, room);
            let begun = prepared.and_then(|()| log.activate(number, link));
            begun.while_doing(Chore::Begin.doing())
        };
        // A caller that carries out its own commits cannot wait for a later one.
        let is_inline = self.journal.commits_inline();
        let mut begun = retries.attempt(Chore::Begin, self.now_ms, begin);
        for _ in 1..if is_inline { TRIES_AT_ONCE } else { 1 } {
            if begun.is_err() {
                begun = retries.attempt_now(Chore::Begin, self.now_ms, begin);
            }
        }
        let Err(error) = begun else { return Ok(()) };
        let since_ms = retries.since_ms(Chore::Begin).unwrap_or(self.now_ms);
        let waited_ms = self.now_ms.saturating_sub(since_ms);
        if is_inline || waited_ms >= millis(self.journal.watchdog.deadline()) {
            let error = io::Error::other(error.to_string());
            return Err(Interruption::Failed("writing to the log", error));
        }
        Err(Interruption::Later)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.writer.written.frame == self.journal.durable() {
            return Ok(());
        }
        if let Some(segment) = self.writer.segment {
            self.sync_segment(segment.number)?;
            self.journal.meters.syncs.fetch_add(1, Ordering::Relaxed);
        }
        self.writer.unflushed_bytes = 0;
        self.publish();
        self.writer.marks.fall_behind(self.now_ms);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(segment) = self.writer.segment {
            self.journal.log.flush(segment.number)?;
        }
        self.writer.unflushed_bytes = 0;
        Ok(())
    }

    fn sync_segment(&self, segment: u64) -> io::Result<()> {
        let sync = || self.journal.log.sync(segment);
        self.journal.meters.time_sync(sync)
    }

    /// Publishes that everything written is on the medium, and gathers the callers that wait for it.
    fn publish(&mut self) {
        self.writer.synced = self.writer.written;
        let last = self.writer.written.frame;
        self.journal.durable.raise(last);
        self.journal.janitor.tell_durable(last);
        self.journal.durable.take_up_to(last, self.wakes);
    }
}
