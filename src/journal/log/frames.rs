//! [`Frames`]: the frames of one segment, to be read.

use std::fmt::Debug;
use std::io;

/// The frames of a segment that takes no further frame.
pub(crate) trait Frames: Send + Sync + Debug {
    /// The marker of the segment.
    fn link(&self) -> io::Result<Vec<u8>>;

    /// As [`Log::read_ahead`](crate::journal::log::contract::Log::read_ahead).
    fn read_ahead(&self, from: u64, bytes: u64);

    /// As [`Log::read`](crate::journal::log::contract::Log::read).
    fn read(&self, index: u32) -> io::Result<Option<Vec<u8>>>;

    /// As [`Log::read_all`](crate::journal::log::contract::Log::read_all).
    fn read_all(&self, visit: &mut dyn FnMut(u32, &[u8]) -> bool) -> io::Result<()>;
}
