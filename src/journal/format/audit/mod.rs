//! The audit log as bytes: entries, the hash chain through them, and the archives that they end in.
//! What comes in: the facts of a transition, or untrusted bytes of a medium.
//! It does not know records, or what a frame contains besides audit entries.

pub(crate) mod archive;
pub(crate) mod chain;
pub(crate) mod entry;
