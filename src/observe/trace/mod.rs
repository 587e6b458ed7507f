//! Spans and events for the `tracing` crate, at the edges of the store. `docs/tracing.md` lists them.
//! What comes in: decisions, their keys, and their numbers.
//! It decides nothing. A subscriber is foreign code: nothing here is called under a lock.
//!
//! Without the feature `tracing` every call here is empty.

mod decision;
#[cfg(not(feature = "tracing"))]
mod nothing;
#[cfg(feature = "tracing")]
mod spans;
mod subject;

pub(crate) use crate::observe::trace::decision::{Decision, Lapse};
#[cfg(not(feature = "tracing"))]
pub(crate) use crate::observe::trace::nothing::{
    Operation, accepted_salvage, ailing, compacted, decided, healed, lapsed, poisoned, recovered,
};
#[cfg(feature = "tracing")]
pub(crate) use crate::observe::trace::spans::{
    Operation, accepted_salvage, ailing, compacted, decided, healed, lapsed, poisoned, recovered,
};
pub(crate) use crate::observe::trace::subject::TraceSubject;
