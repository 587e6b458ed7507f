//! Compaction: the oldest segment goes when nothing in it lives, or its survivors are carried on.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::Engine;
use crate::engine::audit::Moved;
use crate::engine::call::claim::replaced;
use crate::journal::chore::Chore;
use crate::journal::damage::lost;
use crate::journal::format::marks::{Archived, Link, LowMark};
use crate::journal::log::contract::{Log, SEGMENT_BYTES_MAX, SEGMENT_FRAMES_FIRST};
use crate::journal::read::records;
use crate::journal::segment_stats::SegmentStats;
use crate::journal::{FullSegment, Journal};
use crate::runtime::sync::{Mailbox, Ordering, block_on, contain, wake};
use crate::state::last_record::LastRecord;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::locator::Locator;
use crate::value::record::Record;

/// Bytes of frames of closed segments that stay in memory.
const WINDOW_BYTES: usize = 32 * 1024 * 1024;

/// What expired while the store was closed is not dropped in the first minutes after open, when the
/// clock is least sure.
pub(crate) const GRACE_MS: u64 = 2 * 60 * 1000;

/// Dead bytes of the log, in percent, from which survivors are carried.
const DEAD_PERCENT: u64 = 50;

/// Bytes on disk for each live byte from which survivors are carried: tiny frames take more room
/// than their records.
const DISK_FACTOR: u64 = 8;

/// Bytes on disk below which none of this matters.
const SMALL_DISK_BYTES: u64 = 256 * 1024 * 1024;

/// Short segments beside as many longer ones, from which survivors are carried. A run leaves one at
/// most, so that runs are what makes more of them, and carrying ends.
const SHORT_SEGMENTS_MAX: usize = 8;

/// Bytes of a segment that is not short, however few its frames.
const SHORT_BYTES_MAX: u64 = SEGMENT_BYTES_MAX / 4;

/// Bytes that an open carries at most to bring short segments together, and segments that it drops.
const GATHER_BYTES_MAX: u64 = 2 * SEGMENT_BYTES_MAX;
const GATHER_SEGMENTS_MAX: u64 = 16;

/// Bytes held in reserve for recovery on a full disk: a quarter of the log, within these.
const RESERVE_BYTES_MIN: u64 = 2 * 1024 * 1024;
const RESERVE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Frames that are carried before the janitor looks at its other work.
const FRAMES_PER_STEP: u64 = 64;

/// A read that a caller waits for.
pub(crate) type ReadRequest = (Locator, Arc<Mailbox<Result<Option<Record>>>>);

/// The state of the compaction thread.
#[derive(Debug, Default)]
pub(crate) struct Janitor {
    carrying: Option<Carrying>,
    dying: Option<Dying>,
    /// The segment that went in this round.
    buried: Option<u64>,
    /// Full segments that could not be closed yet, and dead ones that could not be removed yet.
    full: VecDeque<FullSegment>,
    dead: VecDeque<u64>,
    /// A full segment is not what it was written as.
    broken: Option<Error>,
    /// The space in use, when it was measured last.
    disk_bytes: u64,
    /// Store time at which an audit archive may be due; the first look comes at once.
    archive_due_secs: u32,
}

impl Janitor {
    /// Frames of the oldest segment that were looked at.
    pub(in crate::engine) fn looked_at(&self, first_frame: u64) -> u64 {
        self.carrying.map_or(0, |carrying| {
            carrying.next_frame.saturating_sub(first_frame)
        })
    }
}

/// The oldest segment, whose records are looked at one after the other.
#[derive(Clone, Copy, Debug)]
struct Carrying {
    segment: u64,
    next_frame: u64,
    end_frame: u64,
}

/// The oldest segment, in which nothing lives any more.
#[derive(Clone, Copy, Debug)]
struct Dying {
    segment: u64,
    /// The end of the log when that was found; it has to be durable first, or a completion could
    /// be lost together with the claim that it replaced.
    after_frame: u64,
}

