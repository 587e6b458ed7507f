//! Deterministic simulation: a store, and the code that uses it, in one thread and from one seed.
//! What comes in: the seed, the settings and the handlers of a test.
//! It drives the real engine step by step, and knows nothing of how a key is decided.
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
//! There is one thread, so a handler uses the async form of a call that waits for *another caller* (a
//! claim with a wait, [`lost`](crate::Lease::lost)); a blocking form that would park says so. Blocking
//! forms that wait for the log only are fine: they commit by themselves, which leaves fewer orders of
//! events to find.
//!
//! For stores that several processes share there is a [`Server`] in memory, whose links fail as they are told to.

mod actor;
mod ended;
mod faults;
mod log;
mod reference;
mod report;
mod seeds;
mod settings;
mod simulation;
mod world;

pub use crate::sim::actor::Actor;
pub use crate::sim::ended::Ended;
pub use crate::sim::faults::{Fault, Faults};
pub use crate::sim::reference::{
    InFlight, Leg, LinkFault, LinkFaults, Mark, ReferenceBackend, Server, Skew,
};
pub use crate::sim::report::Report;
pub use crate::sim::seeds::each_seed;
pub use crate::sim::simulation::Simulation;
