//! [`LogKind`]: the kind of log that a store in a directory writes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::value::error::{Error, Result};

/// The kind of log that a store in a directory writes.
///
/// Both keep the same promises, and the same frames under the same numbers:
/// [`Store::move_log`](crate::Store::move_log) takes a store from one to the other.
///
/// # Examples
///
/// ```
/// use hapax::{LogKind, Store};
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("dedup");
/// let store = Store::builder(path).log_kind(LogKind::Files).open()?;
/// assert_eq!(store.log_kind(), Some(LogKind::Files));
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
pub enum LogKind {
    /// A sled database for each segment. The default.
    #[default]
    Sled,
    /// A plain file for each segment, allocated ahead and written from front to back.
    Files,
}

/// `sled` or `files`, as [`FromStr`] reads it.
///
/// # Examples
///
/// ```
/// use hapax::LogKind;
///
/// assert_eq!("files".parse::<LogKind>()?, LogKind::Files);
/// assert_eq!(LogKind::Sled.to_string(), "sled");
/// # Ok::<(), hapax::Error>(())
/// ```
impl fmt::Display for LogKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sled => "sled",
            Self::Files => "files",
        })
    }
}

impl FromStr for LogKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = [Self::Sled, Self::Files].into_iter();
        let mut named = named.filter(|kind| kind.to_string() == text);
        named.next().ok_or_else(|| {
            Error::invalid(format!(
                "there is no kind of log {text:?}: give it sled or files"
            ))
        })
    }
}

impl LogKind {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Sled => Self::Files,
            Self::Files => Self::Sled,
        }
    }
}
