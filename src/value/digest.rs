//! [`Digest`]: the identity of a key within this process, and the [`Hasher128`] that draws it.

use std::fmt;

use crate::value::key_bytes::copy_key;
use crate::value::key_digest::KeyDigest;
use crate::value::namespace_id::NamespaceId;

/// 96 bits that stand for a key of a namespace within this process.
///
/// They come from a keyed pseudo-random function whose key is drawn at open, so no outsider can
/// make two keys collide, and a chance collision of 2^48 keys is a coin toss.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Digest {
    pub(crate) words: [u32; 3],
    /// Chooses the shard: bits that the words do not hold, so that each shard's table is even.
    pub(crate) route: u32,
}

impl Digest {
    /// Of a key that lies in no table.
    pub(crate) const NONE: Self = Self {
        words: [0; 3],
        route: 0,
    };
}

const NAMESPACE_BYTES: usize = size_of::<NamespaceId>();

/// A namespace and a key of so many bytes together are copied into one piece.
const SHORT_BYTES: usize = 64;

/// Draws digests of keys and fingerprints: SipHash-2-4 with 128 bits of output.
#[derive(Clone)]
pub(crate) struct Hasher128(siphasher::sip128::SipHasher24);

impl Hasher128 {
    pub(crate) fn new(seed: [u8; 16]) -> Self {
        Self(siphasher::sip128::SipHasher24::new_with_key(&seed))
    }

    #[inline]
    pub(crate) fn digest(&self, namespace: NamespaceId, key: &[u8]) -> Digest {
        let mut together = [0; SHORT_BYTES];
        let bytes = NAMESPACE_BYTES + key.len();
        // One piece takes half of the instructions that two take.
        let hash = if bytes <= SHORT_BYTES {
            // The key comes first: its words are read as they were written.
            copy_key(key, &mut together[..key.len()]);
            together[key.len()..bytes].copy_from_slice(&namespace.0.to_le_bytes());
            self.0.hash(&together[..bytes]).as_u128()
        } else {
            self.hash(&[key, &namespace.0.to_le_bytes()])
        };
        let [a, b, c, d] = words(hash);
        Digest {
            words: [a, b, c],
            route: d,
        }
    }

    /// The digest of a key in logs and audits; only for the hasher whose seed outlives the process.
    pub(crate) fn key_digest(&self, namespace: NamespaceId, key: &[u8]) -> KeyDigest {
        let drawn = self.hash(&[b"key digest", &namespace.0.to_le_bytes(), key]);
        KeyDigest::from_bytes(drawn.to_be_bytes())
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

#[inline]
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
    use super::{Hasher128, NamespaceId};

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
}
