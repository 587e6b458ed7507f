//! What lies beneath the journal: the contract of a log, its kinds, and the directory of a store.
//! What comes in: frames as bytes, to be kept and given back.
//! It knows neither records nor what a frame contains.

pub(crate) mod contract;
pub(crate) mod directory;
pub(crate) mod file_log;
pub(crate) mod kind;
pub(crate) mod lock;
pub(crate) mod memory_log;
pub(crate) mod place;
pub(crate) mod read_only;
pub(crate) mod remains;
pub(crate) mod sled_log;
pub(crate) mod untouched;
