//! Compaction: the oldest segment goes when nothing in it lives, or its survivors are carried on.
//! What comes in: the counts of the journal, and how far its frames are durable.
//! It must not know what a key's state means: it asks whether a record is the newest of its key.

pub(crate) mod burial;
pub(crate) mod carry;
pub(crate) mod gather;
pub(crate) mod janitor;
pub(crate) mod on_demand;
pub(crate) mod plan;
pub(crate) mod round;
pub(crate) mod state;
