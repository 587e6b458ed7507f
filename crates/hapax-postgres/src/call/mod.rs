//! Calls on one connection, each carried to its end: sent again where that is safe, and answered.
//! What comes in: changes and questions. A call never waits past its deadline.
//! It knows no other call: which go together, and when, is decided above.

pub(crate) mod ask;
pub(crate) mod lane;
pub(crate) mod submission;
