//! [`Writer`]: the one that writes frames to the log, and the marks beside it.

use std::io;

use std::collections::VecDeque;

use crate::journal::Journal;
use crate::journal::chore::Chore;
use crate::journal::format::frame::FrameHeader;
use crate::journal::format::marks::{Archived, Link, LowMark, Marks};
use crate::journal::log::contract::Log;
use crate::journal::tail::SealedFrame;
use crate::runtime::sync::{Ordering, Wakes, assert_outside_shards};
use crate::value::durability::Durability;
use crate::value::error::{Error, Result};

/// Bytes after which frames are handed to the operating system, so that memory stays bounded.
const FLUSH_BYTES: usize = 4 * 1024 * 1024;

/// The marks lag behind the durable position by at most this.
const MARKS_LAG_MS: u64 = 100;

/// Bytes that a log adds to a frame, about: its header, and what the log puts around it.
const FRAME_EXTRA_BYTES: u64 = 160;

/// The writer looks at the free space this often at most, and wants so much beside what it writes.
const LOOK_EVERY_MS: u64 = 5;
const ROOM_BYTES: u64 = 4 << 20;

/// Tries to begin a segment where no time can pass between them.
const TRIES_AT_ONCE: u32 = 3;

/// What a writer goes on from.
#[derive(Debug)]
pub(crate) struct WriterStart {
    pub(crate) marks: Marks,
    /// The slot of the marks to write next.
    pub(crate) marks_slot: usize,
    /// The last frame of the log and its checksum.
    pub(crate) last: u64,
    pub(crate) checksum: u64,
}

/// The state of writing; whoever holds its lock writes.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(super) marks: Marks,
    slot: usize,
    /// Invariant: `last` is the frame whose checksum the next one is chained to.
    last: u64,
    checksum: u64,
    /// The last frame that is on the medium, and its checksum: what the marks may claim.
    synced: (u64, u64),
    segment: Option<OpenSegment>,
    /// Full segments that the janitor has not closed yet.
    full: Vec<FullSegment>,
    /// Frames that wait for their segment to begin. Invariant: they follow `last`.
    waiting: VecDeque<SealedFrame>,
    /// A commit was due when they began to wait.
    sync_is_due: bool,
    unflushed_bytes: usize,
    looked_ms: u64,
    /// When the marks fell behind; `None` while they are current.
    marks_behind_since_ms: Option<u64>,
    scratch: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct OpenSegment {
    number: u64,
    first_frame: u64,
}

/// A segment that takes no further frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FullSegment {
    pub(crate) number: u64,
    /// The first frame of the segment after it.
    pub(crate) end_frame: u64,
}

impl Writer {
    pub(crate) fn new(start: WriterStart) -> Self {
        Self {
            marks: start.marks,
            slot: start.marks_slot,
            last: start.last,
            checksum: start.checksum,
            synced: (start.last, start.checksum),
            segment: None,
            full: Vec::new(),
            waiting: VecDeque::new(),
            sync_is_due: false,
            unflushed_bytes: 0,
            looked_ms: 0,
            marks_behind_since_ms: None,
            scratch: Vec::new(),
        }
    }

    pub(super) fn marks_due_ms(&self) -> Option<u64> {
        self.marks_behind_since_ms
            .map(|since| since.saturating_add(MARKS_LAG_MS))
    }

    /// Writes the marks durably, and on success remembers them.
    pub(crate) fn write_marks(&mut self, log: &dyn Log, marks: Marks) -> io::Result<()> {
        let marks = Marks {
            generation: self.marks.generation.wrapping_add(1),
            ..marks
        };
        log.write_marks(self.slot, &marks.encode())?;
        self.slot ^= 1;
        self.marks = marks;
        self.marks_behind_since_ms = None;
        Ok(())
    }
}

