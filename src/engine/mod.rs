//! The engine: the one place where state and journal meet.
//!
//! ```text
//! lock one shard -> decide (pure) -> Journal::append -> Shard::apply -> unlock -> wake -> wait for the commit
//! ```
//!
//! Lock order: the namespaces, one shard, then the tail of the journal. No I/O, waiting, waker or destructor of a
//! user runs under either; what has to be woken or dropped is carried out in an [`Aftermath`](aftermath::Aftermath).

pub(crate) mod acknowledgement;
pub(crate) mod aftermath;
pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod change;
pub(crate) mod checks;
pub(crate) mod cold_reads;
pub(crate) mod description;
pub(crate) mod engine;
pub(crate) mod intervene;
pub(crate) mod lifecycle;
pub(crate) mod list;
pub(crate) mod look;
pub(crate) mod metrics;
pub(crate) mod named;
pub(crate) mod namespaces;
pub(crate) mod options;
pub(crate) mod policies;
pub(crate) mod reads;
pub(crate) mod refusals;
pub(crate) mod salvaged;
mod shard_order;
pub(crate) mod shards;
pub(crate) mod sizes;
#[cfg(test)]
mod tests;
pub(crate) mod time;
pub(crate) mod tokens;
pub(crate) mod traces;
pub(crate) mod turn;
pub(crate) mod upkeep;
pub(crate) mod validation;
