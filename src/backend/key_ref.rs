//! [`KeyRef`]: a key of a store.

use std::sync::Arc;

/// A key of a store.
#[expect(clippy::exhaustive_structs, reason = "it is all that names a key")]
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyRef {
    /// The number of its namespace, which the manifest gives.
    pub namespace: u32,
    pub key: Arc<[u8]>,
}
