//! The log in memory, which can crash and fail on request.
//! What comes in: frames as bytes, and from tests the failures that the medium is to have.
//! It does not know what frames contain, and it does no I/O.

#[cfg(any(test, fuzzing))]
pub(crate) mod image;
mod medium;
pub(crate) mod memory_log;
pub(crate) mod session;
#[cfg(test)]
mod tests;
