//! A step of the timers: store time, lapses, waits, and a part of the sweep.

use crate::engine::call::waiter::WaitEnd;
use crate::engine::engine::Engine;
use crate::state::timers::Timer;

/// Keys that expired while the store was closed are kept in the first minutes after open, when the clock is
/// least certain.
pub(crate) const GRACE_MS: u64 = 2 * 60 * 1000;

/// Store time is brought forward at least this often.
pub(in crate::engine) const TICK_MS: u64 = 100;

impl Engine {
    /// Lets the counts of dying records follow store time, once the store has run for a while.
    pub(crate) fn expire_counts(&self, store_secs: u32, mono_ms: u64) {
        if mono_ms.saturating_sub(self.opened.at_ms) >= GRACE_MS {
            self.journal
                .with_tail(|tail| tail.census.advance(store_secs));
        }
    }

    /// One step of the timers: store time, lapses, waits, and a part of the sweep. Returns the moment of the
    /// next deadline.
    pub(crate) fn step_timer(&self) -> u64 {
        let mono_ms = self.time.mono_ms();
        self.journal.watch(mono_ms);
        let tell = |store_ms| self.journal.set_store_ms(store_ms);
        let store_secs = self.time.follow(mono_ms, tell);
        self.expire_counts(store_secs, mono_ms);
        let expired_secs = self.journal.with_tail(|tail| tail.census.now_secs());
        let next = self.fire_timers(expired_secs);
        self.sweep_one(mono_ms);
        next
    }

    fn fire_timers(&self, expired_secs: u32) -> u64 {
        let mut next = u64::MAX;
        let mut due = Vec::new();
        let samples = self.takes_sample();
        for index in 0..self.shards.len() {
            let mut turn = self.turn_at(index);
            turn.shard.let_expire(expired_secs);
            turn.shard.due(turn.now, &mut due);
            for timer in due.drain(..) {
                match timer {
                    Timer::Lease(at) => turn.lapse(at),
                    Timer::Wait(waiter) => turn.aftermath.deliver(&waiter, WaitEnd::TimedOut),
                }
            }
            next = next.min(turn.shard.next_due_ms().unwrap_or(u64::MAX));
            let mut aftermath = turn.release();
            if samples {
                self.shards.time_next(index);
            }
            self.tell_lapses(&mut aftermath);
        }
        next
    }

    /// Drops the expired keys of one shard, so that a sweep never stops the store.
    fn sweep_one(&self, mono_ms: u64) {
        if !self.lifecycle.is_read_only() && self.sweep.take_marks(mono_ms) {
            self.journal.touch_marks(mono_ms);
        }
        if let Some(index) = self.sweep.take_shard(mono_ms, self.shards.len()) {
            self.sweep_shard(index);
        }
    }

    pub(in crate::engine) fn sweep_shard(&self, index: usize) {
        let durable = self.journal.durable();
        let mut from = Some(0);
        while let Some(word) = from {
            from = self.shards.lock_at(index).sweep_piece(word, durable);
        }
    }
}