/// Why a round of the writer did not come to its end.
enum Setback {
    /// A write or sync failed: it is the last one.
    Failed(&'static str, io::Error),
    /// The next segment could not begin, and nothing was written: the round is tried again.
    Later,
}

impl Journal {
    /// One round of the writer: writes what waits, and makes it durable if it is due or `force`d.
    pub(crate) fn commit(&self, now_ms: u64, force: bool) {
        assert_outside_shards("writing");
        let mut wakes = Wakes::default();
        let written = self.write(now_ms, |writer| {
            self.commit_round(writer, now_ms, force, &mut wakes)
        });
        // Foreign code, which may close the store: not under the lock of the writer. And before the
        // marks, which nobody waits for.
        wakes.wake();
        if written {
            self.write(now_ms, |writer| {
                self.marks_round(writer, now_ms);
                Ok(())
            });
        }
        self.retries.tell();
    }

    /// Lets `act` write, unless nothing may be written any more. A failure is the last one.
    fn write(&self, now_ms: u64, act: impl FnOnce(&mut Writer) -> Result<(), Setback>) -> bool {
        if self.is_poisoned() {
            return false;
        }
        let mut writer = self.writer.lock();
        self.busy_since_ms.store(now_ms, Ordering::Relaxed);
        let result = act(&mut writer);
        self.busy_since_ms.store(u64::MAX, Ordering::Relaxed);
        drop(writer);
        if let Err(Setback::Failed(doing, error)) = &result {
            self.poison(doing, error);
        }
        result.is_ok()
    }

    fn commit_round(
        &self,
        writer: &mut Writer,
        now_ms: u64,
        force: bool,
        wakes: &mut Wakes,
    ) -> Result<(), Setback> {
        let begun = self.take_frames(writer, force || self.commit_is_due(now_ms));
        self.make_disk_room(writer, now_ms);
        while let Some(frame) = writer.waiting.front() {
            let open = match writer.segment {
                Some(open) if open.number == frame.segment => open,
                _ => self.roll(writer, (frame.segment, frame.room), now_ms, wakes)?,
            };
            let Some(frame) = writer.waiting.pop_front() else {
                break;
            };
            self.write_frame(writer, open, &frame)
                .map_err(|error| Setback::Failed("writing to the log", error))?;
        }
        if let Some(begun) = begun.filter(|_| writer.segment.is_none()) {
            // Ahead of its first frame, so that the first commit of a run takes no longer than others.
            self.roll(writer, begun, now_ms, wakes)?;
        }
        if writer.sync_is_due {
            self.sync_writer(writer, now_ms, wakes)
                .map_err(|error| Setback::Failed("syncing the log", error))?;
            writer.sync_is_due = false;
            self.unsynced
                .syncing_since_ms
                .store(u64::MAX, Ordering::Release);
        } else if writer.unflushed_bytes >= FLUSH_BYTES {
            if let Some(segment) = writer.segment {
                self.log
                    .flush(segment.number)
                    .map_err(|error| Setback::Failed("flushing the log", error))?;
            }
            writer.unflushed_bytes = 0;
        }
        Ok(())
    }

    /// Takes what waits in the tail, the open frame too where a commit is due. Gives the segment that
    /// frames go to from here on.
    fn take_frames(&self, writer: &mut Writer, due: bool) -> Option<(u64, u32)> {
        writer.sync_is_due |= due;
        let mut tail = self.tail.lock();
        if due {
            tail.seal();
            // From here on a change counts towards the next commit; the others are as old as they
            // are until this one has ended.
            let since = self.unsynced.unsynced_since_ms.load(Ordering::Acquire);
            self.unsynced
                .syncing_since_ms
                .fetch_min(since, Ordering::AcqRel);
            let since = self
                .unsynced
                .unsynced_since_ms
                .swap(u64::MAX, Ordering::AcqRel);
            self.unsynced
                .syncing_since_ms
                .fetch_min(since, Ordering::AcqRel);
        }
        let taken = self.unsynced.unwritten_bytes.swap(0, Ordering::Relaxed);
        let taken = u64::try_from(taken).expect("what waits is in memory");
        self.taken_bytes.fetch_add(taken, Ordering::Relaxed);
        writer.waiting.append(&mut tail.take_sealed());
        let (calls_janitor, begun) = (tail.take_call(), tail.begun_segment());
        drop(tail);
        if calls_janitor {
            self.janitor.raise();
        }
        begun
    }

