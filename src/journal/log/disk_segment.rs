//! [`DiskSegment`]: one segment of a log on disk, and how it is made.

use std::fmt::Debug;
use std::io;

use crate::journal::log::directory::anchored_path::AnchoredPath;
use crate::journal::log::frames::Frames;
use crate::value::log_kind::LogKind;

/// A segment that has been activated, open or closed: a file, or a folder, of one kind of log.
pub(crate) trait DiskSegment: Frames + Sized + 'static {
    /// The kind of log that has such segments.
    const KIND: LogKind;

    /// A file or folder that is made ahead of need, and is no segment yet.
    type Prepared: Send + Debug;

    /// The name of its file or folder.
    fn name(number: u64) -> String;

    /// Refuses a machine on which such a log cannot run.
    fn check_machine() -> io::Result<()> {
        Ok(())
    }

    /// The entry of this name if it is a segment; deletes the remains that a crash has left.
    fn find(folder: &AnchoredPath, name: &str) -> io::Result<Option<(u64, Self)>>;

    /// Makes a file or folder that can become a segment, durably, with room for at least `frames` frames.
    /// `bytes` is an estimate of their size; 0 without one.
    fn prepare(
        path: &AnchoredPath,
        number: u64,
        frames: u32,
        bytes: u64,
    ) -> io::Result<Self::Prepared>;

    /// Makes it a segment, with `link` as its marker; durable on return. It can be tried again after a
    /// failure.
    fn begin(prepared: &mut Self::Prepared, link: &[u8]) -> io::Result<()>;

    /// A segment that has just begun.
    fn open(path: AnchoredPath, prepared: Self::Prepared) -> Self;

    fn append(&self, index: u32, frame: &[u8]) -> io::Result<()>;

    fn flush(&self) -> io::Result<()>;

    fn sync(&self) -> io::Result<()>;

    /// Closes it, and checks how it was written. Gives an estimate of the bytes of the next one, if it
    /// has one.
    fn seal(&self) -> io::Result<Option<u64>>;

    /// Closes it as it is; tells of the first failure of a write, if there was one.
    fn close(&self) -> io::Result<()>;

    /// Gives back the space that an earlier run has allocated and not used.
    fn give_back(&self) -> io::Result<()> {
        Ok(())
    }

    /// Removes it from its folder for good; a reader that misses it from now on came too late.
    fn remove(&self, folder: &AnchoredPath) -> io::Result<()>;
}
