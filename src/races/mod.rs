//! Races, as small models on shuttle: a few threads, and thousands of the orders in which they can
//! run. A thread that is never woken is a deadlock, which ends a model.
//!
//! ```text
//! ci/races shuttle                       all models
//! HAPAX_SCHEDULES=100000 ci/races ...    more schedules of each, for each scheduler
//! HAPAX_SEED=<number> ci/races ...       the same schedules again
//! HAPAX_SCHEDULE=<text> ci/races ...     the one schedule that a failure has printed
//! ```
//!
//! Every lock and atomic of the library is a point at which another thread may go on. Both stores
//! here have a [`MemoryLog`] and a [`ManualClock`]. One has the threads of a real store; in the
//! other the caller that moves the clock takes the steps.

mod claims;
mod closing;
mod commit;
mod compaction;
mod waiting;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

use crate::engine::engine::Engine;
use crate::engine::options::EngineOptions;
use crate::runtime::clock::Clock;
use crate::runtime::sync::Drive;
use crate::store::handle::StoreInner;
use crate::testing::{ManualClock, MemoryLog};
use crate::{Claim, ClaimOptions, Durability, Lease, Namespace, Policy, Store};

pub(crate) use shuttle::thread::{JoinHandle, spawn, yield_now};

const SECOND: Duration = Duration::from_secs(1);

/// Longer than any model runs.
const LONG: Duration = Duration::from_secs(3600);

/// Preemptions of a schedule of the second scheduler: most races need one or two.
const PREEMPTIONS: usize = 3;

/// Runs a model under many schedules: drawn at each step, and by threads with priorities.
fn explore(model: impl Fn() + Clone + Send + Sync + 'static) {
    if let Ok(schedule) = std::env::var("HAPAX_SCHEDULE") {
        let runner = Runner::new(
            shuttle::scheduler::ReplayScheduler::new_from_encoded(&schedule),
            config(),
        );
        runner.run(model);
        return;
    }
    let schedules = number("HAPAX_SCHEDULES").unwrap_or(2000);
    let seed = number("HAPAX_SEED").unwrap_or_else(|| {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one(0)
    });
    let schedules = usize::try_from(schedules).unwrap();
    println!("HAPAX_SEED={seed} HAPAX_SCHEDULES={schedules}");
    let random = RandomScheduler::new_from_seed(seed, schedules);
    Runner::new(random, config()).run(model.clone());
    let pct = PctScheduler::new_from_seed(seed, PREEMPTIONS, schedules);
    Runner::new(pct, config()).run(model);
}

fn number(variable: &str) -> Option<u64> {
    let given = std::env::var(variable).ok()?;
    Some(
        given
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={given} is not a number")),
    )
}

fn config() -> Config {
    let mut config = Config::new();
    // Without optimisation a claim takes more than the 60 KiB that are usual here.
    config.stack_size = 512 * 1024;
    // Every memory order counts as the strongest; Miri and ThreadSanitizer check the weaker ones.
    config.silence_warnings = true;
    config
}

/// What outlives a store: its medium and its clock.
#[derive(Clone)]
struct Bench {
    log: MemoryLog,
    clock: ManualClock,
}

impl Bench {
    fn new() -> Self {
        Self {
            log: MemoryLog::new(),
            clock: ManualClock::new(),
        }
    }

    /// A store without threads: the caller that waits for a commit carries it out.
    fn open(&self) -> Store {
        self.open_as(Durability::Sync, Drive::Clock)
    }

    /// A store with the threads of a real one.
    fn open_threads(&self) -> Store {
        self.open_as(Durability::Sync, Drive::Threads)
    }

    fn open_as(&self, durability: Durability, drive: Drive) -> Store {
        let options = EngineOptions {
            durability,
            shards: 1,
            max_offline: None,
            drive,
            ..EngineOptions::default()
        };
        let session = self.log.session().expect("no other store has the log open");
        let clock = Clock::Manual(self.clock.clone());
        let engine = Engine::open(Arc::new(session), clock, options).unwrap();
        let inner = Arc::new(StoreInner { engine });
        inner.engine.start().unwrap();
        Store::of(inner)
    }

    /// A store, once another thread has closed the log.
    fn open_when_free(&self) -> Store {
        while self.log.is_open() {
            yield_now();
        }
        self.open()
    }

    /// Cuts the power, and opens what is left.
    fn reopen_after_crash(&self) -> Store {
        self.log.crash();
        let store = self.open();
        store.validate();
        store
    }
}

fn at_least_once(store: &Store) -> Namespace {
    let policy = Policy::at_least_once().lease(SECOND);
    store.namespace("space", policy).unwrap()
}

fn at_most_once(store: &Store) -> Namespace {
    let policy = Policy::at_most_once().lease(SECOND);
    store.namespace("space", policy).unwrap()
}

fn granted(claim: Claim) -> Lease {
    match claim {
        Claim::Granted(lease) => lease,
        other => panic!("not granted: {other:?}"),
    }
}

/// A claim that waits for its key.
fn patient() -> ClaimOptions {
    ClaimOptions::new().wait(LONG).lease(LONG)
}

/// The response of a key that must be completed.
fn response(space: &Namespace, key: &str) -> Vec<u8> {
    match space.claim(key).unwrap() {
        Claim::Completed(answer) => answer.response().to_vec(),
        other => panic!("{key}: {other:?}"),
    }
}

/// Looks at a future once, as a task that is cancelled after that would.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => Some(output),
        Poll::Pending => {
            yield_now();
            None
        }
    }
}

fn join<T>(threads: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    let ended = threads.into_iter().map(|thread| thread.join().unwrap());
    ended.collect()
}
