//! Salvage: the newest record of each key that is left of a damaged store, in a new chain of its own.
//! What comes in: everything that can still be read; what goes out is a store, and a report of what is lost.
//! It repairs nothing in place, and guesses nothing: what is not known to be whole is in doubt.

pub(crate) mod manifest;
pub(crate) mod saving;
pub(crate) mod trail;
pub(crate) mod writing;
