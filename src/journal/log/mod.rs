//! What lies beneath the journal: the contract of a log, its kinds, and the directory of a store.
//! What comes in: frames as bytes, to be kept and given back.
//! It does not know records, and it does not look into frames to write them.

pub(crate) mod contract;
pub(crate) mod directory;
pub(crate) mod disk_log;
pub(crate) mod disk_segment;
pub(crate) mod file_log;
pub(crate) mod first_failure;
pub(crate) mod frames;
pub(crate) mod kind;
pub(crate) mod memory_log;
pub(crate) mod open_log;
pub(crate) mod raw_store;
pub(crate) mod read_only_log;
pub(crate) mod sled_log;
