//! [`KeyPart`]: one part of a joined key, and its spelling.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A part of a [`Key`](crate::Key): bytes, which text is too, or an integer.
///
/// # Examples
///
/// ```
/// use hapax::Key;
/// use hapax::key::KeyPart;
///
/// let key = Key::join(("order", 42));
/// let parts = Key::split(key.as_ref()).unwrap();
/// assert_eq!(parts, [KeyPart::Bytes(b"order"), KeyPart::Natural(42)]);
/// assert_eq!(parts[0].as_str(), Some("order"));
/// assert_eq!(parts[1].to_string(), "42");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyPart<'k> {
    /// Bytes or text.
    Bytes(&'k [u8]),
    /// An integer from zero on, of any type.
    Natural(u128),
    /// An integer below zero, of any type.
    Negative(i128),
}

/// The first byte of an integer, with the number of its digits.
const NATURAL: u8 = 0x80;
const NEGATIVE: u8 = 0xa0;

/// The most digits of an integer, to the base of 256.
const DIGITS_MAX: usize = 16;

impl<'k> KeyPart<'k> {
    /// The bytes; `None` for an integer.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&'k [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Natural(_) | Self::Negative(_) => None,
        }
    }

    /// The text; `None` for an integer, and for bytes that are not UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&'k str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The integer as a value of this type; `None` for bytes, and for an integer that does not fit.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::Key;
    ///
    /// let key = Key::join(("order", -1));
    /// let parts = Key::split(key.as_ref()).unwrap();
    /// assert_eq!(parts[1].as_integer::<i64>(), Some(-1));
    /// assert_eq!(parts[1].as_integer::<u64>(), None);
    /// ```
    #[must_use]
    pub fn as_integer<I: TryFrom<u128> + TryFrom<i128>>(&self) -> Option<I> {
        match self {
            Self::Bytes(_) => None,
            Self::Natural(number) => I::try_from(*number).ok(),
            Self::Negative(number) => I::try_from(*number).ok(),
        }
    }

    /// Spells the part behind others: see [`Key`](crate::Key) for the rules.
    pub(crate) fn spell(self, key: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) => {
                let mut left = bytes.len();
                while left >= 0x80 {
                    key.push(low_seven_bits(left) | 0x80);
                    left >>= 7;
                }
                key.push(low_seven_bits(left));
                key.extend_from_slice(bytes);
            }
            Self::Natural(number) => spell_number(NATURAL, number, key),
            Self::Negative(number) => spell_number(NEGATIVE, !bits(number), key),
        }
    }

    /// The part that a key begins with, and what is behind it; only in the spelling of
    /// [`spell`](Self::spell).
    pub(crate) fn read(key: &'k [u8]) -> Option<(Self, &'k [u8])> {
        if let [first, 0, behind @ ..] = key {
            if *first >= NATURAL {
                return read_number(*first, behind);
            }
        }
        let (length, behind) = read_length(key)?;
        let (bytes, behind) = behind.split_at_checked(length)?;
        Some((Self::Bytes(bytes), behind))
    }
}

/// A length of two bytes ends in zero for no text, whose length is as short as can be: so begins a number.
fn spell_number(sign: u8, number: u128, key: &mut Vec<u8>) {
    let digits = number.to_be_bytes();
    let from = digits.iter().position(|digit| *digit != 0);
    let digits = &digits[from.unwrap_or(DIGITS_MAX)..];
    let count = u8::try_from(digits.len()).expect("a number has 16 digits at most");
    key.extend_from_slice(&[sign | count, 0]);
    key.extend_from_slice(digits);
}

fn bits(number: i128) -> u128 {
    u128::from_le_bytes(number.to_le_bytes())
}

