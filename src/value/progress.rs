//! [`Progress`]: how far a long call has come.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a [`Progress`] counts in.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ProgressUnit {
    /// Bytes of files.
    Bytes,
    /// Frames of the log, the unit of commit.
    Frames,
}

impl fmt::Display for ProgressUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::Frames => "frames",
        })
    }
}

/// How far a long call has come, as the closure is told that was given to it.
///
/// It is told at the beginning, at the end if the call succeeds, and in between about a thousand
/// times at most; on the thread of the call, which goes on when it returns.
///
/// # Examples
///
/// ```
/// use hapax::Store;
/// use hapax::maintenance::Progress;
///
/// let store = Store::in_memory().open()?;
/// store.verify_with(|progress: Progress| eprintln!("{progress}"))?;
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    pub(super) done: u64,
    pub(super) total: u64,
    pub(super) unit: ProgressUnit,
}

impl Progress {
    /// What is done; never less than before.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    /// What there is to do, as far as it can be told by now: an estimate, which may change.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What both are counted in.
    #[must_use]
    pub fn unit(&self) -> ProgressUnit {
        self.unit
    }
}

/// `12 of 40 frames`.
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} {}", self.done, self.total, self.unit)
    }
}
