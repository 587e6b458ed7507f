//! The callers: each claims and completes ever new keys, on its own schedule.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use hapax::{Claim, ClaimOptions, Namespace};

use crate::Failure;
use crate::args::Form;
use crate::executor::{self, Timer};
use crate::histogram::{Histogram, instant};
use crate::schedule::{Idle, Schedule};

/// The phase for which calls that end now count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    WarmUp,
    Quiet,
    Event,
    Over,
}

/// The phase that all threads are in.
#[derive(Debug, Default)]
pub(crate) struct Phases(AtomicU8);

impl Phases {
    const ALL: [Phase; 4] = [Phase::WarmUp, Phase::Quiet, Phase::Event, Phase::Over];

    pub(crate) fn now(&self) -> Phase {
        Self::ALL[usize::from(self.0.load(Ordering::Relaxed))]
    }

    pub(crate) fn enter(&self, phase: Phase) {
        let at = Self::ALL.iter().position(|each| *each == phase);
        let at = at.and_then(|at| u8::try_from(at).ok());
        // A thread that failed has ended all of them.
        self.0.fetch_max(at.unwrap_or_default(), Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.now() == Phase::Over
    }
}

/// How long the calls of one phase took.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// From when the claim was due.
    pub(crate) claims: Histogram,
    /// From when it was called.
    pub(crate) claim_calls: Histogram,
    pub(crate) completes: Histogram,
}

/// The moments of one pair.
#[derive(Clone, Copy, Debug)]
struct Pair {
    due: Instant,
    called: Instant,
    claimed: Instant,
    completed: Instant,
}

/// The measurements of the callers of a thread, or of a run.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) quiet: Tally,
    pub(crate) event: Tally,
}

impl Measured {
    fn add(&mut self, phase: Phase, pair: Pair) {
        let tally = match phase {
            Phase::Quiet => &mut self.quiet,
            Phase::Event => &mut self.event,
            Phase::WarmUp | Phase::Over => return,
        };
        tally.claims.add(pair.claimed - pair.due);
        tally.claim_calls.add(pair.claimed - pair.called);
        tally.completes.add(pair.completed - pair.claimed);
    }

    fn append(&mut self, other: &Self) {
        for (all, more) in [
            (&mut self.quiet, &other.quiet),
            (&mut self.event, &other.event),
        ] {
            all.claims.append(&more.claims);
            all.claim_calls.append(&more.claim_calls);
            all.completes.append(&more.completes);
        }
    }
}

/// The load of one run.
#[derive(Debug)]
pub(crate) struct Load<'a> {
    pub(crate) on: &'a Namespace,
    pub(crate) form: Form,
    pub(crate) callers: u64,
    /// Pairs a second, by all of them together.
    pub(crate) rate: u64,
    pub(crate) phases: &'a Phases,
}

pub(crate) const RESPONSE: [u8; 64] = [7; 64];

/// Threads of the async form: as many as serve a small service.
const ASYNC_THREADS: u64 = 2;

/// Enough for a call, and there may be many.
const STACK_BYTES: usize = 256 * 1024;

/// How often a caller without work checks whether the run is over.
const LOOK: Duration = Duration::from_millis(100);

/// No filler uses keys of this form: see `events.rs`.
fn key(number: u64, serial: u64) -> [u8; 16] {
    ((u128::from(number) << 64) | u128::from(serial)).to_be_bytes()
}