fn read_number(first: u8, behind: &[u8]) -> Option<(KeyPart<'_>, &[u8])> {
    let sign = if first >= NEGATIVE { NEGATIVE } else { NATURAL };
    let count = usize::from(first - sign);
    let (digits, behind) = behind.split_at_checked(count)?;
    if count > DIGITS_MAX || digits.first() == Some(&0) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0, |number, digit| number << 8 | u128::from(*digit));
    let part = if sign == NATURAL {
        KeyPart::Natural(number)
    } else {
        let below_zero = i128::from_le_bytes((!number).to_le_bytes());
        (below_zero < 0).then_some(KeyPart::Negative(below_zero))?
    };
    Some((part, behind))
}

/// The length that a text begins with, and what is behind it.
fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
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

/// Text in quotes, other bytes escaped, or the integer.
impl fmt::Display for KeyPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.as_str()) {
            (Self::Natural(number), _) => number.fmt(f),
            (Self::Negative(number), _) => number.fmt(f),
            (_, Some(text)) => write!(f, "{text:?}"),
            (Self::Bytes(bytes), None) => write!(f, "{}", bytes.escape_ascii()),
        }
    }
}

/// A type that can be a part of a [`Key`](crate::Key): text, bytes and integers.
///
/// # Examples
///
/// A UUID is its 16 bytes, or its number, and each makes a key of its own:
///
/// ```
/// use hapax::Key;
/// use hapax::key::{AsKeyPart, KeyPart};
///
/// struct OrderId(u128);
///
/// impl AsKeyPart for OrderId {
///     fn as_key_part(&self) -> KeyPart<'_> {
///         KeyPart::Natural(self.0)
///     }
/// }
///
/// let id = OrderId(0x8e03978e_40d5_43e8_bc93_6894a57f9324);
/// assert_ne!(Key::join(("order", &id)), Key::join(("order", id.0.to_be_bytes())));
/// assert_eq!(Key::join(("order", &id)), Key::join(("order", id.0)));
/// ```
pub trait AsKeyPart {
    /// As a part of a key.
    fn as_key_part(&self) -> KeyPart<'_>;
}

impl AsKeyPart for str {
    fn as_key_part(&self) -> KeyPart<'_> {
        KeyPart::Bytes(self.as_bytes())
    }
}

impl AsKeyPart for String {
    fn as_key_part(&self) -> KeyPart<'_> {
        self.as_str().as_key_part()
    }
}

impl AsKeyPart for [u8] {
    fn as_key_part(&self) -> KeyPart<'_> {
        KeyPart::Bytes(self)
    }
}

impl<const N: usize> AsKeyPart for [u8; N] {
    fn as_key_part(&self) -> KeyPart<'_> {
        KeyPart::Bytes(self)
    }
}

impl AsKeyPart for Vec<u8> {
    fn as_key_part(&self) -> KeyPart<'_> {
        KeyPart::Bytes(self)
    }
}

impl AsKeyPart for KeyPart<'_> {
    fn as_key_part(&self) -> KeyPart<'_> {
        *self
    }
}

impl<P: AsKeyPart + ?Sized> AsKeyPart for &P {
    fn as_key_part(&self) -> KeyPart<'_> {
        (**self).as_key_part()
    }
}

impl<P: AsKeyPart + ?Sized> AsKeyPart for Box<P> {
    fn as_key_part(&self) -> KeyPart<'_> {
        (**self).as_key_part()
    }
}

impl<P: AsKeyPart + ?Sized> AsKeyPart for Arc<P> {
    fn as_key_part(&self) -> KeyPart<'_> {
        (**self).as_key_part()
    }
}

impl<P: AsKeyPart + ToOwned + ?Sized> AsKeyPart for Cow<'_, P> {
    fn as_key_part(&self) -> KeyPart<'_> {
        (**self).as_key_part()
    }
}

macro_rules! integers {
    ($($integer:ty),*) => {
        $(
            impl AsKeyPart for $integer {
                fn as_key_part(&self) -> KeyPart<'_> {
                    let number = *self;
                    match u128::try_from(number) {
                        Ok(number) => KeyPart::Natural(number),
                        Err(_) => KeyPart::Negative(i128::try_from(number).expect("it is below zero")),
                    }
                }
            }
        )*
    };
}