    /// Gives the reserve back where another program has taken the room since the last look: what waits
    /// was admitted, and a write that fails is the last one.
    fn make_disk_room(&self, writer: &mut Writer, now_ms: u64) {
        if writer.waiting.is_empty() || now_ms < writer.looked_ms.saturating_add(LOOK_EVERY_MS) {
            return;
        }
        writer.looked_ms = now_ms;
        let sizes = writer.waiting.iter().map(|frame| frame.payload.len());
        let bytes = u64::try_from(sizes.sum::<usize>()).expect("what waits is in memory");
        // Without an answer the write itself finds out.
        let Ok(Some(free)) = self.log.free_bytes() else {
            return;
        };
        if free < bytes.saturating_add(ROOM_BYTES) && self.log.hold_reserve(0).is_ok() {
            self.reserve_is_gone.store(true, Ordering::Release);
        }
    }

    /// Brings the marks up to date. Where that fails they are behind for longer, which nobody was
    /// promised anything about: they are written again, the whole slot, and the other one is whole.
    fn marks_round(&self, writer: &mut Writer, now_ms: u64) {
        if writer.marks_due_ms().is_some_and(|at| at <= now_ms) {
            let marks = self.current_marks(writer);
            // What failed is told by the chores.
            let _ = self.retries.attempt(Chore::Marks, now_ms, || {
                let written = writer.write_marks(&*self.log, marks);
                written.map_err(|error| Error::io(Chore::Marks.doing(), error))
            });
        }
    }

    fn commit_is_due(&self, now_ms: u64) -> bool {
        let since = self.unsynced.unsynced_since_ms.load(Ordering::Acquire);
        let wanted = self.wanted.load(Ordering::Acquire) > self.durable();
        let aged = match self.durability {
            Durability::Sync => since != u64::MAX,
            Durability::Interval(window) => {
                since != u64::MAX
                    && since.saturating_add(crate::value::time::millis(window) / 2) <= now_ms
            }
        };
        wanted || aged
    }

    fn write_frame(
        &self,
        writer: &mut Writer,
        open: OpenSegment,
        frame: &SealedFrame,
    ) -> io::Result<()> {
        debug_assert_eq!(frame.number, writer.last + 1, "frames are written in order");
        let header = FrameHeader {
            records: frame.records,
            store_id: self.store_id,
            number: frame.number,
            epoch: writer.marks.epoch,
            store_secs: u32::try_from(self.store_ms.load(Ordering::Relaxed) / 1000)
                .unwrap_or(u32::MAX),
            durable: self.durable(),
            previous: writer.checksum,
        };
        let checksum = header.seal(&frame.payload, &mut writer.scratch);
        let index = u32::try_from(frame.number - open.first_frame)
            .expect("a segment has at most 8192 frames");
        self.log.append(open.number, index, &writer.scratch)?;
        writer.last = frame.number;
        writer.checksum = checksum;
        writer.unflushed_bytes += writer.scratch.len();
        self.taken_bytes
            .fetch_add(FRAME_EXTRA_BYTES, Ordering::Relaxed);
        Ok(())
    }