impl Load<'_> {
    /// Lets the callers go while `watch` runs, which leads through the phases.
    pub(crate) fn run<T>(
        &self,
        watch: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<(Measured, T), Failure> {
        let from = instant();
        let threads = match self.form {
            Form::Blocking => self.callers,
            Form::Async => self.callers.min(ASYNC_THREADS),
        };
        std::thread::scope(|scope| {
            let mut handles = Vec::new();
            for number in 0..threads {
                let name = format!("caller-{number}");
                let thread = std::thread::Builder::new()
                    .name(name)
                    .stack_size(STACK_BYTES);
                let spawned = thread.spawn_scoped(scope, move || {
                    let done = match self.form {
                        Form::Blocking => self.block(from, number),
                        Form::Async => self.poll(from, number, threads),
                    };
                    if done.is_err() {
                        self.phases.enter(Phase::Over);
                    }
                    done
                });
                if spawned.is_err() {
                    self.phases.enter(Phase::Over);
                }
                handles.push(spawned?);
            }
            let watched = watch();
            self.phases.enter(Phase::Over);
            let mut measured = Measured::default();
            for handle in handles {
                let own = handle.join().map_err(|_| "a caller panicked")?;
                measured.append(&own?);
            }
            Ok((measured, watched?))
        })
    }

    fn schedule(&self, from: Instant, number: u64) -> Schedule {
        Schedule::new(from, self.rate, self.callers, number)
    }

    /// One caller, on its own thread.
    fn block(&self, from: Instant, number: u64) -> Result<Measured, Failure> {
        let mut measured = Measured::default();
        let mut schedule = self.schedule(from, number);
        for serial in 0.. {
            let idle = self.park_until(schedule.due());
            if self.phases.is_over() {
                break;
            }
            let (due, called) = (schedule.take(idle), instant());
            let claim = self.on.claim(key(number, serial))?;
            let claimed = instant();
            let Claim::Granted(lease) = claim else {
                return Err(not_granted(&claim));
            };
            lease.complete(RESPONSE)?;
            let pair = Pair {
                due,
                called,
                claimed,
                completed: instant(),
            };
            measured.add(self.phases.now(), pair);
        }
        Ok(measured)
    }

    fn park_until(&self, due: Instant) -> Option<Idle> {
        let from = instant();
        let mut now = from;
        while now < due && !self.phases.is_over() {
            std::thread::park_timeout((due - now).min(LOOK));
            now = instant();
        }
        (now > from).then_some(Idle { from, until: now })
    }

    /// Every so-many-th caller, as futures on this thread.
    fn poll(&self, from: Instant, first: u64, threads: u64) -> Result<Measured, Failure> {
        let (timer, measured) = (Rc::new(Timer::default()), RefCell::default());
        let failed: RefCell<Option<Failure>> = RefCell::default();
        let caller = |number| {
            let (timer, measured, failed) = (Rc::clone(&timer), &measured, &failed);
            let task: std::pin::Pin<Box<dyn Future<Output = ()> + '_>> = Box::pin(async move {
                let done = self.call(&timer, from, number, measured).await;
                if let Err(error) = done {
                    self.phases.enter(Phase::Over);
                    failed.borrow_mut().get_or_insert(error);
                }
            });
            task
        };
        let step = usize::try_from(threads)?;
        let tasks = (first..self.callers).step_by(step).map(caller).collect();
        executor::run(&timer, tasks);
        match failed.into_inner() {
            Some(error) => Err(error),
            None => Ok(measured.into_inner()),
        }
    }

    /// One caller, as a future.
    async fn call(
        &self,
        timer: &Timer,
        from: Instant,
        number: u64,
        measured: &RefCell<Measured>,
    ) -> Result<(), Failure> {
        let mut schedule = self.schedule(from, number);
        for serial in 0.. {
            let idle = self.wait_until(timer, schedule.due()).await;
            if self.phases.is_over() {
                break;
            }
            let (due, called) = (schedule.take(idle), instant());
            let options = ClaimOptions::new();
            let claim = self.on.claim_async(key(number, serial), options).await?;
            let claimed = instant();
            let Claim::Granted(lease) = claim else {
                return Err(not_granted(&claim));
            };
            lease.complete_async(RESPONSE).await?;
            let pair = Pair {
                due,
                called,
                claimed,
                completed: instant(),
            };
            measured.borrow_mut().add(self.phases.now(), pair);
        }
        Ok(())
    }

    async fn wait_until(&self, timer: &Timer, due: Instant) -> Option<Idle> {
        loop {
            let next = due.min(instant() + LOOK);
            let idle = timer.until(next).await;
            if next == due || self.phases.is_over() {
                return idle;
            }
        }
    }
}

fn not_granted(claim: &Claim) -> Failure {
    format!("a new key is granted, but the answer was {claim:?}").into()
}
