//! [`Simulation`]: a run that one seed decides.

use std::fmt;
use std::future::Future;

use crate::sim::actor::Actor;
use crate::sim::ended::Ended;
use crate::sim::faults::Faults;
use crate::sim::report::Report;
use crate::sim::settings::Settings;
use crate::sim::world::World;
use crate::store::builder::Builder;
use crate::store::store::Store;
use crate::value::error::Result;

/// A run of a few hundred or thousand steps that one seed decides.
///
/// | setting | default |
/// | --- | --- |
/// | [`actors`](Self::actors) | 4 |
/// | [`steps`](Self::steps) | 2000 |
/// | [`faults`](Self::faults) | [`Faults::default`] |
/// | [`builder`](Self::builder) | 4 shards, segments of 16 frames |
///
/// # Examples
///
/// ```
/// use hapax::Policy;
/// use hapax::sim::Simulation;
///
/// let run = || {
///     Simulation::new(7).actors(2).steps(100).run(|actor| async move {
///         let mail = actor.store().namespace("mail", Policy::at_least_once())?;
///         mail.insert_async(actor.number().to_be_bytes()).await?;
///         Ok(())
///     })
/// };
/// assert_eq!(run().digest(), run().digest(), "a seed decides everything");
/// ```
#[must_use = "a simulation does nothing until it is run"]
pub struct Simulation {
    settings: Settings,
}

impl Simulation {
    /// Makes a simulation that this seed decides.
    pub fn new(seed: u64) -> Self {
        Self {
            settings: Settings::new(seed),
        }
    }

    /// The number of handlers that run at the same time.
    pub fn actors(mut self, actors: usize) -> Self {
        self.settings.actors = actors;
        self
    }

    /// The number of steps. After the last one the power is cut, and the store is opened twice more without a
    /// fault.
    pub fn steps(mut self, steps: u64) -> Self {
        self.settings.steps = steps;
        self
    }

    /// The faults, and their rates.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.settings.faults = faults;
        self
    }

    /// Cuts the power at the `change`-th call that changes the medium, counted from 1, with any
    /// faults. With [`Report::changes`] this visits every place at which a process can die.
    pub fn cut_power_at(mut self, change: u64) -> Self {
        self.settings.cut_at = Some(change);
        self
    }

    /// Sets options of the store, such as its durability. The log and the clock are the
    /// simulation's.
    pub fn builder(mut self, set: impl Fn(Builder) -> Builder + 'static) -> Self {
        self.settings.builder = Box::new(set);
        self
    }

    /// Calls `look` each time the store has been opened, before any actor uses it. Blocking calls are fine
    /// here.
    pub fn at_open(mut self, look: impl FnMut(&Store, Ended) + 'static) -> Self {
        self.settings.at_open = Box::new(look);
        self
    }

    /// Runs the simulation: calls `handler` again and again, for each actor, in each life.
    ///
    /// An error that a handler returns is counted; the handler must panic at what must not happen.
    ///
    /// # Panics
    /// When a handler or `at_open` does, when the store refuses to open after it was only crashed,
    /// and when an invariant of the store does not hold. The seed is printed.
    pub fn run<H, F>(self, handler: H) -> Report
    where
        H: Fn(Actor) -> F,
        F: Future<Output = Result<()>> + 'static,
    {
        World::new(self.settings, handler).run()
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seed", &self.settings.seed)
            .field("actors", &self.settings.actors)
            .field("steps", &self.settings.steps)
            .field("faults", &self.settings.faults)
            .finish_non_exhaustive()
    }
}
