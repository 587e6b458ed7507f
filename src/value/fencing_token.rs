//! [`FencingToken`]: the number of a right to run a key.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::error::{Error, Result};

/// The right to settle a key. Each token is higher than every token granted before, in the life of the store.
///
/// 63 bits: the boot epoch of the store (31) and a counter (32). Hand it to a downstream system
/// that can refuse writes under a lower token. It is shown, and parsed, as one decimal number everywhere. In serde
/// it is a string, because JSON numbers lose bits above 2^53.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, FencingToken, Policy, Store};
///
/// let store = Store::in_memory().open()?;
/// let jobs = store.namespace("jobs", Policy::at_least_once())?;
/// let Claim::Granted(first) = jobs.claim("report")? else { panic!("it is new") };
/// let earlier = first.token();
/// first.release("later")?;
/// let Claim::Granted(second) = jobs.claim("report")? else { panic!("it is released") };
/// assert!(second.token() > earlier, "a database can refuse writes under the earlier one");
/// assert_eq!(FencingToken::from_i64(earlier.as_i64()), Some(earlier));
/// assert_eq!(earlier.to_string().parse::<FencingToken>()?, earlier);
/// # Ok::<(), hapax::Error>(())
/// ```
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

    #[inline]
    pub(crate) fn from_u64(value: u64) -> Option<Self> {
        (value >> 63 == 0).then_some(Self(value))
    }

    /// The boot epoch that it was granted in.
    #[inline]
    pub(crate) fn epoch(self) -> u32 {
        u32::try_from(self.0 >> COUNTER_BITS).expect("an epoch has 31 bits")
    }

    #[inline]
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
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for FencingToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_number);
        let token = number.and_then(Self::from_u64);
        token.ok_or_else(|| Error::invalid("a fencing token is a decimal number below 2^63"))
    }
}

impl Serialize for FencingToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FencingToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::FencingToken;

    #[test]
    fn a_token_has_one_form() {
        for token in [
            FencingToken::FIRST,
            FencingToken::new(1, 7),
            FencingToken::LAST,
        ] {
            let shown = token.to_string();
            assert_eq!(shown, token.as_i64().to_string());
            assert_eq!(format!("{token:?}"), shown);
            assert_eq!(shown.parse().ok(), Some(token));
        }
        for text in ["", "-1", "+1", " 1", "1.7", "0x1", "9223372036854775808"] {
            assert!(text.parse::<FencingToken>().is_err(), "{text}");
        }
    }
}
