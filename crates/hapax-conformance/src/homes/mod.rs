//! The homes: a directory with sled's log or plain files, memory, and the reference backend.
//! What comes in: settings, time, and processes that end.
//! They know no test.

pub(crate) mod directory_world;
pub(crate) mod memory_world;
pub(crate) mod reference_world;