/// What compaction sees of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// Oldest first.
    pub(crate) segments: &'a [SegmentStats],
    /// The oldest segment that still takes frames, or is not closed yet.
    pub(crate) open_segment: u64,
    pub(crate) disk_bytes: u64,
    /// Frames below which a segment is short.
    pub(crate) short_frames: u32,
    /// Records that expire up to here count as dead.
    pub(crate) expired_secs: u32,
    /// Somebody asked for the segments up to this one to go, however much in them lives.
    pub(crate) asked: u64,
}

/// What compaction does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Plan {
    Nothing,
    /// Nothing in the segment can live: it goes unread.
    Drop(u64),
    /// Every record of the segment is checked against its key, and carried if it is current.
    Carry(u64),
}

/// Counts choose when a segment goes, never whether a record lives.
pub(crate) fn choose(view: View<'_>) -> Plan {
    let Some(head) = view.segments.first() else {
        return Plan::Nothing;
    };
    if head.number >= view.open_segment {
        return Plan::Nothing;
    }
    if head.live == 0 {
        let all_expired = !head.immortal && head.greatest_expiry <= view.expired_secs;
        return if all_expired {
            Plan::Drop(head.number)
        } else {
            Plan::Carry(head.number)
        };
    }
    if head.number <= view.asked {
        return Plan::Carry(head.number);
    }
    let closed = view
        .segments
        .iter()
        .take_while(|segment| segment.number < view.open_segment);
    let (bytes, live) = closed.fold((0, 0), |(bytes, live), segment| {
        (bytes + segment.record_bytes(), live + segment.live_bytes())
    });
    let mostly_dead = bytes.saturating_sub(live) * 100 > bytes * DEAD_PERCENT;
    let scattered = shortness(&view) > SHORT_SEGMENTS_MAX;
    let audit_bytes: u64 = view
        .segments
        .iter()
        .map(|segment| segment.audit_bytes)
        .sum();
    // Audit entries take their room wherever they lie.
    let disk_bytes = view.disk_bytes.saturating_sub(audit_bytes);
    let sparse = disk_bytes > SMALL_DISK_BYTES && disk_bytes / DISK_FACTOR > live;
    if mostly_dead || sparse || scattered {
        Plan::Carry(head.number)
    } else {
        Plan::Nothing
    }
}

/// Bytes to hold in reserve where the log has so many: a power of two, so that it is taken again
/// only when the log has doubled.
pub(in crate::engine) fn reserve_for(log_bytes: u64) -> u64 {
    (log_bytes / 4)
        .clamp(RESERVE_BYTES_MIN, RESERVE_BYTES_MAX)
        .next_power_of_two()
}

/// How many short segments there are beyond one for each longer one, among those that are closed.
///
/// Where the long ones are as many, carrying past them to the short ones would cost more than a
/// segment for each run.
fn shortness(view: &View<'_>) -> usize {
    let closed = view.segments.iter();
    let closed = closed.take_while(|segment| segment.number < view.open_segment);
    let (short, long) = closed.fold((0_usize, 0), |(short, long), segment| {
        let is_short = segment.frames < view.short_frames && segment.bytes < SHORT_BYTES_MAX;
        (short + usize::from(is_short), long + usize::from(!is_short))
    });
    short.saturating_sub(long)
}

impl Engine {
    /// One step of the janitor. True when there is more to do at once.
    pub(crate) fn step_janitor(&self) -> bool {
        self.serve_reads();
        if self.journal.is_poisoned() || self.check_change().is_err() {
            return false;
        }
        self.compaction_step(0).unwrap_or(false)
    }

    /// One step of compaction, on behalf of whoever asked for segments up to one to go.
    pub(in crate::engine) fn compaction_step(&self, asked: u64) -> Result<bool> {
        let mut janitor = self.janitor.lock();
        let round = self.janitor_round(&mut janitor, asked);
        let buried = janitor.buried.take();
        let broken = janitor.broken.take();
        drop(janitor);
        if let Some(segment) = buried {
            let carried = self.records_carried.load(Ordering::Relaxed);
            contain(|| crate::observe::trace::compacted(segment, carried));
        }
        self.journal.retries.tell();
        if let Some(error) = broken {
            // What was acknowledged may not be there any more.
            let failed = std::io::Error::other(error.to_string());
            self.journal.poison("compaction", &failed);
            return Err(error);
        }
        round
    }

