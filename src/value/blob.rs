//! [`Blob`]: shared bytes, which cost nothing while they are empty.

use std::ops::Deref;
use std::sync::Arc;

/// Shared bytes. Most keys have no metadata, reason or checkpoint, so the empty one has no
/// allocation and no count that threads would contend for.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Blob(Option<Arc<[u8]>>);

impl Blob {
    pub(crate) const EMPTY: Self = Self(None);

    /// The bytes as what users hold.
    pub(crate) fn into_shared(self) -> Arc<[u8]> {
        self.0.unwrap_or_default()
    }
}

impl Deref for Blob {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<&[u8]> for Blob {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        Self((!bytes.is_empty()).then(|| bytes.into()))
    }
}

impl From<Vec<u8>> for Blob {
    #[inline]
    fn from(bytes: Vec<u8>) -> Self {
        Self((!bytes.is_empty()).then(|| bytes.into()))
    }
}
