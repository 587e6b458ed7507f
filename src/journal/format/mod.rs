//! The bytes: records, frames, marks, the manifest, audit entries.
//! What comes in: plain values to be written, or bytes of a medium that nobody vouches for.
//! It does no I/O, and it does not know what a key's state means.

pub(crate) mod audit;
pub(crate) mod codec;
pub(crate) mod frame;
#[cfg(test)]
pub(crate) mod golden;
pub(crate) mod manifest;
pub(crate) mod marks;
