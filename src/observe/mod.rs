//! What a store shows of itself: counters, metrics, health, spans and events.
//! What comes in: numbers and names from whatever counts them.
//! It decides nothing, and it knows neither the engine nor the journal.

pub(crate) mod claim_outcome;
pub(crate) mod health;
pub(crate) mod holds;
pub(crate) mod metrics;
pub(crate) mod stats;
pub(crate) mod tallies;
pub(crate) mod trace;
