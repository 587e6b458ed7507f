//! The state of keys: pure, deterministic, without locks, clocks or I/O; `now` is a parameter.
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
mod attach_tests;
#[cfg(test)]
mod flood_tests;
#[cfg(test)]
mod invariant_tests;
pub(crate) mod lapsed;
pub(crate) mod ranked;
pub(crate) mod running;
pub(crate) mod shard;
#[cfg(test)]
mod shard_tests;
pub(crate) mod slab;
pub(crate) mod slot;
mod table;
pub(crate) mod transition;

#[cfg(test)]
mod tests;
