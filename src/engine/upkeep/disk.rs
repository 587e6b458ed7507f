//! Free disk space: measured, kept in reserve, and checked before each claim and each large outcome.
//!
//! A claim is refused unless there is room for all that it will write. So a holder, which has perhaps charged
//! a card by then, finds room for its outcome.

use crate::engine::engine::Engine;
use crate::engine::refusals::at_capacity;
use crate::engine::sizes::to_u64;
use crate::engine::upkeep::room::{LEAST_BYTES, reserve_for};
use crate::journal::chore::Chore;
use crate::journal::format::frame::FRAME_BYTES_MAX;
use crate::journal::tail::Tail;
use crate::runtime::sync::{Drive, Ordering};
use crate::state::transition::Command;
use crate::value::doing::Doing;
use crate::value::error::{Error, Result};

/// Bytes that each running key will need for its outcome; a larger outcome is checked when it comes.
const OUTCOME_BYTES: u64 = 1024;

/// Outcomes of up to this many bytes are never refused.
const SMALL_BYTES: usize = 4096;

/// Free bytes below which the reserve is given to the holders.
const RESERVE_GOES_BYTES: u64 = 4 << 20;

/// Free bytes and files under which the first segment of a run is prepared before it is begun.
const SHORT_BYTES: u64 = 256 << 20;

const SHORT_FILES: u64 = 1000;

/// Frames that no claim may count on: checkpoints, lapses and operators take some too.
const SPARE_FRAMES: u64 = 16;

impl Engine {
    /// Refuses a new or running key for which there is no room. The caller holds the lock of shard `index`,
    /// in which `here` keys are running.
    #[inline]
    pub(in crate::engine) fn check_disk(&self, index: usize, here: usize) -> Result<()> {
        let given = self.journal.given_bytes();
        if given >= self.room.look.load(Ordering::Relaxed) {
            self.journal.janitor.raise();
        }
        let has_running = |limit| self.shards.has_running(limit, index, here);
        if self.is_low(given, has_running) {
            return Err(self.disk_is_low());
        }
        if self.journal.retries.is_failing(Chore::Prepare) {
            return self.check_segment_room(0);
        }
        Ok(())
    }

    /// Whether too little is free, so that new claims are refused.
    pub(in crate::engine) fn disk_is_at_floor(&self) -> bool {
        let has_running = |limit| self.shards.has_running_about(limit);
        self.is_low(self.journal.given_bytes(), has_running)
    }

    #[inline]
    fn is_low(&self, given: u64, has_running: impl FnOnce(usize) -> bool) -> bool {
        let floor = self.room.floor.load(Ordering::Relaxed);
        let left = self
            .room
            .needed
            .load(Ordering::Relaxed)
            .saturating_sub(given);
        given >= floor || has_running(usize::try_from(left / OUTCOME_BYTES).unwrap_or(usize::MAX))
    }

    #[cold]
    fn disk_is_low(&self) -> Error {
        let floor = self.least_free_bytes();
        at_capacity(format!(
            "less than {floor} bytes of disk are free: make room; holders can still complete"
        ))
    }

    /// Free bytes below which claims are refused, without the bytes that running keys need.
    pub(in crate::engine) fn least_free_bytes(&self) -> u64 {
        self.options.limits.free_disk_bytes.max(LEAST_BYTES)
    }

