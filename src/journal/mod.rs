//! The journal: the durable log of records, in frames, in segments.
//! What comes in: records to be appended, from the engine, and the log that stores the bytes.
//! It does not know what a key's state means.
//!
//! ```text
//! append(record) -> Tail: the open frame, under one short lock; never waits, never writes
//! commit()       -> seal the frame -> Log::append -> Log::sync -> publish the durable position
//! read(locator)  -> the open frame, the window in memory, or the log
//! recover()      -> every valid record, oldest first
//! ```
//!
//! Invariants:
//! - Positions become durable in order: the durable position is the last frame such that it and all
//!   before it are on the medium.
//! - After the first failed write or sync nothing more is acknowledged.
//! - Only the holder of the writer's lock writes to the log.

mod backlog;
pub(crate) mod census;
mod chain_end;
pub(crate) mod chore;
mod cold_frames;
mod commit;
mod commit_policy;
mod commit_round;
mod commit_wait;
pub(crate) mod damage;
mod durable_position;
pub(crate) mod format;
mod frame_window;
mod janitor_call;
pub(crate) mod journal;
pub(crate) mod log;
mod marks_update;
mod marks_writer;
mod meters;
mod poison;
pub(crate) mod read;
pub(crate) mod recovery;
pub(crate) mod retries;
pub(crate) mod salvage;
mod segment_room;
pub(crate) mod segment_stats;
pub(crate) mod tail;
mod watchdog;
mod writer;

pub(crate) use crate::journal::journal::{Journal, JournalStart};
pub(crate) use crate::journal::writer::{FullSegment, WriterStart};
