//! Opening a store: its manifest and marks, then the chain of frames, read into the shards.
//! What comes in: a log; what goes out is an engine whose epoch is raised and on the medium.
//! It decides nothing about a key: it applies records in the order of the log.

pub(crate) mod identity;
pub(crate) mod open;
pub(crate) mod rebuild;
