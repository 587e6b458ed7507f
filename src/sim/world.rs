//! [`World`]: one running simulation.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fastrand::Rng;

use crate::runtime::manual_clock::ManualClock;
use crate::runtime::sync::simulated::Simulating;
use crate::sim::actor::{Actor, Shared, Task};
use crate::sim::ended::Ended;
use crate::sim::faults::Fault;
use crate::sim::log::{FaultyLog, ProcessEnd};
use crate::sim::report::Report;
use crate::sim::seeds::OnPanic;
use crate::sim::settings::Settings;
use crate::store::builder::Builder;
use crate::store::location::Location;
use crate::store::store::Store;
use crate::value::error::{ErrorKind, Result};

/// Steps between two recounts of the invariants.
const VALIDATE_STEPS: u64 = 64;

/// Time that passes unseen by the timers, at most: as for the threads of a real store.
const TIMER_LAG_MS: u64 = 100;

const DAY_SECS: i64 = 24 * 60 * 60;

pub(super) struct World<H> {
    settings: Settings,
    handler: H,
    random: Rng,
    shared: Rc<Shared>,
    log: FaultyLog,
    report: Report,
    traced: bool,
}

/// An open store, and the actors that use it.
struct Life {
    store: Store,
    tasks: Vec<Option<Task>>,
    timers_ms: u64,
    /// Steps left after the store has stopped acknowledging.
    steps_after_poison: Option<u64>,
    low_disk: bool,
}

