//! One key as users handle it: the claim, its answers, the lease, the run.
//! What comes in: keys, options and outcomes of users; what goes on is plain values for the engine.
//! It knows no journal and no shard, and it decides nothing.

pub(crate) mod answer;
pub(crate) mod calls;
pub(crate) mod claim;
pub(crate) mod decision;
pub(crate) mod doubt;
pub(crate) mod failure;
pub(crate) mod held;
#[cfg(feature = "json")]
pub(crate) mod json;
pub(crate) mod lease;
pub(crate) mod local_calls;
pub(crate) mod local_held;
pub(crate) mod options;
pub(crate) mod pending;
pub(crate) mod ran;
pub(crate) mod remote_calls;
pub(crate) mod remote_held;
pub(crate) mod run;
pub(crate) mod settling;
pub(crate) mod stored_value;
pub(crate) mod ticket;
pub(crate) mod to_stored;
