//! [`NamespaceId`]: the number of a namespace within its store.

/// The most bytes of the name of a namespace.
pub const NAME_BYTES_MAX: usize = 128;

/// The number of a namespace within its store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct NamespaceId(pub(crate) u32);