    /// Moves on to a segment, whose first frame is the next one: the one before is durable first.
    fn roll(
        &self,
        writer: &mut Writer,
        (number, room): (u64, u32),
        now_ms: u64,
        wakes: &mut Wakes,
    ) -> Result<OpenSegment, Setback> {
        if let Some(before) = writer.segment.take() {
            self.sync_segment(before.number)
                .map_err(|error| Setback::Failed("syncing the log", error))?;
            writer.full.push(FullSegment {
                number: before.number,
                end_frame: writer.last + 1,
            });
            self.publish(writer, wakes);
        }
        let link = Link {
            store_id: self.store_id,
            segment: number,
            before: writer.last,
            checksum: writer.checksum,
        };
        self.begin((number, room), &link.encode(), now_ms)?;
        let open = OpenSegment {
            number,
            first_frame: writer.last + 1,
        };
        writer.segment = Some(open);
        self.activated.store(number, Ordering::Release);
        self.janitor.raise();
        Ok(open)
    }

    /// Makes a segment exist. What keeps it from that is no lost write: it is tried again, for as
    /// long as one write may take.
    fn begin(&self, (number, room): (u64, u32), link: &[u8], now_ms: u64) -> Result<(), Setback> {
        let begin = || {
            let prepared = self.log.prepare(number, room);
            let begun = prepared.and_then(|()| self.log.activate(number, link));
            begun.map_err(|error| Error::io(Chore::Begin.doing(), error))
        };
        // A caller that carries out its own commits cannot wait for a later one.
        let never_wakes = self.drive == crate::runtime::sync::Drive::Threads
            && self.clock.park_until(0).is_none();
        let is_inline = self.drive.is_inline() || never_wakes;
        let mut begun = self.retries.attempt(Chore::Begin, now_ms, begin);
        for _ in 1..if is_inline { TRIES_AT_ONCE } else { 1 } {
            if begun.is_err() {
                begun = self.retries.attempt_now(Chore::Begin, now_ms, begin);
            }
        }
        let Err(error) = begun else { return Ok(()) };
        let since_ms = self.retries.since_ms(Chore::Begin).unwrap_or(now_ms);
        let waited_ms = now_ms.saturating_sub(since_ms);
        if is_inline || waited_ms >= crate::value::time::millis(self.write_deadline) {
            let error = io::Error::other(error.to_string());
            return Err(Setback::Failed("writing to the log", error));
        }
        Err(Setback::Later)
    }

    fn sync_writer(&self, writer: &mut Writer, now_ms: u64, wakes: &mut Wakes) -> io::Result<()> {
        if writer.last == self.durable() {
            return Ok(());
        }
        if let Some(segment) = writer.segment {
            self.sync_segment(segment.number)?;
            self.syncs.fetch_add(1, Ordering::Relaxed);
        }
        writer.unflushed_bytes = 0;
        self.publish(writer, wakes);
        writer.marks_behind_since_ms.get_or_insert(now_ms);
        Ok(())
    }

    fn sync_segment(&self, segment: u64) -> io::Result<()> {
        let began_ns = self.clock.mono_ns();
        self.log.sync(segment)?;
        let took_ns = self.clock.mono_ns().saturating_sub(began_ns);
        self.sync_times.observe(0, took_ns);
        Ok(())
    }

    /// Everything that was written is on the medium: whoever waits for it is to be woken.
    fn publish(&self, writer: &mut Writer, wakes: &mut Wakes) {
        writer.synced = (writer.last, writer.checksum);
        // Pairs with the acquire in `durable`: who sees the position sees the frames. And in one
        // order with what the janitor does, so that one of the two sees the other.
        self.durable.store(writer.last, Ordering::SeqCst);
        if self.janitor_waits_for.load(Ordering::SeqCst) <= writer.last {
            self.janitor_waits_for.store(u64::MAX, Ordering::SeqCst);
            self.janitor.raise();
        }
        let woken = {
            let mut waiters = self.waiters.lock();
            let later = waiters.waiting.split_off(&(writer.last + 1, 0));
            std::mem::replace(&mut waiters.waiting, later)
        };
        wakes.extend(woken.into_values());
    }

    /// Marks that claim nothing which is not on the medium.
    fn current_marks(&self, writer: &Writer) -> Marks {
        Marks {
            durable: writer.synced.0,
            durable_checksum: writer.synced.1,
            store_ms: self.store_ms.load(Ordering::Relaxed),
            ..writer.marks
        }
    }