integers!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize
);

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
    use proptest::{collection, prop_oneof};

    use crate::Key;
    use crate::value::key_part::{AsKeyPart, KeyPart};

    #[derive(Clone, PartialEq, Debug)]
    enum AnyPart {
        Text(String),
        Bytes(Vec<u8>),
        Unsigned(u128),
        Signed(i128),
        Small(i8),
    }

    impl AsKeyPart for AnyPart {
        fn as_key_part(&self) -> KeyPart<'_> {
            match self {
                Self::Text(text) => text.as_key_part(),
                Self::Bytes(bytes) => bytes.as_key_part(),
                Self::Unsigned(number) => number.as_key_part(),
                Self::Signed(number) => number.as_key_part(),
                Self::Small(number) => number.as_key_part(),
            }
        }
    }

    fn parts() -> impl Strategy<Value = Vec<AnyPart>> {
        let part = prop_oneof![
            "\\PC{0,9}".prop_map(AnyPart::Text),
            collection::vec(any::<u8>(), 0..300).prop_map(AnyPart::Bytes),
            any::<u128>().prop_map(AnyPart::Unsigned),
            any::<i128>().prop_map(AnyPart::Signed),
            any::<i8>().prop_map(AnyPart::Small),
        ];
        collection::vec(part, 0..6)
    }

    fn told(parts: &[AnyPart]) -> Vec<KeyPart<'_>> {
        parts.iter().map(AsKeyPart::as_key_part).collect()
    }

    proptest! {
        #[test]
        fn parts_come_back_and_no_two_lists_make_the_same_key(one in parts(), other in parts()) {
            let (key, another) = (Key::join(&one), Key::join(&other));
            let split = Key::split(key.as_ref());
            prop_assert_eq!(split.as_deref(), Some(&*told(&one)));
            prop_assert_eq!(key == another, told(&one) == told(&other));
        }

        #[test]
        fn what_splits_is_what_was_joined(bytes in collection::vec(any::<u8>(), 0..40)) {
            if let Some(parts) = Key::split(&bytes) {
                let key = Key::join(&parts);
                prop_assert!(key.as_ref() == bytes, "{parts:?}");
            }
        }
    }

    #[test]
    fn the_spelling_stays_what_it_is() {
        // Stored keys are spelled so: a change would make every one of them another.
        let cases: [(Key, &[u8]); 9] = [
            (Key::join(["ab", ""]), b"\x02ab\x00"),
            (
                Key::join([[7; 200]]),
                &[[200, 1].as_slice(), &[7; 200]].concat(),
            ),
            (Key::join(("order", 42)), b"\x05order\x81\x00\x2a"),
            (Key::join(0), b"\x80\x00"),
            (Key::join(256), b"\x82\x00\x01\x00"),
            (
                Key::join(u128::MAX),
                &[[0x90, 0].as_slice(), &[0xff; 16]].concat(),
            ),
            (Key::join(-1), b"\xa0\x00"),
            (Key::join(-257), b"\xa2\x00\x01\x00"),
            (
                Key::join(i128::MIN),
                &[[0xb0, 0, 0x7f].as_slice(), &[0xff; 15]].concat(),
            ),
        ];
        for (key, spelled) in cases {
            assert_eq!(key.as_ref(), spelled, "{key:?}");
        }
        for wrong in [
            &b"\x81\x00"[..],
            b"\x81\x00\x00",
            b"\x91\x0012345678901234567",
            b"\xb0\x00\x80000000000000000",
            b"\xc1\x00a",
            b"\x80\x80\x00",
        ] {
            assert_eq!(Key::split(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn the_type_of_an_integer_makes_no_difference() {
        let of_u8 = Key::join(("order", 42_u8));
        assert_eq!(of_u8, Key::join(("order", 42_i64)));
        assert_eq!(of_u8, Key::join(("order", 42_usize)));
        assert_ne!(of_u8, Key::join(("order", "42")));
        assert_ne!(of_u8, Key::join(("order", [42])));
        assert_ne!(of_u8, Key::join(("order", -42)));
    }
}
