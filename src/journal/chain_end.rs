//! [`ChainEnd`]: a frame that the next one may be chained to.

/// The number of a frame, and its checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ChainEnd {
    pub(crate) frame: u64,
    pub(crate) checksum: u64,
}
