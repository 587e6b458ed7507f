//! The threads: each is a loop around a `step`, so that one thread can run the whole engine.

use std::sync::Arc;

use crate::engine::call::waiting::{Outcome, deliver};
use crate::engine::{Aftermath, Engine};
use crate::runtime::manual_clock::Observer;
use crate::runtime::patience::Patience;
use crate::runtime::sync::{
    Drive, Duty, JoinHandle, Ordering, Signal, is_this_thread, panicking, serve, spawn,
};
use crate::state::shard::Timer;
use crate::value::error::{Error, ErrorKind, Result};

/// Store time is brought forward at least this often.
const TICK_MS: u64 = 100;

/// The janitor looks at expiry and disk at least this often.
const JANITOR_MS: u64 = 1000;

/// An idle store writes the time into its marks this often.
const IDLE_MARKS_MS: u64 = 60 * 1000;

/// What one of the threads does: a round of it, and the signal that it sleeps at.
#[derive(Clone, Copy)]
struct Rounds {
    round: fn(&Engine),
    signal: fn(&Engine) -> &Signal,
    /// What is left to do once the store is closed.
    last: fn(&Engine),
}

const JOURNAL: Rounds = Rounds {
    round: Engine::journal_round,
    signal: |engine| &engine.journal.signal,
    last: |_| {},
};

const TIMER: Rounds = Rounds {
    round: Engine::timer_round,
    signal: |engine| &engine.timer,
    last: |_| {},
};

const JANITOR: Rounds = Rounds {
    round: Engine::janitor_round_and_wait,
    signal: |engine| &engine.journal.janitor.signal,
    last: Engine::serve_reads,
};

struct Worker {
    engine: Arc<Engine>,
    rounds: Rounds,
}

impl Duty for Worker {
    fn round(&self) {
        (self.rounds.round)(&self.engine);
    }

    fn nudge(&self) {
        (self.rounds.signal)(&self.engine).raise();
    }
}

/// The threads of an engine.
#[derive(Debug, Default)]
pub(crate) struct Workers {
    handles: Vec<JoinHandle<()>>,
    /// What closing the journal came to.
    closed: Option<Result<()>>,
    /// The shard that is swept next.
    sweep_next: usize,
    swept_ms: u64,
    marks_touched_ms: u64,
}

impl Engine {
    /// Starts the threads; without them, a manual clock drives the steps.
    pub(crate) fn start(self: &Arc<Self>) -> Result<()> {
        #[cfg(feature = "sim")]
        if self.options.drive == Drive::Steps {
            return Ok(());
        }
        if let crate::runtime::clock::Clock::Manual(clock) = &self.clock {
            let engine: Arc<dyn Observer> = Arc::clone(self) as Arc<dyn Observer>;
            clock.observe(Arc::downgrade(&engine));
        }
        if self.read_only {
            return self.start_reading();
        }
        if self.options.drive != Drive::Threads {
            return Ok(());
        }
        for (name, duty) in [
            ("hapax-journal", JOURNAL),
            ("hapax-timer", TIMER),
            ("hapax-janitor", JANITOR),
        ] {
            self.start_worker(name, duty)?;
        }
        Ok(())
    }

    /// A store that is only read has none that writes; time goes on for it.
    fn start_reading(self: &Arc<Self>) -> Result<()> {
        if let crate::runtime::clock::Clock::System(_) = &self.clock {
            self.start_worker("hapax-timer", TIMER)?;
        }
        Ok(())
    }

    fn start_worker(self: &Arc<Self>, name: &str, rounds: Rounds) -> Result<()> {
        let engine = Arc::clone(self);
        let handle = self.spawn(name, move || {
            let worker = Worker {
                engine: Arc::clone(&engine),
                rounds,
            };
            serve(Arc::new(worker), || !engine.is_closed());
            (rounds.last)(&engine);
        })?;
        self.workers.lock().handles.push(handle);
        Ok(())
    }

    fn spawn(
        self: &Arc<Self>,
        name: &str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<JoinHandle<()>> {
        let engine = Arc::clone(self);
        self.running_workers.fetch_add(1, Ordering::AcqRel);
        let work = move || {
            let guard = Ending(&engine);
            run();
            drop(guard);
        };
        spawn(name, work).map_err(|error| {
            // It never ran, so nobody is to wait for its end.
            self.running_workers.fetch_sub(1, Ordering::AcqRel);
            let text = format!(
                "starting the thread {name}: {error}: the store needs three threads of its own; raise the limit of this user or container"
            );
            Error::new(ErrorKind::Io, text).with_source(error)
        })
    }

    fn journal_round(&self) {
        self.journal.commit(self.clock.mono_ms(), false);
        let due = self
            .journal
            .due_ms()
            .and_then(|at| self.clock.park_until(at));
        self.journal.signal.wait(due);
    }

    fn timer_round(&self) {
        // While the shards are looked at, a new deadline before the next tick raises the signal.
        let tick = self.clock.mono_ms().saturating_add(TICK_MS);
        self.next_timer_ms.store(tick, Ordering::Relaxed);
        let next = self.step_timer().min(tick);
        self.next_timer_ms.store(next, Ordering::Relaxed);
        self.timer.wait(self.clock.park_until(next));
    }

    fn janitor_round_and_wait(&self) {
        while self.step_janitor() && !self.is_closed() {}
        let at = self.clock.mono_ms().saturating_add(JANITOR_MS);
        let again = self.journal.retries.next_ms().unwrap_or(at);
        let next = self.clock.park_until(at.min(again));
        self.journal.janitor.wait(next);
    }

    /// One step of the timers: store time, lapses, waits, and a part of the sweep. Gives the
    /// moment of the next deadline.
    pub(crate) fn step_timer(&self) -> u64 {
        let mono_ms = self.clock.mono_ms();
        self.journal.watch(mono_ms);
        let store_secs = {
            let mut time = self.store_time.lock();
            time.follow(mono_ms, self.clock.wall_ms());
            self.journal.set_store_ms(time.store_ms());
            time.store_secs()
        };
        self.store_secs.fetch_max(store_secs, Ordering::Relaxed);
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
            let mut aftermath = Aftermath::default();
            let mut shard = self.shards.lock_at(index);
            let now = self.now();
            shard.let_expire(expired_secs);
            shard.due(now, &mut due);
            for timer in due.drain(..) {
                match timer {
                    Timer::Lease(at) => self.lapse(&mut shard, at, now, &mut aftermath),
                    Timer::Wait(waiter) => {
                        deliver(&waiter, Outcome::TimedOut, &mut aftermath);
                    }
                }
            }
            next = next.min(shard.next_due_ms().unwrap_or(u64::MAX));
            drop(shard);
            if samples {
                self.shards.time_next(index);
            }
            self.tell_lapses(&mut aftermath);
            aftermath.carry_out();
        }
        next
    }

