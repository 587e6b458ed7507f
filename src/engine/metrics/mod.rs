//! What is counted and measured: in the shards, of calls, and of the store as a whole.
//! What comes in: outcomes and moments of calls; the parts of the engine, for a snapshot.
//! It changes nothing of a key, and holds no lock while it calls code of a user.

pub(crate) mod calls;
pub(crate) mod entries;
pub(crate) mod families;
pub(crate) mod health;
pub(crate) mod meters;
pub(crate) mod snapshot;
pub(crate) mod stats;
