//! [`AuditHead`]: the entry that stands for all entries before it.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::value::error::{Error, Result};
use crate::value::hex::hex;

/// The last entry of the audit log and its link in the hash chain. It stands for every entry before it: keep
/// it elsewhere, and it shows later whether any of them was changed.
///
/// Shown, and parsed, as the number, a colon and 64 hexadecimal digits.
///
/// # Examples
///
/// ```
/// use hapax::audit::AuditHead;
/// use hapax::Store;
///
/// let store = Store::in_memory().open()?;
/// let noted = store.audit_head().to_string(); // keep it elsewhere
/// let noted: AuditHead = noted.parse()?;
/// store.verify_audit_against(noted)?;
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuditHead {
    pub(crate) number: u64,
    pub(crate) link: [u8; 32],
}

impl AuditHead {
    /// The number of the entry; 0 before the first one.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its link: SHA-256 over the link before it, its number and its digest.
    #[must_use]
    pub fn link(&self) -> &[u8; 32] {
        &self.link
    }
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, hex(&self.link))
    }
}

impl fmt::Debug for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditHead({self})")
    }
}

impl Serialize for AuditHead {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for AuditHead {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (number, digits) = text.split_once(':')?;
            let plain = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let mut link = [0; 32];
            for (at, byte) in link.iter_mut().enumerate().filter(|_| plain) {
                *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
            }
            let number = number.parse().ok()?;
            plain.then_some(Self { number, link })
        };
        parse().ok_or_else(|| {
            Error::invalid(
                "the head of an audit log is a number, a colon and 64 hexadecimal digits",
            )
        })
    }
}
