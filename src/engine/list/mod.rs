//! Lists of keys: scans of all of them, and those in trouble by age.
//! What comes in: a filter and a position; what goes out is the state of a key at that moment.
//! It changes nothing, and holds one shard at a time.

pub(crate) mod ranked;
pub(crate) mod ranking;
pub(crate) mod scan;
