//! Counters and measurements: of the shards, of calls, and of the whole store.
//! What comes in: outcomes and moments of calls; the parts of the engine, for a snapshot.
//! It changes nothing of a key, and holds no lock while it calls code of a user.

pub(crate) mod calls;
pub(crate) mod entries;
pub(crate) mod families;
pub(crate) mod health;
pub(crate) mod meters;
pub(crate) mod snapshot;
pub(crate) mod stats;
