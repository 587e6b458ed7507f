//! Deterministic simulation: a store, and the code that uses it, in one thread and from one seed.
//!
//! The real engine runs here on a log that lives in memory and misbehaves. Several actors work on
//! one store; the simulation decides from the seed who goes on, when time passes, when a commit,
//! a timer or the compaction does its step, and what goes wrong: power cuts and kills between any
//! two steps and within every write, lost and torn writes, failed ones, slow ones, wrong clocks, restarts,
//! callers that give up. A seed that fails once fails each time.
//!
//! Use it to find out what *your* handlers do when the process dies between the effect and
//! [`complete`](crate::Lease::complete).
//!
//! ```
//! use std::cell::RefCell;
//! use std::rc::Rc;
//! use std::time::Duration;
//! use hapax::sim::{self, Simulation};
//! use hapax::{Claim, Policy};
//!
//! sim::each_seed(20, |seed| {
//!     // The world outside: a crash of the process does not touch it.
//!     let charged = Rc::new(RefCell::new(vec![0; 4]));
//!     let ledger = Rc::clone(&charged);
//!     Simulation::new(seed).actors(3).steps(400).run(move |actor| {
//!         let charged = Rc::clone(&charged);
//!         async move {
//!             // Clocks are wrong by months here: an answer that expires is a key that runs again.
//!             let policy = Policy::at_most_once().retention(Duration::from_secs(10 * 365 * 86_400));
//!             let pay = actor.store().namespace("pay", policy)?;
//!             let order = actor.below(4);
//!             let claim = pay.claim_async(order.to_be_bytes(), Default::default()).await?;
//!             if let Claim::Granted(lease) = claim {
//!                 actor.pause().await;
//!                 charged.borrow_mut()[order as usize] += 1;
//!                 actor.pause().await;
//!                 lease.complete_async("paid").await?;
//!             }
//!             Ok(())
//!         }
//!     });
//!     assert!(ledger.borrow().iter().all(|times| *times <= 1), "charged twice");
//! });
//! ```
//!
//! There is one thread, so a handler uses the async form of a call that waits for *somebody else*
//! (a claim with a wait, [`lost`](crate::Lease::lost)); a blocking form that would park says so. Blocking
//! forms that wait for the log only are fine: they commit by themselves, which leaves fewer
//! orders of events to find.

mod actor;
mod faults;
mod log;
mod world;

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use crate::runtime::sync::panicking;
pub use crate::sim::actor::Actor;
pub use crate::sim::faults::{Fault, Faults};
use crate::sim::world::World;
use crate::store::builder::Builder;
use crate::store::store::Store;
use crate::value::error::Result;

/// How the life before has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ended {
    /// There was none: the medium was empty.
    Never,
    /// The store was closed, and said that everything is durable.
    Closed,
    /// The process was killed, or its store went without a good word.
    Killed,
    /// The power was cut.
    PowerCut,
}

type AtOpen = dyn FnMut(&Store, Ended);

/// A run of a few hundred or thousand steps, all of it decided by one seed.
///
/// | setting | default |
/// | --- | --- |
/// | [`actors`](Self::actors) | 4 |
/// | [`steps`](Self::steps) | 2000 |
/// | [`faults`](Self::faults) | [`Faults::default`] |
/// | [`builder`](Self::builder) | 4 shards, segments of 16 frames |
#[must_use = "a simulation does nothing until it is run"]
pub struct Simulation {
    seed: u64,
    actors: usize,
    steps: u64,
    faults: Faults,
    cut_at: Option<u64>,
    builder: Box<dyn Fn(Builder) -> Builder>,
    at_open: Box<AtOpen>,
}

