//! [`Key`], [`KeyDigest`] and [`FencingToken`]: what names a unit of work, what stands for it where it must
//! not be shown, and what names a right to run it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::error::{Error, Result};

/// Most bytes of a key.
pub const KEY_BYTES_MAX: usize = 1024;

/// Most bytes of the name of a namespace.
pub const NAME_BYTES_MAX: usize = 128;

/// The number of a namespace within its store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct NamespaceId(pub(crate) u32);

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

pub(crate) fn check_key(key: &[u8], limit: usize) -> Result<()> {
    if key.is_empty() {
        return Err(Error::invalid(
            "the key is empty: send 1 to 1024 bytes that name the unit of work",
        ));
    }
    if key.len() > limit {
        return Err(Error::too_large(
            "the key",
            key.len(),
            limit,
            "send a shorter key or a digest of it",
        ));
    }
    Ok(())
}

/// The right to settle a key: higher than every token granted before it, in the life of the store.
///
/// 63 bits: the boot epoch of the store (31) and a counter (32). Hand it to a downstream system
/// that can refuse writes under a lower token. It is a string in serde, because JSON numbers lose
/// bits above 2^53.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken(u64);

/// Bits of the counter of a token.
const COUNTER_BITS: u32 = 32;

/// The first counter that no token can hold.
pub(crate) const COUNTER_END: u64 = 1 << COUNTER_BITS;

/// The first epoch that no token can hold.
pub(crate) const EPOCH_END: u32 = 1 << 31;

/// Bits by which epochs were shorter, and counters longer, in marks of version 1.
const EPOCH_BITS_GAINED: u32 = 8;

/// The last epoch that holds tokens of `epoch` as versions 1 of frames and marks counted it, with 23
/// bits of epoch and 40 of counter. One that was never possible stays past the end.
pub(crate) fn widened_epoch(epoch: u32) -> u32 {
    if epoch >= EPOCH_END >> EPOCH_BITS_GAINED {
        return u32::MAX;
    }
    (epoch << EPOCH_BITS_GAINED) | ((1 << EPOCH_BITS_GAINED) - 1)
}

impl FencingToken {
    /// None is lower: of the epoch 0, in which nothing is granted.
    pub(crate) const FIRST: Self = Self(0);

    /// None is higher.
    pub(crate) const LAST: Self = Self(u64::MAX >> 1);

    pub(crate) fn new(epoch: u32, counter: u64) -> Self {
        debug_assert!(
            epoch < EPOCH_END && counter < COUNTER_END,
            "epoch and counter fit 63 bits"
        );
        Self((u64::from(epoch) << COUNTER_BITS) | counter)
    }

    pub(crate) fn from_u64(value: u64) -> Option<Self> {
        (value >> 63 == 0).then_some(Self(value))
    }

    /// The boot epoch that it was granted in.
    pub(crate) fn epoch(self) -> u32 {
        u32::try_from(self.0 >> COUNTER_BITS).expect("an epoch has 31 bits")
    }

    pub(crate) fn as_u64(self) -> u64 {
        self.0
    }

    /// The token as a number, for a database column.
    #[must_use]
    pub fn as_i64(self) -> i64 {
        i64::from_le_bytes(self.0.to_le_bytes())
    }

    /// The token that [`as_i64`](Self::as_i64) gave; `None` for a negative number.
    #[must_use]
    pub fn from_i64(value: i64) -> Option<Self> {
        u64::try_from(value).ok().map(Self)
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FencingToken({}.{})",
            self.0 >> COUNTER_BITS,
            self.0 & (COUNTER_END - 1)
        )
    }
}

impl Serialize for FencingToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FencingToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let token = text.parse().ok().and_then(Self::from_i64);
        token.ok_or_else(|| {
            serde::de::Error::custom("a fencing token is a decimal number below 2^63")
        })
    }
}

/// 96 bits that stand for a key of a namespace within this process.
///
/// They come from a keyed pseudo-random function whose key is drawn at open, so nobody outside can
/// make two keys collide, and a chance collision of 2^48 keys is a coin toss.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Digest {
    pub(crate) words: [u32; 3],
    /// Chooses the shard: bits that the words do not hold, so that each shard's table is even.
    pub(crate) route: u32,
}

