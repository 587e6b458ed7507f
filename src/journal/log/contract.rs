//! [`Log`]: what the journal asks of the store of bytes beneath it.

use std::fmt::Debug;
use std::io;

use crate::value::log_kind::LogKind;

/// Most bytes of one frame, header included: eight of them fill one of sled's own segments.
pub(crate) const FRAME_BYTES_MAX: usize = 65_440;

/// Most frames of one segment.
pub(crate) const SEGMENT_FRAMES_MAX: u32 = 8192;

/// Frames that the first segment of a run has room for: the body of the largest outcome fits, and a
/// log that prepares room for each frame has little to do for a store in which little happens.
pub(crate) const SEGMENT_FRAMES_FIRST: u32 = 512;

/// Bytes of frames after which a segment takes no further frame.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A durable store of segments and frames, and of two small pieces of metadata.
///
/// A *segment* is a run of at most [`SEGMENT_FRAMES_MAX`] frames, created and removed as a whole; a
/// *frame* is a run of at most [`FRAME_BYTES_MAX`] bytes, written once and never changed. The log
/// looks into neither: checksums, sequence and links are the journal's.
///
/// # Contract
///
/// - Only one thread at a time calls [`append`](Log::append), [`flush`](Log::flush) and
///   [`sync`](Log::sync), and only for the newest activated segment, with indexes 0, 1, 2, ...
/// - [`read`](Log::read) may be called from any thread, at any time, for any activated segment.
/// - The first error of a write or a sync is final for that segment: later calls must fail too.
/// - No method may lose what an earlier [`sync`](Log::sync) of the same segment made durable.
pub(crate) trait Log: Send + Sync + Debug + 'static {
    /// Which kind of log it is; `None` for one that is on no disk.
    fn kind(&self) -> Option<LogKind> {
        None
    }

    /// Whether it refuses every change.
    fn is_read_only(&self) -> bool {
        false
    }

    /// Refuses to go on where another process may have changed what was read since the log was opened.
    ///
    /// # Errors
    /// [`Overtaken`](crate::value::error::Overtaken), and any failure to find out.
    fn check_current(&self) -> io::Result<()> {
        Ok(())
    }

    /// Reads the manifest; `None` when there is none yet.
    ///
    /// # Errors
    /// Any failure to read it.
    fn read_manifest(&self) -> io::Result<Option<Vec<u8>>>;

    /// Replaces the manifest: afterwards, also after a power cut, the old or the new one is there
    /// whole, and once this has returned it is the new one.
    ///
    /// # Errors
    /// Any failure; the manifest is then the old or the new one.
    fn write_manifest(&self, bytes: &[u8]) -> io::Result<()>;

    /// Reads both slots of the marks; one that was never written is empty.
    ///
    /// # Errors
    /// Any failure to read them.
    fn read_marks(&self) -> io::Result<[Vec<u8>; 2]>;

    /// Writes one slot (0 or 1) of the marks durably, at most 512 bytes, without touching the
    /// other slot.
    ///
    /// # Errors
    /// Any failure; this slot is then undefined, the other one as it was.
    fn write_marks(&self, slot: usize, bytes: &[u8]) -> io::Result<()>;

    /// Lists the activated segments by number, ascending, and discards what a crash left of
    /// prepared and removed ones. Called once, before any other call on segments.
    ///
    /// # Errors
    /// Any failure to list them.
    fn segments(&self) -> io::Result<Vec<u64>>;

    /// Makes a segment ahead of need, with room for so many frames at least, so that
    /// [`activate`](Log::activate) is quick. Durable on return; without an activation the segment
    /// does not exist. Does nothing for a segment that is prepared or active, and in a log that has
    /// nothing to prepare.
    ///
    /// # Errors
    /// Any failure; the segment can be prepared again.
    fn prepare(&self, segment: u64, frames: u32) -> io::Result<()>;

    /// Makes a segment exist, with `link` (at most 512 bytes) as its marker; one that was not
    /// prepared has room for [`SEGMENT_FRAMES_MAX`] frames. Durable on return.
    ///
    /// # Errors
    /// Any failure; the segment then exists or not, and can be activated again with the same link.
    fn activate(&self, segment: u64, link: &[u8]) -> io::Result<()>;

    /// Reads the marker that [`activate`](Log::activate) wrote.
    ///
    /// # Errors
    /// Any failure to read it.
    fn read_link(&self, segment: u64) -> io::Result<Vec<u8>>;

    /// Appends a frame. Not durable before [`sync`](Log::sync) has returned.
    ///
    /// # Errors
    /// Any failure; it is final for the segment.
    fn append(&self, segment: u64, index: u32, frame: &[u8]) -> io::Result<()>;

    /// Hands what was appended to the operating system, so that memory stays bounded: safe against
    /// a killed process, not against a power cut.
    ///
    /// # Errors
    /// Any failure; it is final for the segment.
    fn flush(&self, segment: u64) -> io::Result<()>;

    /// Makes everything appended to the segment durable.
    ///
    /// # Errors
    /// Any failure; it is final for the segment.
    fn sync(&self, segment: u64) -> io::Result<()>;

    /// Closes a segment that takes no further frame: its memory is given back, and the layout
    /// rules of the log are checked. The journal has synced it before.
    ///
    /// # Errors
    /// Any failure, after which it can be sealed again; [`io::ErrorKind::InvalidData`] for a broken
    /// layout rule.
    fn seal(&self, segment: u64) -> io::Result<()>;

    /// Reads a frame; `None` when none was written under this index.
    ///
    /// # Errors
    /// Any failure, [`io::ErrorKind::NotFound`] when the segment has been removed, and
    /// [`io::ErrorKind::InvalidData`] when it is damaged.
    fn read(&self, segment: u64, index: u32) -> io::Result<Option<Vec<u8>>>;

    /// Calls `visit` with every frame of a segment in the order of their indexes, absent ones left
    /// out, until it answers `false`. One that is torn or damaged is shown as it lies there, or without
    /// its bytes where it is not known which one it is.
    ///
    /// # Errors
    /// Any failure, as for [`read`](Log::read).
    fn read_all(&self, segment: u64, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()>;

    /// Removes a segment for good and gives its space back.
    ///
    /// # Errors
    /// Any failure; the segment may then still be listed at the next open, and can be removed again.
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
    /// Any failure, [`io::ErrorKind::NotFound`] when there is none.
    fn read_archive(&self, segment: u64) -> io::Result<Vec<u8>>;

    /// Writes the audit archive of a segment, or replaces it, as the manifest is replaced.
    ///
    /// # Errors
    /// Any failure; the archive is then there whole, old or new, or not at all.
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

    /// Bytes still free on the medium; `None` where there is no such limit.
    ///
    /// # Errors
    /// Any failure to find out.
    fn free_bytes(&self) -> io::Result<Option<u64>>;

    /// Files that can still be made on the medium; `None` where there is no such limit.
    ///
    /// # Errors
    /// Any failure to find out.
    fn free_files(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    /// Holds so many bytes at least in reserve for recovery on a full disk, unless the disk is full
    /// now; 0 gives them back. A log without a reserve does nothing.
    ///
    /// # Errors
    /// Any failure other than a full disk while taking it.
    fn hold_reserve(&self, bytes: u64) -> io::Result<()>;

    /// Closes everything. Called once, last; errors are what a caller of `close()` must hear of.
    ///
    /// # Errors
    /// Any failure to close cleanly.
    fn close(&self) -> io::Result<()>;
}

#[cfg(test)]
pub(crate) mod conformance;
