//! [`Blob`]: shared bytes, which cost nothing while they are empty.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Shared bytes. Most keys have no metadata, reason or checkpoint, so the empty one has no
/// allocation and no count that threads would contend for.
#[derive(Clone, Default)]
pub(crate) struct Blob(Bytes);

#[derive(Clone, Default)]
enum Bytes {
    #[default]
    Empty,
    Own(Arc<[u8]>),
    /// A part of a frame's payload, which lives as long as this does.
    InFrame(Arc<Vec<u8>>, Range<u16>),
}

impl Blob {
    pub(crate) const EMPTY: Self = Self(Bytes::Empty);

    /// The part of a frame's payload of this length that ends here; `None` where that is no part of it.
    #[inline]
    pub(crate) fn in_frame(payload: &Arc<Vec<u8>>, end: usize, len: usize) -> Option<Self> {
        if len == 0 {
            return Some(Self::EMPTY);
        }
        payload.get(end.checked_sub(len)?..end)?;
        let place = u16::try_from(end - len).ok()?..u16::try_from(end).ok()?;
        Some(Self(Bytes::InFrame(Arc::clone(payload), place)))
    }

    /// Whether it keeps a frame in memory.
    pub(crate) fn is_in_frame(&self) -> bool {
        matches!(self.0, Bytes::InFrame(..))
    }

    /// The same bytes, which keep no frame in memory.
    pub(crate) fn apart(&self) -> Self {
        match &self.0 {
            Bytes::InFrame(..) => Self::from(&**self),
            Bytes::Empty | Bytes::Own(_) => self.clone(),
        }
    }

    /// The bytes as what users hold.
    pub(crate) fn into_shared(self) -> Arc<[u8]> {
        match self.0 {
            Bytes::Empty => Arc::default(),
            Bytes::Own(bytes) => bytes,
            Bytes::InFrame(..) => (*self).into(),
        }
    }
}

impl Deref for Blob {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Empty => &[],
            Bytes::Own(bytes) => bytes,
            Bytes::InFrame(payload, place) => {
                &payload[usize::from(place.start)..usize::from(place.end)]
            }
        }
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Blob {}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl From<&[u8]> for Blob {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        Self(match bytes {
            [] => Bytes::Empty,
            _ => Bytes::Own(bytes.into()),
        })
    }
}

impl From<Arc<[u8]>> for Blob {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(match *bytes {
            [] => Bytes::Empty,
            _ => Bytes::Own(bytes),
        })
    }
}

impl From<Vec<u8>> for Blob {
    #[inline]
    fn from(bytes: Vec<u8>) -> Self {
        Self(match *bytes {
            [] => Bytes::Empty,
            _ => Bytes::Own(bytes.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Blob;
    use std::sync::Arc;

    #[test]
    fn a_part_of_a_frame_is_the_bytes_that_lie_there() {
        let payload = Arc::new(b"0123456789".to_vec());
        let blob = Blob::in_frame(&payload, 10, 4).unwrap();
        assert_eq!(*blob, *b"6789");
        assert_eq!(Arc::strong_count(&payload), 2);
        let apart = blob.apart();
        assert_eq!((&apart, &*blob.into_shared()), (&apart, &b"6789"[..]));
        assert_eq!(Arc::strong_count(&payload), 1, "the frame may go");
        assert_eq!(*apart.apart(), *b"6789");
        assert_eq!(Blob::in_frame(&payload, 10, 0), Some(Blob::EMPTY));
        for (end, len) in [(11, 1), (3, 4), (usize::MAX, 2)] {
            assert_eq!(Blob::in_frame(&payload, end, len), None, "{end} {len}");
        }
    }
}