/// What stands for a key where the key itself must not be shown: in logs, traces and audits.
///
/// 128 bits, drawn from the namespace and the key under a secret that lies in the manifest: the same
/// for the life of the store, across restarts, backups and moves, another one in every other store,
/// and of no use to find out the key. Shown as 32 hexadecimal digits, and parsed from them.
///
/// # Examples
///
/// ```
/// use hapax::{KeyDigest, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once())?;
/// let digest = mail.key_digest("user-7");
/// assert_eq!(digest.to_string().parse::<KeyDigest>()?, digest);
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest(u128);

/// Hexadecimal digits of a [`KeyDigest`].
const KEY_DIGEST_DIGITS: usize = 32;

impl KeyDigest {
    /// The digest as bytes, the first digit first.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The digest that [`to_bytes`](Self::to_bytes) gave.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyDigest({self})")
    }
}

impl FromStr for KeyDigest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digest = u128::from_str_radix(text, 16).ok();
        digest
            .filter(|_| is_digits && text.len() == KEY_DIGEST_DIGITS)
            .map(Self)
            .ok_or_else(|| Error::invalid("the digest of a key has 32 hexadecimal digits"))
    }
}

impl Serialize for KeyDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Draws digests of keys and fingerprints: SipHash-2-4 with 128 bits of output.
#[derive(Clone)]
pub(crate) struct Hasher128(siphasher::sip128::SipHasher24);

impl Hasher128 {
    pub(crate) fn new(seed: [u8; 16]) -> Self {
        Self(siphasher::sip128::SipHasher24::new_with_key(&seed))
    }

    pub(crate) fn digest(&self, namespace: NamespaceId, key: &[u8]) -> Digest {
        let [a, b, c, d] = words(self.hash(&[&namespace.0.to_le_bytes(), key]));
        Digest {
            words: [a, b, c],
            route: d,
        }
    }

    /// What stands for a key in logs and audits; for the hasher whose seed outlives the process.
    pub(crate) fn key_digest(&self, namespace: NamespaceId, key: &[u8]) -> KeyDigest {
        KeyDigest(self.hash(&[b"key digest", &namespace.0.to_le_bytes(), key]))
    }

    /// Hashes parts one after the other; a caller whose parts vary in length frames them itself.
    pub(crate) fn hash(&self, parts: &[&[u8]]) -> u128 {
        use siphasher::sip128::Hasher128 as _;
        use std::hash::Hasher as _;
        let mut hasher = self.0;
        for part in parts {
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }
}

fn words(value: u128) -> [u32; 4] {
    let bytes = value.to_le_bytes();
    let word =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    [word(0), word(4), word(8), word(12)]
}

impl fmt::Debug for Hasher128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher128(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::{Hasher128, KeyDigest, NamespaceId};

    #[test]
    fn the_digest_of_a_key_stays_what_it_is() {
        // Operators compare lines of logs that are years apart: this value is a promise.
        let hasher = Hasher128::new([7; 16]);
        let digest = hasher.key_digest(NamespaceId(3), b"order-42");
        assert_eq!(digest.to_string(), "2409d095cf2a2530daed52774037b828");
        assert_ne!(digest, hasher.key_digest(NamespaceId(4), b"order-42"));
        let other = Hasher128::new([8; 16]);
        assert_ne!(digest, other.key_digest(NamespaceId(3), b"order-42"));
    }

    #[test]
    fn a_digest_is_parsed_from_its_digits_only() {
        let digest = KeyDigest(1);
        assert_eq!(digest.to_string().parse::<KeyDigest>().ok(), Some(digest));
        assert_eq!(KeyDigest::from_bytes(digest.to_bytes()), digest);
        for text in ["", "1", &"0".repeat(33), "+0000000000000000000000000000001"] {
            assert!(text.parse::<KeyDigest>().is_err(), "{text}");
        }
    }
}
