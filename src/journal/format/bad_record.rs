//! [`BadRecord`]: why the bytes of a frame's entry do not decode.

/// Why bytes do not decode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadRecord {
    /// No encoder writes such bytes.
    Malformed,
    /// A kind that this version does not know.
    UnknownKind(u8),
}
