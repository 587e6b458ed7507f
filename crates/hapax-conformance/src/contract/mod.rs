//! The tests, a file for each topic: each makes its stores in worlds like the one that it is given.
//! What comes in: a world.
//! They know no particular home, and no time but that which they let pass.

pub(crate) mod at_least_once;
pub(crate) mod at_most_once;
pub(crate) mod attempts;
pub(crate) mod batches;
pub(crate) mod by_age;
pub(crate) mod capacity;
pub(crate) mod claims;
pub(crate) mod doubts;
pub(crate) mod errors;
pub(crate) mod forgetting;
pub(crate) mod giving_up;
pub(crate) mod handover;
pub(crate) mod holders;
pub(crate) mod insertions;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod operators;
pub(crate) mod policies;
pub(crate) mod processes;
pub(crate) mod reconcile;
pub(crate) mod refused_holders;
pub(crate) mod retention;
pub(crate) mod run_once;
pub(crate) mod scans;
pub(crate) mod settled_claims;
pub(crate) mod silent_holders;
pub(crate) mod superseded;
pub(crate) mod taken_back;
pub(crate) mod tickets;
pub(crate) mod undelivered;
pub(crate) mod waiting;
pub(crate) mod withdrawn;
