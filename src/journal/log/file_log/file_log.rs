//! [`FileLog`]: the log on plain files, written from front to back.
//!
//! ```text
//! segments/
//!   000000000000002a.seg   header, then frames, each behind a lead; zeros up to what is allocated
//! ```
//!
//! A file is allocated and made durable ahead of need, and becomes a segment when its header is
//! written, with the link. A frame is one write; a sync is one `fdatasync` on the handle that
//! writes. A full segment is cut to its length; a dead one is unlinked, which a crash cannot do by
//! halves.

use crate::journal::log::disk_log::DiskLog;
use crate::journal::log::file_log::segment::Segment;

/// The log with a file for each segment.
pub(crate) type FileLog = DiskLog<Segment>;
