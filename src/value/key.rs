//! [`Key`]: what names a unit of work.

use std::fmt;

/// Most bytes of a key.
pub const KEY_BYTES_MAX: usize = 1024;

/// A key made of parts that cannot be confused with one another.
///
/// Calls take any `AsRef<[u8]>` of 1 to 1024 bytes as a key; this type is for keys that are put
/// together from several values.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Vec<u8>);

impl Key {
    /// Joins parts, each prefixed by its length, so that no two ways to split collide.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::Key;
    ///
    /// assert_ne!(Key::join(["ab", "c"]), Key::join(["a", "bc"]));
    /// ```
    #[must_use]
    pub fn join<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Self {
        let mut bytes = Vec::new();
        for part in parts {
            let part = part.as_ref();
            let mut left = part.len();
            while left >= 0x80 {
                bytes.push(low_seven_bits(left) | 0x80);
                left >>= 7;
            }
            bytes.push(low_seven_bits(left));
            bytes.extend_from_slice(part);
        }
        Self(bytes)
    }

    /// The parts that [`join`](Self::join) makes exactly these bytes of; `None` for other bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::Key;
    ///
    /// let key = Key::join(["acme", "order-42"]);
    /// assert_eq!(Key::split(key.as_ref()), Some(vec![&b"acme"[..], b"order-42"]));
    /// assert_eq!(Key::split(b"order-42"), None);
    /// ```
    #[must_use]
    pub fn split(key: &[u8]) -> Option<Vec<&[u8]>> {
        let (mut parts, mut rest) = (Vec::new(), key);
        while !rest.is_empty() {
            let (length, behind) = framed_length(rest)?;
            let (part, behind) = behind.split_at_checked(length)?;
            parts.push(part);
            rest = behind;
        }
        Some(parts)
    }
}

/// The length that a part begins with, and what is behind it; only in the spelling that `join` gives it.
fn framed_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let shift = u32::try_from(at * 7).ok()?;
        let bits = usize::from(byte & 0x7f);
        // A key has at most 1024 bytes, so a longer number is no length.
        if shift > 14 || (at > 0 && *byte == 0) {
            return None;
        }
        length |= bits << shift;
        if byte & 0x80 == 0 {
            return Some((length, &bytes[at + 1..]));
        }
    }
    None
}

fn low_seven_bits(value: usize) -> u8 {
    u8::try_from(value & 0x7f).expect("seven bits fit")
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0.escape_ascii())
    }
}

/// As much of a key as any key may have: one that is longer is refused, and costs no more.
pub(crate) fn within_limit(key: &[u8]) -> &[u8] {
    key.get(..KEY_BYTES_MAX).unwrap_or(key)
}