    /// Writes the marks although nothing was committed, so that an idle store knows the time.
    ///
    /// Never waits: a writer that is busy is not idle, and the timers, which call this, are what
    /// notices one that is stuck.
    pub(crate) fn touch_marks(&self, now_ms: u64) {
        if let Some(mut writer) = self.writer.try_lock() {
            writer
                .marks_behind_since_ms
                .get_or_insert(now_ms.saturating_sub(MARKS_LAG_MS));
            drop(writer);
            self.signal.raise();
        }
    }

    /// Does something while the writer is busy.
    #[cfg(test)]
    pub(crate) fn while_busy<T>(&self, act: impl FnOnce() -> T) -> T {
        let writer = self.writer.lock();
        let done = act();
        drop(writer);
        done
    }

    /// Takes the next epoch, durably: no token of an earlier one can be granted again.
    pub(crate) fn raise_epoch(&self, epoch: u32) -> Result<()> {
        self.check()?;
        let mut writer = self.writer.lock();
        let marks = Marks {
            epoch,
            ..self.current_marks(&writer)
        };
        // Both slots: if one is damaged later, the other one still knows the epoch.
        let written = writer
            .write_marks(&*self.log, marks)
            .and_then(|()| writer.write_marks(&*self.log, marks));
        drop(writer);
        // No token of this epoch is granted, so nothing rests on it.
        written.map_err(|error| Error::io("writing the epoch", error))
    }

    /// Raises the low mark, durably: the segments below it are dead, and their audit entries, if
    /// they had any, in archives up to this one.
    pub(crate) fn raise_low(
        &self,
        low: LowMark,
        archived: Option<Archived>,
        now_ms: u64,
    ) -> Result<()> {
        self.check()?;
        let mut writer = self.writer.lock();
        let marks = Marks {
            low,
            archived: archived.unwrap_or(writer.marks.archived),
            ..self.current_marks(&writer)
        };
        // The journal thread waits for the writer meanwhile, so this is watched as its work is.
        self.busy_since_ms.store(now_ms, Ordering::Relaxed);
        let written = writer.write_marks(&*self.log, marks);
        self.busy_since_ms.store(u64::MAX, Ordering::Relaxed);
        drop(writer);
        // What lies below the mark stays for longer: nothing rests on its going.
        written.map_err(|error| Error::io("writing the low mark", error))
    }

    pub(crate) fn marks(&self) -> Marks {
        let writer = self.writer.lock();
        self.current_marks(&writer)
    }

    /// Full segments that nobody has closed yet.
    pub(crate) fn take_full(&self) -> Vec<FullSegment> {
        std::mem::take(&mut self.writer.lock().full)
    }

    /// The oldest segment that takes frames or has not been closed.
    pub(crate) fn oldest_unclosed(&self) -> u64 {
        let writer = self.writer.lock();
        let full = writer.full.first().map(|segment| segment.number);
        let open = writer.segment.map(|segment| segment.number);
        // Before the first frame of a run, the segments of earlier runs are all closed, but the
        // newest of them is what the next one links to.
        full.or(open)
            .unwrap_or_else(|| self.tail.lock().newest_segment())
    }

    /// The segment that is being written, once there is one.
    pub(crate) fn open_segment(&self) -> Option<u64> {
        self.writer.lock().segment.map(|segment| segment.number)
    }

    /// Commits everything, and waits for a segment that cannot begin yet: nobody comes back for it.
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
            let marks = self.current_marks(&writer);
            writer.write_marks(&*self.log, marks)
        } else {
            Ok(())
        };
        let closed = self.log.close();
        drop(writer);
        self.shut();
        poisoned?;
        marked.map_err(|error| Error::io("writing the marks at close", error))?;
        closed.map_err(|error| Error::io("closing the log", error))
    }
}
