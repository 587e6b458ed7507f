//! [`ScanPosition`]: the rank of a key in a list by age.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use crate::value::error::{Error, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::time::{second_of, system_time};

/// The rank of a key in a list by age: its second of store time first, then its token.
///
/// It depends neither on the place of a record, which compaction changes, nor on this process. So another
/// scan can go on after it, also after a restart. Shown as two numbers, and parsed from them.
///
/// # Examples
///
/// ```
/// use hapax::{Claim, Policy, Store};
/// use hapax::scan::ScanPosition;
///
/// let store = Store::in_memory().open()?;
/// let mail = store.namespace("mail", Policy::at_least_once())?;
/// for key in ["a", "b", "c"] {
///     let Claim::Granted(lease) = mail.claim(key)? else { unreachable!() };
///     lease.doubt("the provider timed out")?;
/// }
/// let mut page = store.doubts()?;
/// assert_eq!(page.next().unwrap()?.key(), b"a");
/// let reached = page.reached().unwrap().to_string();
///
/// let after: ScanPosition = reached.parse()?;
/// let rest: Vec<_> = store.doubts()?.after(after).collect::<hapax::Result<_>>()?;
/// assert_eq!(rest.len(), 2, "b and c");
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ScanPosition {
    since: u64,
    token: FencingToken,
}

impl ScanPosition {
    /// The rank of a key whose age is counted from this second of store time, and whose token is this
    /// one.
    #[must_use]
    pub fn new(since: SystemTime, token: FencingToken) -> Self {
        Self::of_second(second_of(since), token)
    }

    pub(crate) fn of_second(since: u64, token: FencingToken) -> Self {
        Self { since, token }
    }

    /// Store time that the age is counted from, in whole seconds.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        system_time(self.since)
    }

    /// The token, which ranks keys of the same second.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.token
    }

    /// The last rank of a second: every later rank is younger than that second.
    #[must_use]
    pub fn end_of(second: SystemTime) -> Self {
        Self::new(second, FencingToken::LAST)
    }
}

impl fmt::Display for ScanPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.since, self.token)
    }
}

impl FromStr for ScanPosition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_number = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let parts = text.split_once('-');
        let rank = parts.and_then(|(since, token)| {
            let since = Some(since).filter(is_number)?.parse().ok()?;
            Some(Self::of_second(since, token.parse().ok()?))
        });
        rank.ok_or_else(|| {
            Error::invalid("a rank is two numbers with a hyphen between: seconds and a token")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ScanPosition;
    use crate::value::fencing_token::FencingToken;
    use crate::value::time::system_time;

    fn rank(since: u64, counter: u64) -> ScanPosition {
        ScanPosition::of_second(since, FencingToken::new(1, counter))
    }

    #[test]
    fn older_seconds_come_first_then_lower_tokens() {
        assert!(rank(1, 9) < rank(2, 1));
        assert!(rank(2, 1) < rank(2, 2));
        assert!(rank(2, 2) < ScanPosition::end_of(system_time(2_u32)));
        assert!(ScanPosition::end_of(system_time(2_u32)) < rank(3, 0));
        assert_eq!(rank(2, 2).since(), system_time(2_u32));
    }

    #[test]
    fn a_rank_is_parsed_from_what_it_shows_only() {
        for rank in [
            rank(0, 0),
            rank(u64::MAX, 7),
            ScanPosition::end_of(system_time(5_u32)),
        ] {
            assert_eq!(rank.to_string().parse::<ScanPosition>().ok(), Some(rank));
        }
        let wrong = ["", "-", "1", "1-", "-1", "+1-1", "1-+1", "1--1", "1-2-3"];
        for text in wrong.into_iter().chain(["1-9223372036854775808", " 1-1"]) {
            assert!(text.parse::<ScanPosition>().is_err(), "{text}");
        }
    }
}