    /// Tries a chore of the janitor. One that fails is tried again later; it ends nothing.
    pub(in crate::engine) fn attempt<T>(
        &self,
        chore: Chore,
        act: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        self.journal
            .retries
            .attempt(chore, self.clock.mono_ms(), act)
    }

    /// As [`attempt`](Self::attempt), of a call on the log.
    pub(in crate::engine) fn attempt_io<T>(
        &self,
        chore: Chore,
        act: impl FnOnce(&dyn Log) -> std::io::Result<T>,
    ) -> Result<T> {
        self.attempt(chore, || {
            act(self.journal.log()).map_err(|error| Error::io(chore.doing(), error))
        })
    }

    fn janitor_round(&self, janitor: &mut Janitor, asked: u64) -> Result<bool> {
        let durable = self.journal.durable();
        self.copies.lock().retain(|copy| copy.frame > durable);
        // None of these waits for another: what fails is told by the chores.
        let _ = self.prepare_coming();
        let sealed = self.close_full(janitor).unwrap_or(false);
        let _ = self.look_at_disk();
        let _ = self.remove_dead(janitor);
        if self.pins.load(Ordering::Acquire) > 0 {
            return Ok(sealed);
        }
        Ok(self.compaction_round(janitor, asked)? || sealed)
    }

    fn compaction_round(&self, janitor: &mut Janitor, asked: u64) -> Result<bool> {
        let began_ns = self.clock_ns();
        if let Some(dying) = janitor.dying {
            if !self.journal.is_durable_for_janitor(dying.after_frame) {
                return Ok(false);
            }
            self.bury(dying)?;
            janitor.dying = None;
            janitor.archive_due_secs = 0;
            janitor.buried = Some(dying.segment);
            janitor.dead.push_back(dying.segment);
            self.segments_dropped.fetch_add(1, Ordering::Relaxed);
            self.end_compaction(began_ns);
            // Where it cannot be removed now, it will be.
            let _ = self.remove_dead(janitor);
            return Ok(true);
        }
        if let Some(carrying) = janitor.carrying {
            let more = self.attempt(Chore::Carry, || self.carry_some(janitor, carrying))?;
            if more {
                self.end_compaction(began_ns);
            }
            return Ok(more);
        }
        match self.plan(janitor, asked) {
            Plan::Nothing => {
                let expired = self.attempt(Chore::Expire, || self.expire_archives(janitor));
                Ok(expired.unwrap_or(false))
            }
            Plan::Drop(segment) => {
                janitor.dying = Some(Dying {
                    segment,
                    after_frame: self.journal.last_used(),
                });
                Ok(true)
            }
            Plan::Carry(segment) => {
                janitor.carrying = self.journal.with_tail(|tail| {
                    tail.census
                        .oldest()
                        .filter(|head| head.number == segment)
                        .map(|head| Carrying {
                            segment,
                            next_frame: head.first_frame,
                            end_frame: head.first_frame + u64::from(head.frames),
                        })
                });
                Ok(true)
            }
        }
    }

    /// Closes segments that take no further frame. Their frames are durable; until they are closed
    /// they stay in memory.
    fn close_full(&self, janitor: &mut Janitor) -> Result<bool> {
        janitor.full.extend(self.journal.take_full());
        let mut closed = false;
        while let Some(full) = janitor.full.front().copied() {
            let sealed = self.attempt_io(Chore::Close, |log| log.seal(full.number));
            if let Err(error) = sealed {
                if error.kind() == ErrorKind::Damaged {
                    janitor.broken = Some(error);
                    return Ok(closed);
                }
                return Err(error);
            }
            self.journal
                .with_tail(|tail| tail.close_below(full.end_frame, WINDOW_BYTES));
            janitor.full.pop_front();
            closed = true;
        }
        Ok(closed)
    }

