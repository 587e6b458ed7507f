//! The homes of the embedded store: a directory with sled's log or plain files, and memory.
//! What comes in: settings, time, and processes that end.
//! They know no test.

pub(crate) mod directory_world;
pub(crate) mod memory_world;
