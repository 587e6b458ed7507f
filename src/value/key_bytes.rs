//! [`KeyBytes`]: the bytes of a key, in place while they are few.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The bytes of a key. Most keys are short (a UUID as text has 36 bytes), and those take no allocation and
/// no count that threads would contend for.
#[derive(Clone)]
pub(crate) enum KeyBytes {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(Arc<[u8]>),
}

/// The longest key that is kept in place.
const SHORT: usize = 38;

const _: () = assert!(
    size_of::<KeyBytes>() == 40,
    "the tag and the length fit beside"
);

/// Copies a key to where it fits exactly. Most keys take two pieces of a fixed size, which may overlap, instead
/// of a call of `memcpy`.
#[inline]
pub(crate) fn copy_key(key: &[u8], room: &mut [u8]) {
    if !(copy_ends::<16>(key, room) || copy_ends::<8>(key, room)) {
        room.copy_from_slice(key);
    }
}

/// Copies the first and the last `N` bytes, if they are all.
#[inline]
fn copy_ends<const N: usize>(key: &[u8], room: &mut [u8]) -> bool {
    if key.len() > 2 * N {
        return false;
    }
    let (Some(first), Some(last)) = (key.first_chunk::<N>(), key.last_chunk::<N>()) else {
        return false;
    };
    if let Some(room) = room.first_chunk_mut() {
        *room = *first;
    }
    if let Some(room) = room.last_chunk_mut() {
        *room = *last;
    }
    true
}

impl From<&[u8]> for KeyBytes {
    #[inline]
    fn from(key: &[u8]) -> Self {
        let mut bytes = [0; SHORT];
        match (u8::try_from(key.len()), bytes.get_mut(..key.len())) {
            (Ok(len), Some(room)) => {
                copy_key(key, room);
                Self::Short { len, bytes }
            }
            _ => Self::Long(key.into()),
        }
    }
}

impl Deref for KeyBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => &bytes[..usize::from(*len)],
            Self::Long(key) => key,
        }
    }
}

impl AsRef<[u8]> for KeyBytes {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for KeyBytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for KeyBytes {}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyBytes, SHORT};

    #[test]
    fn keys_of_every_length_come_back_as_they_were() {
        for len in 0..=2 * SHORT {
            let key: Vec<u8> = (0..=255).cycle().take(len).collect();
            let kept = KeyBytes::from(&*key);
            assert_eq!(*kept, *key);
            assert_eq!(kept.clone(), kept);
            assert_eq!(
                matches!(kept, KeyBytes::Short { .. }),
                len <= SHORT,
                "{len}"
            );
        }
    }
}