    /// Removes segments below the low mark.
    fn remove_dead(&self, janitor: &mut Janitor) -> Result<()> {
        while let Some(&segment) = janitor.dead.front() {
            self.attempt_io(Chore::Remove, |log| match log.remove(segment) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            })?;
            janitor.dead.pop_front();
        }
        Ok(())
    }

    /// Lets go of audit archives in which everything has expired, one at a time.
    fn expire_archives(&self, janitor: &mut Janitor) -> Result<bool> {
        let expired_secs = self.journal.with_tail(|tail| tail.census.now_secs());
        if expired_secs < janitor.archive_due_secs {
            return Ok(false);
        }
        janitor.archive_due_secs = self.expire_archive(expired_secs)?;
        Ok(janitor.archive_due_secs == 0)
    }

    fn plan(&self, janitor: &mut Janitor, asked: u64) -> Plan {
        // Where it cannot be measured, it is what it was.
        if let Ok(bytes) = self.attempt_io(Chore::Measure, Log::disk_bytes) {
            janitor.disk_bytes = bytes;
        }
        let disk_bytes = janitor.disk_bytes;
        let unclosed = self.journal.oldest_unclosed();
        let full = janitor.full.front().map(|full| full.number);
        let open_segment = full.unwrap_or(unclosed).min(unclosed);
        self.journal.with_tail(|tail| {
            let segments: Vec<SegmentStats> = tail.census.segments().copied().collect();
            let expired_secs = tail.census.now_secs();
            choose(View {
                segments: &segments,
                open_segment,
                disk_bytes,
                short_frames: self.short_frames(),
                expired_secs,
                asked,
            })
        })
    }

    /// Frames below which a segment is short: half of what the first one of a run has room for.
    fn short_frames(&self) -> u32 {
        self.options.segment_frames.min(SEGMENT_FRAMES_FIRST) / 2
    }

    /// Carries short segments together before the store is used, where there are many more of them
    /// than the janitor leaves: in runs that end at once it has no time for it. Stops after a few,
    /// so that an open never takes long; the janitor goes on, or the next open.
    pub(crate) fn gather_segments(&self) {
        let has_time = || {
            let carried = self.journal.with_tail(|tail| tail.appended_bytes());
            let dropped = self.segments_dropped.load(Ordering::Relaxed);
            carried < GATHER_BYTES_MAX && dropped < GATHER_SEGMENTS_MAX
        };
        if self.check_change().is_err() {
            // It is only read.
            return;
        }
        let mut idle = 0;
        // The janitor meets the same trouble, and tells of it.
        while idle < 2 && has_time() && self.is_scattered() {
            let Ok(more) = self.compaction_step(0) else {
                return;
            };
            idle = if more { 0 } else { idle + 1 };
            if !more && block_on(self.journal.wait(self.journal.last_used())).is_err() {
                return;
            }
        }
    }

    /// Whether there are twice as many short segments as the janitor leaves.
    fn is_scattered(&self) -> bool {
        let open_segment = self.journal.oldest_unclosed();
        self.journal.with_tail(|tail| {
            let segments: Vec<SegmentStats> = tail.census.segments().copied().collect();
            let view = View {
                segments: &segments,
                open_segment,
                disk_bytes: 0,
                short_frames: self.short_frames(),
                expired_secs: 0,
                asked: 0,
            };
            shortness(&view) > 2 * SHORT_SEGMENTS_MAX
        })
    }

    /// Carries the survivors of a few frames to the end of the log.
    fn carry_some(&self, janitor: &mut Janitor, mut carrying: Carrying) -> Result<bool> {
        // Claims never wait for compaction: when the log has no room, compaction waits.
        if self.journal.congestion(self.now().mono_ms).is_some() {
            return Ok(false);
        }
        self.check_segment_room(FRAMES_PER_STEP)?;
        let until = carrying
            .end_frame
            .min(carrying.next_frame + FRAMES_PER_STEP);
        while carrying.next_frame < until {
            let carried = self.carry_frame(carrying.next_frame)?;
            self.records_carried.fetch_add(carried, Ordering::Relaxed);
            carrying.next_frame += 1;
        }
        if carrying.next_frame < carrying.end_frame {
            janitor.carrying = Some(carrying);
        } else {
            janitor.carrying = None;
            janitor.dying = Some(Dying {
                segment: carrying.segment,
                after_frame: self.journal.last_used(),
            });
        }
        Ok(true)
    }

    fn carry_frame(&self, frame: u64) -> Result<u64> {
        let payload = self
            .journal
            .frame_bytes(frame)?
            .ok_or_else(|| lost(frame))?;
        let mut carried = 0;
        for record in records(frame, &payload) {
            let (locator, head, wire) = record?;
            // A look without the record's body, so that dead records cost nothing.
            if self.is_newest(head.namespace, wire.key, locator) {
                let record = self
                    .journal
                    .complete(&wire, locator)?
                    .ok_or_else(|| lost(frame))?;
                carried += u64::from(self.carry(&record, locator));
            }
        }
        Ok(carried)
    }

    /// Copies a record to the end of the log, if it is still the newest of its key.
    fn carry(&self, record: &Record, from: Locator) -> bool {
        let parts = Journal::split(&record.body);
        let digest = self.digest_of(record.head.namespace, &record.key);
        let expired_secs = self.journal.with_tail(|tail| tail.census.now_secs());
        let (mut shard, now) = self.lock(digest);
        let last = LastRecord {
            locator: from,
            expires_at: record.head.expires_at,
        };
        if shard
            .last_record(digest)
            .is_none_or(|newest| newest.locator != from)
            || record.head.expires_at <= expired_secs
        {
            return false;
        }
        let to = self
            .journal
            .append(&record.as_ref(), parts, replaced(Some(last)), now.mono_ms);
        self.copies.lock().insert(to);
        let moved = shard.relocate(digest, from, to);
        debug_assert!(moved, "the newest record was looked up under the same lock");
        moved
    }

    /// Lets go of the oldest segment, so that it can be removed. Its audit entries are in an archive
    /// and the low mark is durable first. Each step can be repeated.
    fn bury(&self, dying: Dying) -> Result<()> {
        let (segment, next) = (dying.segment, dying.segment + 1);
        assert!(
            self.journal.durable() >= dying.after_frame,
            "what made a segment dead is on the medium before the low mark passes it"
        );
        let stats = self.journal.with_tail(|tail| {
            let oldest = tail.census.oldest().copied();
            oldest.filter(|stats| stats.number == segment)
        });
        let moved = self.attempt(Chore::Archive, || {
            stats.map_or(Ok(Moved::Nothing), |stats| self.archive(&stats))
        })?;
        let archived = match moved {
            Moved::Nothing => None,
            Moved::UpTo(last) => Some(Archived::at(&last)),
        };
        let link = self.attempt(Chore::Link, || self.link_of(next))?;
        let low = LowMark {
            segment: next,
            before: link.before,
            checksum: link.checksum,
        };
        self.attempt(Chore::LowMark, || {
            self.journal.raise_low(low, archived, self.now().mono_ms)
        })?;
        // From here on whoever held a locator into it looks again.
        self.journal.with_tail(|tail| tail.census.drop_oldest());
        Ok(())
    }

    fn link_of(&self, segment: u64) -> Result<Link> {
        let link = self.journal.log().read_link(segment);
        let link = link.map_err(|error| Error::io(Chore::Link.doing(), error))?;
        Link::decode(&link).ok_or_else(|| {
            let text =
                format!("the ready marker of segment {segment:016x} is damaged: restore a backup");
            Error::new(ErrorKind::Damaged, text)
        })
    }

    pub(crate) fn request_read(
        &self,
        locator: Locator,
        mailbox: &Arc<Mailbox<Result<Option<Record>>>>,
    ) {
        self.reads.lock().push((locator, Arc::clone(mailbox)));
        self.journal.janitor.raise();
        // The janitor may have ended already.
        if self.is_closed() {
            self.serve_reads();
        }
    }

    /// Reads what async callers asked for.
    pub(crate) fn serve_reads(&self) {
        let requests = std::mem::take(&mut *self.reads.lock());
        for (locator, mailbox) in requests {
            let read = self.read(locator);
            if let Ok(Some(waker)) = mailbox.deliver(read) {
                wake(waker);
            }
        }
    }

    /// Lets the counts of dying records follow store time, once the store has run for a while.
    pub(crate) fn expire_counts(&self, store_secs: u32, mono_ms: u64) {
        if mono_ms.saturating_sub(self.opened.at_ms) >= GRACE_MS {
            self.journal
                .with_tail(|tail| tail.census.advance(store_secs));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Dying, Plan, SMALL_DISK_BYTES, SegmentStats, View, choose, reserve_for};
    use crate::Error;
    use crate::engine::{Engine, EngineOptions};
    use crate::journal::log::memory_log::memory_log::MemoryLog;
    use crate::runtime::clock::Clock;
    use crate::runtime::sync::Drive;
    use crate::testing::ManualClock;
    use crate::value::durability::Durability;
    use crate::value::limits::Limits;
    use crate::value::policy::Policy;

    fn segment(number: u64, records: u64, live: u64) -> SegmentStats {
        let mut stats = SegmentStats::new(number, number * 100);
        stats.records = records;
        stats.live = live;
        stats.bytes = records * 100;
        (stats.outcomes, stats.outcome_bytes) = (records, records * 100);
        stats.greatest_expiry = 50;
        stats
    }

    fn plan(segments: &[SegmentStats], open_segment: u64, expired_secs: u32) -> Plan {
        choose(View {
            segments,
            open_segment,
            disk_bytes: 0,
            short_frames: 0,
            expired_secs,
            asked: 0,
        })
    }

    /// An engine whose one change is not on the medium.
    fn unsynced() -> Result<Arc<Engine>, Error> {
        let options = EngineOptions {
            durability: Durability::Interval(Duration::from_secs(1)),
            limits: Limits::default(),
            shards: 1,
            max_offline: None,
            ephemeral: false,
            ephemeral_at_most_once: false,
            write_deadline: Duration::from_secs(1),
            first_counter: 0,
            segment_frames: 8192,
            drive: Drive::Clock,
            counts: true,
            trace_keys: false,
            secrets: None,
        };
        let log = MemoryLog::new().session().unwrap();
        let engine = Engine::open(Arc::new(log), Clock::Manual(ManualClock::new()), options)?;
        let jobs = engine.namespace("jobs", Policy::at_least_once())?;
        let key = Arc::from(*b"key");
        crate::runtime::sync::block_on(engine.insert(engine.named(&jobs, &key)))?;
        Ok(engine)
    }

    #[test]
    #[should_panic(expected = "on the medium before the low mark passes it")]
    fn a_segment_does_not_go_before_what_made_it_dead_is_durable() {
        let engine = unsynced().unwrap();
        let after_frame = engine.journal.last_used();
        assert!(engine.journal.durable() < after_frame);
        let _ = engine.bury(Dying {
            segment: 1,
            after_frame,
        });
    }

    /// The first commit after an open had to make its segment first, which took longer than the
    /// window that the change had.
    #[test]
    fn the_first_segment_of_a_run_is_begun_before_a_commit_is_due() {
        let engine = unsynced().unwrap();
        let durable = engine.journal.durable();
        assert_eq!(engine.journal.open_segment(), None);
        engine.journal.commit(engine.now().mono_ms, false);
        assert_eq!(engine.journal.open_segment(), Some(1));
        assert_eq!(engine.journal.durable(), durable, "nothing was due");
        engine.journal.commit(engine.now().mono_ms, true);
        assert_eq!(engine.journal.durable(), engine.journal.last_used());
    }

    #[test]
    fn the_open_segment_is_never_touched() {
        assert_eq!(plan(&[], 1, 100), Plan::Nothing);
        assert_eq!(plan(&[segment(1, 10, 0)], 1, 100), Plan::Nothing);
    }

    #[test]
    fn a_dead_head_goes_unread_only_when_everything_in_it_has_expired() {
        assert_eq!(
            plan(&[segment(1, 10, 0), segment(2, 1, 1)], 2, 50),
            Plan::Drop(1)
        );
        assert_eq!(
            plan(&[segment(1, 10, 0), segment(2, 1, 1)], 2, 49),
            Plan::Carry(1)
        );
        let mut immortal = segment(1, 10, 0);
        immortal.immortal = true;
        assert_eq!(plan(&[immortal, segment(2, 1, 1)], 2, 50), Plan::Carry(1));
    }

    #[test]
    fn survivors_are_carried_when_most_of_the_log_is_dead() {
        let live_head = [
            segment(1, 10, 10),
            segment(2, 10, 1),
            segment(3, 10, 1),
            segment(4, 1, 1),
        ];
        assert_eq!(plan(&live_head, 4, 0), Plan::Carry(1));
        assert_eq!(
            plan(&live_head[..2], 2, 0),
            Plan::Nothing,
            "a log that lives is left alone"
        );
    }

    #[test]
    fn sparse_disk_use_is_carried_away() {
        let segments = [segment(1, 10, 9), segment(2, 10, 10)];
        let view = View {
            segments: &segments,
            open_segment: 2,
            disk_bytes: SMALL_DISK_BYTES + 1,
            short_frames: 0,
            expired_secs: 0,
            asked: 0,
        };
        assert_eq!(choose(view), Plan::Carry(1));
    }

    /// Every run of a store leaves a segment with what little it wrote, and 500 of them took a
    /// gigabyte. Runs are what makes short segments, so those of many runs are carried together.
    #[test]
    fn short_segments_of_many_runs_are_carried_together() {
        let of = |short: u64, long: u64| {
            let short_ones = (1..=short).map(|number| SegmentStats {
                frames: 3,
                ..segment(number, 3, 3)
            });
            let long_ones = (short + 1..=short + long).map(|number| SegmentStats {
                frames: 300,
                ..segment(number, 300, 300)
            });
            let segments: Vec<_> = short_ones.chain(long_ones).collect();
            choose(View {
                segments: &segments,
                open_segment: short + long + 1,
                disk_bytes: 0,
                short_frames: 256,
                expired_secs: 0,
                asked: 0,
            })
        };
        assert_eq!(of(8, 0), Plan::Nothing);
        assert_eq!(of(9, 0), Plan::Carry(1));
        assert_eq!(of(9, 1), Plan::Nothing, "a long one for each more of them");
        assert_eq!(of(20, 11), Plan::Carry(1));
    }

    #[test]
    fn the_reserve_grows_with_the_log() {
        let mib = |count: u64| count << 20;
        assert_eq!(reserve_for(0), mib(2));
        assert_eq!(reserve_for(mib(8)), mib(2));
        assert_eq!(reserve_for(mib(9)), mib(4));
        assert_eq!(reserve_for(mib(64)), mib(16));
        assert_eq!(reserve_for(u64::MAX), mib(16));
    }

    #[test]
    fn what_was_asked_for_is_carried_though_it_lives_and_no_more() {
        let segments = [segment(1, 10, 10), segment(2, 10, 9), segment(3, 10, 10)];
        let asked = |segments, asked| {
            choose(View {
                segments,
                open_segment: 3,
                disk_bytes: 0,
                short_frames: 0,
                expired_secs: 0,
                asked,
            })
        };
        assert_eq!(asked(&segments, 2), Plan::Carry(1));
        assert_eq!(asked(&segments[1..], 2), Plan::Carry(2));
        assert_eq!(asked(&segments[2..], 3), Plan::Nothing, "it is open");
        assert_eq!(asked(&segments[1..], 1), Plan::Nothing);
    }
}
