//! [`Log`]: what the journal needs of the log beneath it, which stores bytes.

use std::fmt::Debug;
use std::io;

use crate::value::log_kind::LogKind;

/// Most frames of one segment.
pub(crate) const SEGMENT_FRAMES_MAX: u32 = 8192;

/// Frames that the first segment of a run has room for: enough for the body of the largest outcome, and
/// few, so that a log which prepares room for each frame has little to do for a store that is little
/// used.
pub(crate) const SEGMENT_FRAMES_FIRST: u32 = 512;

/// Bytes of frames after which a segment takes no further frame.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Durable storage of segments and frames, and of two small pieces of metadata.
///
/// A *segment* is a run of at most [`SEGMENT_FRAMES_MAX`] frames, created and removed as a whole; a
/// *frame* is a run of at most [`FRAME_BYTES_MAX`](crate::journal::format::frame::FRAME_BYTES_MAX) bytes, written once and never changed. The log
/// does not look into them: checksums, order and links are the journal's.
///
/// # Contract
///
/// - Only one thread at a time calls [`append`](Log::append), [`flush`](Log::flush) and
///   [`sync`](Log::sync), and only for the newest activated segment, with indexes 0, 1, 2, ...
/// - [`read`](Log::read) may be called from any thread, at any time, for any activated segment.
/// - The first error of a write or a sync is final for that segment: later calls must fail too.
/// - No method may lose what an earlier [`sync`](Log::sync) of the same segment made durable.
pub(crate) trait Log: Send + Sync + Debug + 'static {
    /// Which kind of log it is; `None` for a log that is not on a disk.
    fn kind(&self) -> Option<LogKind> {
        None
    }

    /// Whether it refuses every change.
    fn is_read_only(&self) -> bool {
        false
    }

    /// Refuses to go on if another process may have changed what was read since the log was opened.
    ///
    /// # Errors
    /// [`Overtaken`](crate::value::error::Overtaken), and any failure to find out.
    fn check_current(&self) -> io::Result<()> {
        Ok(())
    }

    /// Reads the manifest; `None` before it is first written.
    ///
    /// # Errors
    /// Any failure to read it.
    fn read_manifest(&self) -> io::Result<Option<Vec<u8>>>;

    /// Replaces the manifest as a whole: a power cut leaves the old or the new one. Durable on return.
    ///
    /// # Errors
    /// Any failure; the manifest is then the old or the new one.
    fn write_manifest(&self, bytes: &[u8]) -> io::Result<()>;

    /// Reads both slots of the marks; a slot that was never written is empty.
    ///
    /// # Errors
    /// Any failure to read them.
    fn read_marks(&self) -> io::Result<[Vec<u8>; 2]>;

    /// Writes one slot (0 or 1) of the marks durably, at most 512 bytes, without touching the
    /// other slot.
    ///
    /// # Errors
    /// Any failure; this slot is then undefined, and the other one is unchanged.
    fn write_marks(&self, slot: usize, bytes: &[u8]) -> io::Result<()>;

    /// Lists the activated segments by number, ascending, and discards what a crash has left of
    /// prepared and removed ones. Called once, before any other call on segments.
    ///
    /// # Errors
    /// Any failure to list them.
    fn segments(&self) -> io::Result<Vec<u64>>;

    /// Makes a segment ahead of need, with room for at least `frames` frames, so that
    /// [`activate`](Log::activate) is quick. Durable on return, but the segment does not exist before
    /// its activation. Does nothing for a segment that is prepared or active, and in a log that has
    /// nothing to prepare.
    ///
    /// # Errors
    /// Any failure; the segment can be prepared again.
    fn prepare(&self, segment: u64, frames: u32) -> io::Result<()>;

    /// Makes a segment exist, with `link` (at most 512 bytes) as its marker. A segment that was not
    /// prepared gets room for [`SEGMENT_FRAMES_MAX`] frames. Durable on return.
    ///
    /// # Errors
    /// Any failure; the segment may exist then, and can be activated again with the same link.
    fn activate(&self, segment: u64, link: &[u8]) -> io::Result<()>;

    /// Reads the marker that [`activate`](Log::activate) wrote.
    ///
    /// # Errors
    /// Any failure to read it.
    fn read_link(&self, segment: u64) -> io::Result<Vec<u8>>;

    /// Appends a frame, which is durable once [`sync`](Log::sync) has returned.
    ///
    /// # Errors
    /// Any failure; it is final for the segment.
    fn append(&self, segment: u64, index: u32, frame: &[u8]) -> io::Result<()>;

    /// Hands what was appended to the operating system, so that memory stays bounded. It then survives
    /// the death of the process, but not a power cut.
    ///
    /// # Errors
    /// Any failure; it is final for the segment.
    fn flush(&self, segment: u64) -> io::Result<()>;

    /// Makes everything appended to the segment durable.
    ///
    /// # Errors
    /// Any failure; it is final for the segment.
    fn sync(&self, segment: u64) -> io::Result<()>;

    /// Closes a segment that takes no further frame, which the journal has synced: gives its memory
    /// back, and checks the layout rules of the log.
    ///
    /// # Errors
    /// Any failure, after which it can be sealed again; [`io::ErrorKind::InvalidData`] if a layout rule
    /// is broken.
    fn seal(&self, segment: u64) -> io::Result<()>;

    /// Reads a frame; `None` if no frame was written under this index.
    ///
    /// # Errors
    /// Any failure, [`io::ErrorKind::NotFound`] if the segment has been removed, and
    /// [`io::ErrorKind::InvalidData`] if it is damaged.
    fn read(&self, segment: u64, index: u32) -> io::Result<Option<Vec<u8>>>;

    /// Calls `visit` with the frames of a segment in the order of their indexes, until it returns
    /// `false`. Skips absent frames. Shows a torn or damaged frame as it is, or without its bytes if it
    /// is not known which frame it is.
    ///
    /// # Errors
    /// Any failure, as for [`read`](Log::read).
    fn read_all(&self, segment: u64, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()>;

    /// Is told that [`read_all`](Log::read_all) of this segment will follow soon, so that the medium can
    /// begin to read so many bytes of it. Only advice: a failure shows in the reading.
    fn read_ahead(&self, _segment: u64, _from: u64, _bytes: u64) {}

    /// Removes a segment for good and frees its space.
    ///
    /// # Errors
    /// Any failure; the next open may list the segment then, and it can be removed again.
    fn remove(&self, segment: u64) -> io::Result<()>;

    /// Lists the audit archives by the number of their segment, ascending.
    ///
    /// # Errors
    /// Any failure to list them.
    fn archives(&self) -> io::Result<Vec<u64>>;

    /// Lists the audit archives by the number of their segment, each with its bytes, in any order.
    ///
    /// # Errors
    /// Any failure to list or measure them.
    fn archive_sizes(&self) -> io::Result<Vec<(u64, u64)>>;

    /// Reads the audit archive of a segment.
    ///
    /// # Errors
    /// Any failure, [`io::ErrorKind::NotFound`] if the segment has no archive.
    fn read_archive(&self, segment: u64) -> io::Result<Vec<u8>>;

    /// Writes the audit archive of a segment, or replaces it, as the manifest is replaced.
    ///
    /// # Errors
    /// Any failure; the archive is then the old one, the new one, or missing, but never a part.
    fn write_archive(&self, segment: u64, bytes: &[u8]) -> io::Result<()>;

    /// Removes the audit archive of a segment for good.
    ///
    /// # Errors
    /// Any failure; it may then still be listed.
    fn remove_archive(&self, segment: u64) -> io::Result<()>;

    /// Bytes that the log occupies on its medium.
    ///
    /// # Errors
    /// Any failure to find out.
    fn disk_bytes(&self) -> io::Result<u64>;

    /// Bytes that are free on the medium; `None` if it has no such limit.
    ///
    /// # Errors
    /// Any failure to find out.
    fn free_bytes(&self) -> io::Result<Option<u64>>;

    /// Files that can still be created on the medium; `None` if it has no such limit.
    ///
    /// # Errors
    /// Any failure to find out.
    fn free_files(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    /// Holds at least `bytes` bytes in reserve for recovery on a full disk, unless the disk is full now;
    /// 0 gives them back. A log without a reserve does nothing.
    ///
    /// # Errors
    /// Any failure except a full disk while the reserve grows.
    fn hold_reserve(&self, bytes: u64) -> io::Result<()>;

    /// Closes everything. Called once, as the last call; a caller of `close()` must hear of its errors.
    ///
    /// # Errors
    /// Any failure to close cleanly.
    fn close(&self) -> io::Result<()>;
}

#[cfg(test)]
pub(crate) mod conformance_tests;
