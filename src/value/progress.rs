//! [`Progress`]: how far a long call has come.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The unit of a [`Progress`].
///
/// # Examples
///
/// ```
/// use hapax::Store;
/// use hapax::maintenance::ProgressUnit;
///
/// let store = Store::in_memory().open()?;
/// store.verify_with(|progress| assert_eq!(progress.unit(), ProgressUnit::Frames))?;
/// # Ok::<(), hapax::Error>(())
/// ```
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

/// How far a long call has come, for the closure that the caller passes to it.
///
/// The closure is called at the beginning, at the end if the call succeeds, and about a thousand times at
/// most in between. It runs on the thread of the call.
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
    /// How much is done; it never falls.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    /// How much there is to do: an estimate, which may change.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The unit of both numbers.
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
