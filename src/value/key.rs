//! [`Key`]: the name of a unit of work.

use std::fmt;

use crate::value::key_part::{AsKeyPart, KeyPart};

/// The most bytes of a key.
pub const KEY_BYTES_MAX: usize = 1024;

/// A key made of parts that cannot be confused with one another.
///
/// Calls take any `AsRef<[u8]>` of 1 to 1024 bytes as a key; this type is for keys that are put
/// together from several values, and for integers.
///
/// # Examples
///
/// ```
/// use hapax::{Key, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once())?;
/// assert!(mail.insert(Key::join(("invoice", 2026, 42)))?);
/// assert!(mail.insert(Key::join(("invoice", 202, 642)))?);
/// assert!(mail.contains(Key::join(("invoice", 2026, 42)))?);
/// # Ok::<(), hapax::Error>(())
/// ```
///
/// # Encoding
///
/// A key is its parts, one behind the other, and each tells where it ends, so no two lists of parts make the
/// same key. This is a promise: stored keys are spelled so.
///
/// - Bytes and text are their length and then themselves. The length has seven bits a byte, the lowest first;
///   each byte but the last has its highest bit set, and there are no more bytes than it takes.
/// - An integer from zero on is `0x80 + n`, a zero, and its `n` digits to the base of 256, the highest first,
///   without zeros before them. An integer `i` below zero is `0xa0 + n`, a zero, and the digits of `-1 - i`.
///   No length has a spelling that begins so. The type of the integer makes no difference.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Vec<u8>);

impl Key {
    /// Joins parts: those of a tuple, an array, a slice or a vector, or a single integer.
    ///
    /// An iterator of parts is collected into a key.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::Key;
    ///
    /// assert_ne!(Key::join(["ab", "c"]), Key::join(["a", "bc"]));
    /// assert_ne!(Key::join(("order", 42)), Key::join(("order", "42")));
    /// let path: Key = "eu/acme/7".split('/').collect();
    /// assert_eq!(path, Key::join(["eu", "acme", "7"]));
    /// ```
    #[must_use]
    pub fn join(parts: impl AsKeyParts) -> Self {
        let mut bytes = Vec::new();
        parts.for_each(&mut |part| part.spell(&mut bytes));
        Self(bytes)
    }

    /// The parts that [`join`](Self::join) made this key from; `None` for bytes that it cannot have made.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::Key;
    /// use hapax::key::KeyPart;
    ///
    /// let key = Key::join(("acme", 42));
    /// let parts = [KeyPart::Bytes(b"acme"), KeyPart::Natural(42)];
    /// assert_eq!(Key::split(key.as_ref()), Some(parts.to_vec()));
    /// assert_eq!(Key::split(b"order-42"), None);
    /// ```
    #[must_use]
    pub fn split(key: &[u8]) -> Option<Vec<KeyPart<'_>>> {
        let (mut parts, mut rest) = (Vec::new(), key);
        while !rest.is_empty() {
            let (part, behind) = KeyPart::read(rest)?;
            parts.push(part);
            rest = behind;
        }
        Some(parts)
    }
}

/// The parts of a [`Key`], as [`Key::join`] takes them.
///
/// # Examples
///
/// ```
/// use hapax::Key;
///
/// assert_eq!(Key::join(("order", 42)), Key::join(("order".to_owned(), 42_u64)));
/// assert_eq!(Key::join(["eu", "acme"]), Key::join(vec!["eu", "acme"]));
/// assert_eq!(Key::join(42), Key::join((42,)));
/// ```
pub trait AsKeyParts {
    /// Gives each part, in order.
    fn for_each(&self, give: &mut dyn FnMut(KeyPart<'_>));
}

impl<P: AsKeyPart> AsKeyParts for [P] {
    fn for_each(&self, give: &mut dyn FnMut(KeyPart<'_>)) {
        self.iter().for_each(|part| give(part.as_key_part()));
    }
}

impl<P: AsKeyPart, const N: usize> AsKeyParts for [P; N] {
    fn for_each(&self, give: &mut dyn FnMut(KeyPart<'_>)) {
        self.as_slice().for_each(give);
    }
}

impl<P: AsKeyPart> AsKeyParts for Vec<P> {
    fn for_each(&self, give: &mut dyn FnMut(KeyPart<'_>)) {
        self.as_slice().for_each(give);
    }
}

impl<P: AsKeyParts + ?Sized> AsKeyParts for &P {
    fn for_each(&self, give: &mut dyn FnMut(KeyPart<'_>)) {
        (**self).for_each(give);
    }
}

macro_rules! tuples {
    ($(($($name:ident $at:tt),+))*) => {
        $(
            impl<$($name: AsKeyPart),+> AsKeyParts for ($($name,)+) {
                fn for_each(&self, give: &mut dyn FnMut(KeyPart<'_>)) {
                    $(give(self.$at.as_key_part());)+
                }
            }
        )*
    };
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}

macro_rules! integers {
    ($($integer:ty),*) => {
        $(
            impl AsKeyParts for $integer {
                fn for_each(&self, give: &mut dyn FnMut(KeyPart<'_>)) {
                    give(self.as_key_part());
                }
            }
        )*
    };
}

integers!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize
);

impl<P: AsKeyPart> FromIterator<P> for Key {
    fn from_iter<I: IntoIterator<Item = P>>(parts: I) -> Self {
        let mut bytes = Vec::new();
        for part in parts {
            part.as_key_part().spell(&mut bytes);
        }
        Self(bytes)
    }
}

/// A key within a key.
impl AsKeyPart for Key {
    fn as_key_part(&self) -> KeyPart<'_> {
        KeyPart::Bytes(&self.0)
    }
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

/// The key, cut off at the limit: a longer key is refused, and this bounds the cost of the refusal.
pub(crate) fn within_limit(key: &[u8]) -> &[u8] {
    key.get(..KEY_BYTES_MAX).unwrap_or(key)
}
