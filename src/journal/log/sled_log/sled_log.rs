//! [`SledLog`]: the log on sled 0.34.7.
//!
//! ```text
//! segments/
//!   000000000000002a/   a sled database: conf, db, blobs/; `ready` once it is a segment
//!   dead-...            being deleted
//! ```
//!
//! A segment is a database of its own: closing it gives memory back, deleting its folder gives disk
//! space back. sled is used only to write; frames of closed segments are read from its file by
//! `messages`. So recovery and a cold read never change a byte, not even on a damaged store or a full
//! disk. The exception is a folder whose blocks sled has recycled, which is read through sled; sealing
//! refuses such a folder.

use crate::journal::log::disk_log::DiskLog;
use crate::journal::log::sled_log::segment::Segment;

/// The log with a sled database for each segment.
pub(crate) type SledLog = DiskLog<Segment>;
