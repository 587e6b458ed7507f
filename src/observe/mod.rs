//! Observation of a store: counters, metrics, health, spans and events.
//! What comes in: numbers and names from the parts that count them.
//! It decides nothing, and it knows neither the engine nor the journal.

pub(crate) mod claim_outcome;
pub(crate) mod counters;
pub(crate) mod health;
pub(crate) mod holds;
pub(crate) mod metrics;
pub(crate) mod stats;
pub(crate) mod tallies;
pub(crate) mod trace;