    /// Lets one shard let go of its expired keys, so that a sweep never stops the store.
    fn sweep_one(&self, mono_ms: u64) {
        let mut workers = self.workers.lock();
        let marks_are_due = mono_ms.saturating_sub(workers.marks_touched_ms) >= IDLE_MARKS_MS;
        if marks_are_due && !self.read_only {
            workers.marks_touched_ms = mono_ms;
            self.journal.touch_marks(mono_ms);
        }
        if mono_ms < workers.swept_ms.saturating_add(TICK_MS) {
            return;
        }
        workers.swept_ms = mono_ms;
        let index = workers.sweep_next % self.shards.len();
        workers.sweep_next = index + 1;
        drop(workers);
        self.sweep(index);
    }

    fn sweep(&self, index: usize) {
        let durable = self.journal.durable();
        self.shards.lock_at(index).sweep(durable);
    }

    /// Everything that is due, on this thread: what a manual clock does when it has moved.
    pub(crate) fn step_all(&self) {
        self.step_timer();
        self.journal.commit(self.clock.mono_ms(), false);
        while self.step_janitor() {
            self.journal.commit(self.clock.mono_ms(), false);
        }
        (0..self.shards.len()).for_each(|index| self.sweep(index));
    }

    /// Ends the store: leases are closed, everything is made durable, the threads are joined.
    pub(crate) fn close(self: &Arc<Self>) -> Result<()> {
        if self.is_forked() {
            // The parent goes on; a fork has nothing to close, and none of the threads.
            return self.check_alive();
        }
        if self.closed.swap(true, Ordering::AcqRel) {
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

    /// Closes the journal on a thread of its own, since nobody watches over its writes any more:
    /// it too is given up when it is stuck.
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
        let closed = self.workers.lock().closed.take();
        // Without a result it has panicked, and the store is poisoned.
        Ok(closed.unwrap_or_else(|| self.journal.check()))
    }

    fn run_close(&self) {
        let closed = self.journal.close(self.clock.mono_ms());
        self.workers.lock().closed = Some(closed);
    }

    /// Wakes everyone who waits for a key or watches a lease: they find the store closed. Grants on
    /// their way are taken back, before the last commit: a caller that waits for one is refused, so it must
    /// not count. Takes the lock of every shard: who held it before is committed, who comes later is
    /// refused.
    fn end_leases(&self) {
        for index in 0..self.shards.len() {
            let mut aftermath = Aftermath::default();
            let mut shard = self.shards.lock_at(index);
            let now = self.now();
            for at in shard.running_refs() {
                let Some(running) = shard.get_mut(at) else {
                    continue;
                };
                aftermath.wakes.extend(running.rest.take_watchers());
                for waiter in running.rest.take_waiters() {
                    deliver(&waiter, Outcome::Again, &mut aftermath);
                }
                if running.holder.undelivered {
                    self.take_back(&mut shard, at, now, &mut aftermath);
                }
            }
            drop(shard);
            aftermath.carry_out();
        }
    }

    fn wake_threads(&self) {
        self.journal.signal.raise();
        self.timer.raise();
        self.journal.janitor.raise();
    }

    /// Ends the threads; gives how many cannot end before this call does.
    fn stop_threads(&self) -> std::io::Result<usize> {
        self.wake_threads();
        let handles = std::mem::take(&mut self.workers.lock().handles);
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
        let mut patience = Patience::new(self.clock.mono_ms());
        while self.running_workers.load(Ordering::Acquire) > own {
            let now_ms = self.clock.mono_ms();
            let left_ms = limit_ms.saturating_sub(patience.look(now_ms));
            if left_ms == 0 {
                let text = format!(
                    "a thread of the store gave no answer for {:?}",
                    self.options.write_deadline
                );
                return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, text));
            }
            let next_ms = now_ms.saturating_add(left_ms.min(TICK_MS));
            self.ended.wait(self.clock.park_until(next_ms));
        }
        Ok(())
    }
}

impl Observer for Engine {
    fn clock_moved(&self) {
        if self.is_closed() {
            return;
        }
        match self.options.drive {
            Drive::Threads => self.wake_threads(),
            Drive::Clock => self.step_all(),
            #[cfg(feature = "sim")]
            Drive::Steps => {}
        }
    }
}

/// Says that a worker has ended. One that panics is a bug of ours; the store stops instead of going
/// on without it.
struct Ending<'a>(&'a Engine);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.running_workers.fetch_sub(1, Ordering::AcqRel);
        self.0.ended.raise();
        if panicking() {
            self.0.journal.poison(
                "a worker thread",
                &std::io::Error::other("it panicked, which is a bug of hapax"),
            );
        }
    }
}
