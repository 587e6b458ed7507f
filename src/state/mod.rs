//! The state of keys: what each key is, who runs it, and what a claim, a command or a ticket leads to.
//! What comes in: keys by their digests, records, and the time as a parameter.
//! It is pure and deterministic: it knows no locks, clocks, threads or I/O, and not the journal.
//!
//! ```text
//!             claim                 complete
//!   (absent) -------> InProgress ------------> Completed --> (expired)
//!      ^                | ^  | `-- fail -----> Failed -----> (expired)
//!      | forget,        | |  |
//!      | expiry         | |  `- doubt, or at-most-once: drop, lapse, crash -> InDoubt
//!      |       release, | | claim                                               | complete, fail,
//!      `------------ Released <------------- resolve(NeverHappened) ------------+ resolve
//!                       (at-least-once: also drop)                              v
//!                                                                     Completed, Failed
//! ```
//!
//! A transition is *decided* here ([`transition`]), *appended* to the journal by the engine, and
//! *applied* here ([`Shard::apply`](shard::Shard::apply)), live and in recovery alike.

#[cfg(test)]
mod flood_tests;
pub(crate) mod found;
pub(crate) mod grant;
pub(crate) mod holder;
#[cfg(test)]
mod invariant_tests;
pub(crate) mod last_record;
mod leases;
pub(crate) mod ranked;
pub(crate) mod removal;
pub(crate) mod request;
pub(crate) mod running;
pub(crate) mod shard;
#[cfg(test)]
mod shard_tests;
pub(crate) mod slab;
pub(crate) mod slot;
pub(crate) mod table;
pub(crate) mod timers;
pub(crate) mod transition;