impl Simulation {
    /// A simulation that this seed decides.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            actors: 4,
            steps: 2000,
            faults: Faults::default(),
            cut_at: None,
            builder: Box::new(|builder| builder),
            at_open: Box::new(|_, _| {}),
        }
    }

    /// How many handlers are under way at the same time.
    pub fn actors(mut self, actors: usize) -> Self {
        self.actors = actors;
        self
    }

    /// How many steps it takes; after the last one the power is cut, and the store is opened twice
    /// more without a fault.
    pub fn steps(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }

    /// What goes wrong, and how often.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Cuts the power at the `change`-th call that changes the medium, counted from 1, whatever the
    /// faults are. With [`Report::changes`] this visits every place at which a process can die.
    pub fn cut_power_at(mut self, change: u64) -> Self {
        self.cut_at = Some(change);
        self
    }

    /// Sets options of the store, such as its durability. The log and the clock are the
    /// simulation's.
    pub fn builder(mut self, set: impl Fn(Builder) -> Builder + 'static) -> Self {
        self.builder = Box::new(set);
        self
    }

    /// Looks at the store each time it has been opened, before any actor does. Blocking calls are
    /// at home here.
    pub fn at_open(mut self, look: impl FnMut(&Store, Ended) + 'static) -> Self {
        self.at_open = Box::new(look);
        self
    }

    /// Runs it: `handler` is called over and over again, for each actor, in each life.
    ///
    /// An error that a handler answers is counted; it is for the handler to say, by a panic, what
    /// must not happen.
    ///
    /// # Panics
    /// When a handler or `at_open` does, when the store refuses to open after it was only crashed,
    /// and when an invariant of the store does not hold. The seed is printed.
    pub fn run<H, F>(self, handler: H) -> Report
    where
        H: Fn(Actor) -> F,
        F: Future<Output = Result<()>> + 'static,
    {
        World::new(self, handler).run()
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seed", &self.seed)
            .field("actors", &self.actors)
            .field("steps", &self.steps)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

macro_rules! report {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a simulation has met.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct Report {
            $(pub(super) $name: u64,)*
        }

        impl Report {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(&self) -> u64 {
                self.$name
            })*

            /// Adds what another simulation has met; digests are combined.
            pub fn add(&mut self, other: &Self) {
                let digest = self.digest.rotate_left(1) ^ other.digest;
                $(self.$name = self.$name.wrapping_add(other.$name);)*
                self.digest = digest;
            }
        }
    };
}

report! {
    /// Steps that were taken.
    steps,
    /// Times that the store was opened.
    lives,
    /// Opens that a fault has ended.
    failed_opens,
    /// Power cuts.
    power_cuts,
    /// Kills of the process.
    kills,
    /// Times that the store was closed, or dropped, and opened again.
    restarts,
    /// Times that the store stopped acknowledging after a failed write.
    poisoned,
    /// Handlers that ran to their end.
    finished,
    /// Of those, handlers that answered an error.
    errors,
    /// Handlers that were dropped where they waited, crashes not counted.
    cancelled,
    /// Calls that changed the medium.
    changes,
    /// Segments that compaction has dropped.
    segments_dropped,
    /// Records that compaction has carried.
    records_carried,
    /// A digest of the whole run: equal for equal seeds, handlers and versions.
    digest,
}

/// Runs `one` for many seeds: `count` of them, or what the environment says.
///
/// `HAPAX_SIM_SEEDS` is how many; `HAPAX_SIM_FIRST` is the first of them, drawn at random where it is
/// not given; `HAPAX_SIM_SEED` is the only one, to repeat a failure.
///
/// # Panics
/// When `one` does, or a variable is no number. The seed is printed to standard error.
pub fn each_seed(count: u64, mut one: impl FnMut(u64)) {
    for seed in seeds(count) {
        let printer = OnPanic(seed);
        one(seed);
        drop(printer);
    }
}

fn seeds(count: u64) -> Range<u64> {
    let number = |name: &str| {
        std::env::var(name).ok().map(|text| {
            text.parse::<u64>()
                .unwrap_or_else(|_| panic!("{name} is no number: {text}"))
        })
    };
    if let Some(seed) = number("HAPAX_SIM_SEED") {
        return seed..seed + 1;
    }
    let count = number("HAPAX_SIM_SEEDS").unwrap_or(count);
    let first = number("HAPAX_SIM_FIRST").unwrap_or_else(|| RandomState::new().hash_one(0) >> 16);
    first..first + count
}

/// Names the seed of a simulation that fails.
struct OnPanic(u64);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if panicking() {
            eprintln!(
                "the simulation has failed; HAPAX_SIM_SEED={} repeats it",
                self.0
            );
        }
    }
}
