//! What callers and holders ask of a key: claim, wait, complete, fail, release, insert, look.
//! What comes in: a named key and a request; what goes out is an answer with the frame that it rests on.
//! It knows no public type such as `Claim` or `Lease`, and does no I/O under a lock.

pub(crate) mod admission;
pub(crate) mod answer;
pub(crate) mod batch;
pub(crate) mod claim;
pub(crate) mod decide;
pub(crate) mod delivery;
pub(crate) mod get;
pub(crate) mod grant;
pub(crate) mod granted;
pub(crate) mod guard;
pub(crate) mod handover;
pub(crate) mod holder_command;
pub(crate) mod insert;
pub(crate) mod lapse;
pub(crate) mod line;
mod repeats;
pub(crate) mod ticket;
pub(crate) mod waiter;
pub(crate) mod waiting;
pub(crate) mod withdrawal;