impl<H, F> World<H>
where
    H: Fn(Actor) -> F,
    F: Future<Output = Result<()>> + 'static,
{
    pub(super) fn new(settings: Settings, handler: H) -> Self {
        let mut random = Rng::with_seed(settings.seed);
        let clock = ManualClock::new();
        let faults = settings.faults.clone();
        let log = FaultyLog::new(random.u64(..), faults, &clock, settings.cut_at);
        Self {
            shared: Rc::new(Shared::new(clock, random.u64(..))),
            settings,
            handler,
            random,
            log,
            report: Report::default(),
            traced: std::env::var_os("HAPAX_SIM_TRACE").is_some(),
        }
    }

    pub(super) fn run(mut self) -> Report {
        let _simulating = Simulating::enter();
        let printer = OnPanic(self.settings.seed);
        let mut ended = Ended::Never;
        while self.report.steps < self.settings.steps {
            if let Some(store) = self.open() {
                (self.settings.at_open)(&store, ended);
                ended = self.live(store);
                self.stay_down();
            } else {
                let end = self.log.end().unwrap_or(ProcessEnd::Kill);
                self.settle(end);
                // A store that was never made is not one whose end was clean.
                ended = match (ended, end) {
                    (_, ProcessEnd::PowerCut) => Ended::PowerCut,
                    (Ended::PowerCut, ProcessEnd::Kill) => Ended::PowerCut,
                    (_, ProcessEnd::Kill) => Ended::Killed,
                };
            }
        }
        self.finish(ended);
        drop(printer);
        self.report.changes = self.log.changes();
        self.report.digest ^= self.log.digest();
        self.report
    }

    /// Two more lives without a fault: what is there after the first one is there after the second.
    fn finish(&mut self, mut ended: Ended) {
        self.log.heal();
        for _ in 0..2 {
            let store = self.open().expect("nothing goes wrong any more");
            (self.settings.at_open)(&store, ended);
            store.validate();
            store
                .verify()
                .expect("what was only crashed is not damaged");
            self.count_compaction(&store);
            store.close().expect("nothing goes wrong any more");
            drop(store);
            self.settle(ProcessEnd::PowerCut);
            ended = Ended::Closed;
        }
    }

    fn trace(&self, what: impl FnOnce() -> String) {
        if self.traced {
            eprintln!(
                "{:>6} {:>10} ms  {}",
                self.report.steps,
                self.shared.mono_ms(),
                what()
            );
        }
    }

    /// Opens the store; `None` when a fault has come between.
    fn open(&mut self) -> Option<Store> {
        self.report.steps += 1;
        let injected = self.log.injected();
        let mut opened = self.builder().open();
        if opened
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::ClockJump)
        {
            opened = self.builder().accept_clock_jump().open();
        }
        match opened {
            Ok(store) => {
                self.report.lives += 1;
                self.trace(|| "opened".to_owned());
                Some(store)
            }
            Err(error) => {
                self.trace(|| format!("not opened: {error}"));
                let faulty = self.log.injected() > injected;
                assert!(
                    faulty,
                    "a store that was only crashed does not open: {error}"
                );
                assert_ne!(
                    error.kind(),
                    ErrorKind::Damaged,
                    "a crash is not damage: {error}"
                );
                self.report.failed_opens += 1;
                None
            }
        }
    }

    fn builder(&mut self) -> Builder {
        let place = Location::Simulated(Arc::new(self.log.session()), self.random.u64(..));
        let builder = Builder::new(place).clock(&self.shared.clock);
        (self.settings.builder)(builder.shards(4).segment_frames(16))
    }

    /// One life of the process.
    fn live(&mut self, store: Store) -> Ended {
        let mut life = Life {
            store,
            tasks: (0..self.settings.actors).map(|_| None).collect(),
            timers_ms: self.shared.mono_ms(),
            steps_after_poison: None,
            low_disk: false,
        };
        let ended = loop {
            self.report.steps += 1;
            if self.report.steps >= self.settings.steps {
                break self.end(life, ProcessEnd::PowerCut);
            }
            if let Some(end) = self.log.end() {
                break self.end(life, end);
            }
            if let Some(end) = self.strike(&mut life) {
                break self.end(life, end);
            }
            if self.is_over(&mut life) {
                let end = if self.random.bool() {
                    ProcessEnd::Kill
                } else {
                    ProcessEnd::PowerCut
                };
                break self.end(life, end);
            }
            if self.strikes(Fault::Restart) {
                break self.restart(life);
            }
            self.step(&mut life);
            if self.report.steps % VALIDATE_STEPS == 0 {
                life.store.validate();
            }
        };
        self.trace(|| format!("ended: {ended:?}"));
        ended
    }

    fn strikes(&mut self, fault: Fault) -> bool {
        self.settings.faults.strikes(fault, &mut self.random)
    }

    /// A poisoned store goes on for a while, to see that it acknowledges nothing.
    fn is_over(&mut self, life: &mut Life) -> bool {
        if !life.store.engine().journal.is_poisoned() {
            return false;
        }
        match &mut life.steps_after_poison {
            None => {
                self.trace(|| "poisoned".to_owned());
                self.report.poisoned += 1;
                life.steps_after_poison = Some(self.random.u64(0..40));
                false
            }
            Some(0) => true,
            Some(steps) => {
                *steps -= 1;
                false
            }
        }
    }

    /// What goes wrong between two steps.
    fn strike(&mut self, life: &mut Life) -> Option<ProcessEnd> {
        // Rarer than within a call of the log: most steps do not call it.
        for (fault, end) in [
            (Fault::PowerCut, ProcessEnd::PowerCut),
            (Fault::Kill, ProcessEnd::Kill),
        ] {
            if self.random.u8(0..4) == 0 && self.strikes(fault) {
                return Some(end);
            }
        }
        if self.strikes(Fault::ClockStep) {
            let reach = if self.random.bool() {
                3600
            } else {
                3 * DAY_SECS
            };
            let by = self.random.i64(-reach..=reach);
            self.trace(|| format!("the wall clock is stepped by {by} s"));
            self.shared.clock.step_wall(by);
        }
        let turns = if life.low_disk {
            self.random.u8(0..50) == 0
        } else {
            self.strikes(Fault::LowDisk)
        };
        if turns {
            life.low_disk = !life.low_disk;
            self.log.set_low_disk(life.low_disk);
        }
        if self.strikes(Fault::Cancel) {
            let at = self.random.usize(0..life.tasks.len().max(1));
            if let Some(task) = life.tasks.get_mut(at).and_then(Option::take) {
                self.trace(|| format!("actor {at} gives up"));
                self.report.cancelled += 1;
                drop(task);
            }
        }
        None
    }

    /// One step of a handler, of the workers of the store, or of time.
    fn step(&mut self, life: &mut Life) {
        let engine = life.store.engine();
        match self.random.u8(0..100) {
            0..62 => self.poll_one(life),
            62..76 => engine.journal.commit(self.shared.mono_ms(), false),
            76..84 => self.run_timers(life),
            84..92 => {
                engine.step_janitor();
            }
            _ => self.pass_time(life),
        }
    }

    fn run_timers(&self, life: &mut Life) {
        life.store.engine().step_timer();
        life.timers_ms = self.shared.mono_ms();
    }

    /// Mostly milliseconds, sometimes an hour.
    fn pass_time(&mut self, life: &mut Life) {
        let reach = 1_u64 << self.random.u32(0..23);
        let by_ms = self.random.u64(0..reach) + 1;
        self.trace(|| format!("{by_ms} ms pass"));
        self.shared.clock.advance(Duration::from_millis(by_ms));
        self.shared.wake_sleepers();
        if self.shared.mono_ms() > life.timers_ms + TIMER_LAG_MS {
            self.run_timers(life);
        }
    }

    /// Lets one ready actor go on; starts a new handler where one has finished.
    fn poll_one(&mut self, life: &mut Life) {
        // A slow write may have moved the clock.
        self.shared.wake_sleepers();
        let ready: Vec<usize> = (0..life.tasks.len())
            .filter(|at| life.tasks[*at].as_ref().is_none_or(Task::is_woken))
            .collect();
        let Some(at) = self.random.choice(ready) else {
            return self.pass_time(life);
        };
        let task = life.tasks[at].get_or_insert_with(|| {
            let actor = Actor {
                number: at,
                round: self.report.finished + self.report.cancelled,
                store: life.store.clone(),
                shared: Rc::clone(&self.shared),
            };
            Task::new((self.handler)(actor))
        });
        if let Poll::Ready(result) = task.poll() {
            self.report.finished += 1;
            if let Err(error) = result {
                self.trace(|| format!("actor {at} answers {error}"));
                self.report.errors += 1;
            }
            life.tasks[at] = None;
        }
    }

    /// The process is gone, with all that it had in memory.
    fn end(&mut self, life: Life, end: ProcessEnd) -> Ended {
        self.count_compaction(&life.store);
        self.settle(end);
        // From here on their calls reach nothing.
        drop(life);
        match end {
            ProcessEnd::PowerCut => {
                self.report.power_cuts += 1;
                Ended::PowerCut
            }
            ProcessEnd::Kill => {
                self.report.kills += 1;
                Ended::Killed
            }
        }
    }

    /// A clean end: what was closed without an error survives even a power cut.
    fn restart(&mut self, life: Life) -> Ended {
        self.count_compaction(&life.store);
        self.report.restarts += 1;
        if self.random.bool() {
            let closed = life.store.close();
            drop(life);
            if closed.is_ok() {
                self.settle(ProcessEnd::PowerCut);
                return Ended::Closed;
            }
        } else {
            drop(life);
        }
        let end = self.log.end().unwrap_or(ProcessEnd::Kill);
        self.settle(end);
        match end {
            ProcessEnd::PowerCut => Ended::PowerCut,
            ProcessEnd::Kill => Ended::Killed,
        }
    }

    fn settle(&mut self, end: ProcessEnd) {
        self.log.set_low_disk(false);
        self.log.settle(end);
    }

    fn count_compaction(&mut self, store: &Store) {
        let compaction = &store.engine().compaction;
        self.report.segments_dropped += compaction.segments_dropped();
        self.report.records_carried += compaction.records_carried();
    }

    /// Time passes while nothing runs, and the wall clock may be wrong afterwards.
    fn stay_down(&mut self) {
        let reach = 1_u64 << self.random.u32(0..26);
        let by_ms = self.random.u64(0..reach);
        self.shared.clock.advance(Duration::from_millis(by_ms));
        if self.settings.faults.has(Fault::ClockStep) && self.random.u8(0..6) == 0 {
            let days = self.random.i64(-400..=400);
            self.trace(|| format!("the wall clock is stepped by {days} days"));
            self.shared.clock.step_wall(days * DAY_SECS);
        }
    }
}
