//! [`KeyDigest`]: the digest that stands for a key where it must not be shown.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::error::{Error, Result};

/// The digest that stands for a key where the key itself must not be shown: in logs, traces and audits.
///
/// 128 bits, drawn from the namespace and the key under a secret that lies in the manifest: the same for the
/// life of the store, across restarts, backups and moves, and different in every other store. It does not
/// reveal the key. Shown as 32 hexadecimal digits, and parsed from them.
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

#[cfg(test)]
mod tests {
    use super::KeyDigest;

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
