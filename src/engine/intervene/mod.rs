//! Interventions by others than the holder: doubts and their resolution, operators, insertions.
//! What comes in: a named key and the action of an operator or of a lapsed lease.
//! It grants nothing by itself: what may run is decided in `state`.

pub(crate) mod doubt;
pub(crate) mod doubted_guards;
pub(crate) mod end_hold;
pub(crate) mod forget;
pub(crate) mod insertion;
pub(crate) mod resolve;