    /// Refuses a change that needs this many frames while no further segment can be prepared and the rest of
    /// the current one is kept for running keys.
    pub(in crate::engine) fn check_segment_room(&self, frames: u64) -> Result<()> {
        let retries = &self.journal.retries;
        if !retries.is_failing(Chore::Prepare) {
            return Ok(());
        }
        let (segment, left, bytes) = self
            .journal
            .with_tail(|tail| (tail.newest_segment(), tail.frames_left(), tail.bytes_left()));
        let prepared = self.room.prepared.load(Ordering::Relaxed);
        let is_there = segment <= prepared.max(self.journal.activated());
        // In the worst case each record goes into a frame of its own.
        let whole = bytes / to_u64(FRAME_BYTES_MAX);
        let left = if is_there { left.min(whole) } else { 0 };
        let free = left.saturating_sub(frames).saturating_sub(SPARE_FRAMES);
        let running = usize::try_from(free).unwrap_or(usize::MAX);
        if self.shards.has_running_about(running) {
            return Err(at_capacity(
                "no further segment can be prepared, and the rest of this one is kept for running keys: \
                 look at health() for the cause; holders can still complete"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Refuses a command of a holder for which there is no room. A small outcome always has the room that was
    /// kept when the claim was granted.
    pub(in crate::engine) fn check_command_room(&self, command: Command<'_>) -> Result<()> {
        match command {
            Command::Complete(body) | Command::Fail(body) if body.len() > SMALL_BYTES => {
                self.check_outcome_room(body.len())
            }
            // Nothing is lost without a checkpoint, and it must not take the room of an outcome.
            Command::Checkpoint(bytes) => {
                self.check_segment_room(0)?;
                self.check_outcome_room(bytes.len())
            }
            _ => Ok(()),
        }
    }

    /// Refuses an outcome for which there is no room, before a write fails for it.
    fn check_outcome_room(&self, bytes: usize) -> Result<()> {
        let end = self.room.end.load(Ordering::Relaxed);
        let after = self.journal.given_bytes().saturating_add(to_u64(bytes));
        let has_room = !self.disk_is_at_floor() || after < end;
        let frames = to_u64(bytes / FRAME_BYTES_MAX + 2);
        // A call that failed a moment ago may succeed now, and the holder has only this one outcome.
        let has_frames = bytes <= FRAME_BYTES_MAX
            || self.check_segment_room(frames).is_ok()
            || self.prepare_again().is_ok();
        if has_room && has_frames {
            return Ok(());
        }
        Err(at_capacity(format!(
            "the disk has no room for an outcome of {bytes} bytes: make room, or complete with a shorter one or a reference"
        )))
    }

    /// Makes the segment that could not be made, if it can be made now.
    fn prepare_again(&self) -> Result<()> {
        let coming = |tail: &mut Tail| tail.coming_segments().collect::<Vec<_>>();
        for (segment, frames) in self.journal.with_tail(coming) {
            let now_ms = self.time.mono_ms();
            self.journal
                .retries
                .attempt_now(Chore::Prepare, now_ms, || {
                    let prepared = self.journal.log().prepare(segment, frames);
                    prepared.while_doing(Chore::Prepare.doing())
                })?;
            self.room.prepared.fetch_max(segment, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Makes a segment shortly before it is needed, because a prepared segment takes memory, disk and, with
    /// sled, threads. If the medium is short the first one is made at once: a claim has to know that it can
    /// be made.
    pub(in crate::engine) fn prepare_coming(&self) -> Result<()> {
        if self.options.drive == Drive::Clock {
            return Ok(());
        }
        let is_short = self.room.is_short.load(Ordering::Relaxed);
        let coming = |tail: &mut Tail| {
            let first = is_short.then(|| tail.first_segment()).flatten();
            tail.coming_segments().chain(first).collect::<Vec<_>>()
        };
        for (segment, frames) in self.journal.with_tail(coming) {
            if segment > self.room.prepared.load(Ordering::Relaxed) {
                self.attempt_io(Chore::Prepare, |log| log.prepare(segment, frames))?;
                self.room.prepared.fetch_max(segment, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Measures how much is free. Gives the reserve to running keys if that is little, and takes it again
    /// when there is room.
    pub(in crate::engine) fn look_at_disk(&self) -> Result<()> {
        // Read before the measurement, so that bytes written meanwhile count twice rather than not at all.
        let given = self.journal.given_bytes();
        let (free, files) = self.attempt_io(Chore::Look, |log| {
            Ok((log.free_bytes()?, log.free_files()?))
        })?;
        let is_short = free.is_some_and(|free| free < SHORT_BYTES)
            || files.is_some_and(|files| files < SHORT_FILES);
        self.room.is_short.store(is_short, Ordering::Relaxed);
        let Some(free) = free else {
            return self.hold_reserve(self.reserve_bytes());
        };
        self.room
            .note(given, free, self.options.limits.free_disk_bytes);
        if free < RESERVE_GOES_BYTES {
            return self.hold_reserve(0);
        }
        if self.disk_is_at_floor() {
            return Ok(());
        }
        self.hold_reserve(self.reserve_bytes())
    }

    /// The bytes to hold for recovery on a full disk: more for a larger log, and never less than before.
    fn reserve_bytes(&self) -> u64 {
        let log_bytes = self.journal.with_tail(|tail| {
            let segments = tail.census.segments();
            segments.map(|segment| segment.bytes).sum()
        });
        reserve_for(log_bytes).max(self.room.reserve_bytes.load(Ordering::Relaxed))
    }

    fn hold_reserve(&self, bytes: u64) -> Result<()> {
        if self.journal.reserve_is_gone() {
            self.room.reserve_bytes.store(0, Ordering::Relaxed);
        }
        if self.room.reserve_bytes.load(Ordering::Relaxed) == bytes {
            return Ok(());
        }
        self.attempt_io(Chore::Reserve, |log| log.hold_reserve(bytes))?;
        self.room.reserve_bytes.store(bytes, Ordering::Relaxed);
        Ok(())
    }
}
