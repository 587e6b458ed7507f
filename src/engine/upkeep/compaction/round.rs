//! Rounds of the janitor: full segments are closed, dead ones removed, and the oldest is dropped or carried.

use crate::engine::engine::Engine;
use crate::engine::upkeep::compaction::janitor::{Carrying, Dying, Janitor, Oldest, Round};
use crate::engine::upkeep::compaction::plan::{Plan, View, choose};
use crate::journal::chore::Chore;
use crate::journal::log::contract::{Log, SEGMENT_FRAMES_FIRST};
use crate::journal::segment_stats::SegmentStats;
use crate::observe::trace::compacted;
use crate::runtime::sync::contain;
use crate::value::doing::Doing;
use crate::value::error::{ErrorKind, Result};

/// Bytes of frames of closed segments that stay in memory.
const WINDOW_BYTES: usize = 32 * 1024 * 1024;

impl Engine {
    /// One step of the janitor. True when there is more to do at once.
    pub(crate) fn step_janitor(&self) -> bool {
        self.serve_reads();
        if self.journal.is_poisoned() || self.check_change().is_err() {
            return false;
        }
        self.compaction_step(0).unwrap_or(false)
    }

    /// One step of compaction, on behalf of a caller that asked for segments up to one to go.
    pub(in crate::engine) fn compaction_step(&self, asked: u64) -> Result<bool> {
        let mut janitor = self.compaction.janitor.lock();
        let round = self.janitor_round(&mut janitor, asked);
        drop(janitor);
        if let Ok(Round::Buried(segment)) = round {
            let carried = self.compaction.records_carried();
            contain(|| compacted(segment, carried));
        }
        self.journal.retries.tell();
        match round? {
            Round::Idle => Ok(false),
            Round::More | Round::Buried(_) => Ok(true),
            Round::Broken(error) => {
                // Acknowledged records may be gone.
                let failed = std::io::Error::other(error.to_string());
                self.journal.poison("compaction", &failed);
                Err(error)
            }
        }
    }

    /// Tries a chore of the janitor. A chore that fails is tried again later, and ends nothing.
    pub(in crate::engine) fn attempt<T>(
        &self,
        chore: Chore,
        act: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        self.journal
            .retries
            .attempt(chore, self.time.mono_ms(), act)
    }

    /// As [`attempt`](Self::attempt), of a call on the log.
    pub(in crate::engine) fn attempt_io<T>(
        &self,
        chore: Chore,
        act: impl FnOnce(&dyn Log) -> std::io::Result<T>,
    ) -> Result<T> {
        self.attempt(chore, || act(self.journal.log()).while_doing(chore.doing()))
    }

    fn janitor_round(&self, janitor: &mut Janitor, asked: u64) -> Result<Round> {
        self.compaction.forget_copies(self.journal.durable());
        // No chore waits for another, and each reports its own failure.
        let _ = self.prepare_coming();
        let sealed = match self.close_full(janitor) {
            Err(broken) if broken.kind() == ErrorKind::Damaged => return Ok(Round::Broken(broken)),
            sealed => sealed.unwrap_or(false),
        };
        let _ = self.look_at_disk();
        let _ = self.remove_dead(janitor);
        if self.compaction.is_pinned() {
            return Ok(Round::more_if(sealed));
        }
        match self.compaction_round(janitor, asked)? {
            Round::Idle => Ok(Round::more_if(sealed)),
            round => Ok(round),
        }
    }

    fn compaction_round(&self, janitor: &mut Janitor, asked: u64) -> Result<Round> {
        let began_ns = self.clock_ns();
        match janitor.oldest {
            Oldest::Stays => self.begin_with_oldest(janitor, asked),
            Oldest::Carrying(carrying) => {
                let more = self.attempt(Chore::Carry, || self.carry_some(janitor, carrying))?;
                if more {
                    self.end_compaction(began_ns);
                }
                Ok(Round::more_if(more))
            }
            Oldest::Dying(dying) => {
                if !self.journal.is_durable_for_janitor(dying.after_frame) {
                    return Ok(Round::Idle);
                }
                self.bury(dying)?;
                janitor.oldest = Oldest::Stays;
                janitor.archive_due_secs = 0;
                janitor.dead.push_back(dying.segment);
                self.compaction.note_dropped();
                self.end_compaction(began_ns);
                // Where it cannot be removed now, it will be.
                let _ = self.remove_dead(janitor);
                Ok(Round::Buried(dying.segment))
            }
        }
    }

    /// Begins with the oldest segment if it is to go; otherwise removes archives.
    fn begin_with_oldest(&self, janitor: &mut Janitor, asked: u64) -> Result<Round> {
        janitor.oldest = match self.plan(janitor, asked) {
            Plan::Nothing => {
                let expired = self.attempt(Chore::Expire, || self.expire_archives(janitor));
                return Ok(Round::more_if(expired.unwrap_or(false)));
            }
            Plan::Drop(segment) => Oldest::Dying(Dying {
                segment,
                after_frame: self.journal.last_used(),
            }),
            Plan::Carry(segment) => self.journal.with_tail(|tail| {
                let oldest = tail.census.oldest().filter(|head| head.number == segment);
                oldest.map_or(Oldest::Stays, |head| {
                    Oldest::Carrying(Carrying {
                        segment,
                        next_frame: head.first_frame,
                        end_frame: head.first_frame + u64::from(head.frames),
                    })
                })
            }),
        };
        Ok(Round::More)
    }

    /// Closes segments that take no further frame. Their frames are durable; until they are closed
    /// they stay in memory.
    fn close_full(&self, janitor: &mut Janitor) -> Result<bool> {
        janitor.full.extend(self.journal.take_full());
        let mut closed = false;
        while let Some(full) = janitor.full.front().copied() {
            self.attempt_io(Chore::Close, |log| log.seal(full.number))?;
            let leaving = self
                .journal
                .with_tail(|tail| tail.close_below(full.end_frame, WINDOW_BYTES));
            drop(leaving);
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

    /// Removes audit archives in which everything has expired, one at a time.
    fn expire_archives(&self, janitor: &mut Janitor) -> Result<bool> {
        let expired_secs = self.journal.with_tail(|tail| tail.census.now_secs());
        if expired_secs < janitor.archive_due_secs {
            return Ok(false);
        }
        janitor.archive_due_secs = self.expire_archive(expired_secs)?;
        Ok(janitor.archive_due_secs == 0)
    }

    fn plan(&self, janitor: &mut Janitor, asked: u64) -> Plan {
        // If it cannot be measured, the last value counts.
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
    pub(in crate::engine) fn short_frames(&self) -> u32 {
        self.options.segment_frames.min(SEGMENT_FRAMES_FIRST) / 2
    }
}
