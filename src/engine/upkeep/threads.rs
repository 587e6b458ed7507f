//! The threads: each is a loop around a `step`, so that one thread can run the whole engine.

use std::sync::Arc;

use crate::engine::engine::Engine;
use crate::engine::upkeep::timers::TICK_MS;
use crate::runtime::manual_clock::Observer;
use crate::runtime::sync::{Drive, Duty, JoinHandle, Signal, panicking, serve, spawn};
use crate::value::error::{Error, ErrorKind, Result};

/// The janitor looks at expiry and disk at least this often.
const JANITOR_MS: u64 = 1000;

/// The work of one thread: its round, and the signal that it sleeps at.
#[derive(Clone, Copy)]
struct Rounds {
    round: fn(&Engine),
    signal: fn(&Engine) -> &Signal,
    /// The work that is left once the store is closed.
    last: fn(&Engine),
}

const JOURNAL: Rounds = Rounds {
    round: Engine::journal_round,
    signal: |engine| &engine.journal.signal,
    last: |_| {},
};

const TIMER: Rounds = Rounds {
    round: Engine::timer_round,
    signal: |engine| &engine.alarm.signal,
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

/// Reports the end of a worker. A worker that panics is a bug of hapax; the store stops instead of going on
/// without it.
struct Ending<'a>(&'a Engine);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.workers.leave();
        self.0.workers.ended.raise();
        if panicking() {
            self.0.journal.poison(
                "a worker thread",
                &std::io::Error::other("it panicked, which is a bug of hapax"),
            );
        }
    }
}

impl Engine {
    /// Starts the threads; without them, a manual clock drives the steps.
    pub(crate) fn start(self: &Arc<Self>) -> Result<()> {
        #[cfg(feature = "sim")]
        if self.options.drive == Drive::Steps {
            return Ok(());
        }
        if let crate::runtime::clock::Clock::Manual(clock) = &self.time.clock {
            let engine: Arc<dyn Observer> = Arc::clone(self) as Arc<dyn Observer>;
            clock.observe(Arc::downgrade(&engine));
        }
        if self.lifecycle.is_read_only() {
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

    /// A store that is only read has no thread that writes; its time goes on.
    fn start_reading(self: &Arc<Self>) -> Result<()> {
        if let crate::runtime::clock::Clock::System(_) = &self.time.clock {
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
        self.workers.keep(handle);
        Ok(())
    }

    pub(in crate::engine) fn spawn(
        self: &Arc<Self>,
        name: &str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<JoinHandle<()>> {
        let engine = Arc::clone(self);
        self.workers.enter();
        let work = move || {
            let guard = Ending(&engine);
            run();
            drop(guard);
        };
        spawn(name, work).map_err(|error| {
            // It never ran, so there is no end to wait for.
            self.workers.leave();
            let text = format!(
                "starting the thread {name}: {error}: the store needs three threads of its own; raise the limit of this user or container"
            );
            Error::new(ErrorKind::Io, text).with_source(error)
        })
    }

    fn journal_round(&self) {
        self.journal.commit(self.time.mono_ms(), false);
        let due = self
            .journal
            .due_ms()
            .and_then(|at| self.time.clock.park_until(at));
        self.journal.signal.wait(due);
    }

    fn timer_round(&self) {
        // While the shards are looked at, a new deadline before the next tick raises the signal.
        let tick = self.time.mono_ms().saturating_add(TICK_MS);
        self.alarm.set(tick);
        let next = self.step_timer().min(tick);
        self.alarm.set(next);
        self.alarm.signal.wait(self.time.clock.park_until(next));
    }

    fn janitor_round_and_wait(&self) {
        while self.step_janitor() && !self.is_closed() {}
        let at = self.time.mono_ms().saturating_add(JANITOR_MS);
        let again = self.journal.retries.next_ms().unwrap_or(at);
        let next = self.time.clock.park_until(at.min(again));
        self.journal.janitor.signal.wait(next);
    }

    /// Does everything that is due, on this thread, as a manual clock demands when it has moved.
    pub(crate) fn step_all(&self) {
        self.step_timer();
        self.journal.commit(self.time.mono_ms(), false);
        while self.step_janitor() {
            self.journal.commit(self.time.mono_ms(), false);
        }
        (0..self.shards.len()).for_each(|index| self.sweep_shard(index));
    }

    pub(in crate::engine) fn wake_threads(&self) {
        self.journal.signal.raise();
        self.alarm.signal.raise();
        self.journal.janitor.raise();
    }
}
