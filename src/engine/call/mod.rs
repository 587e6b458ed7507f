//! What callers and holders ask of a key: claim, wait, complete, fail, release, insert, look.
//! What comes in: a named key and a request; what goes out is an answer with the frame that it rests on.
//! It knows no public type such as `Claim` or `Lease`, and does no I/O under a lock.

pub(crate) mod admission;
pub(crate) mod batch;
pub(crate) mod by_age;
pub(crate) mod claim;
pub(crate) mod grant;
pub(crate) mod holder;
pub(crate) mod inspect;
pub(crate) mod queued;
pub(crate) mod ticket;
pub(crate) mod waiting;
pub(crate) mod withdrawal;
