//! [`Health`]: whether a store serves, and what troubles it.

use std::fmt;
use std::time::Duration;

/// Whether a store serves, and what troubles it: [`Store::health`](crate::Store::health).
///
/// # Examples
///
/// ```
/// use hapax::Store;
///
/// let store = Store::in_memory().open()?;
/// assert!(store.health().is_ready());
/// store.close()?;
/// let health = store.health();
/// assert!(!health.is_alive());
/// assert_eq!(health.to_string(), "closed");
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Health {
    pub(crate) troubles: Vec<Trouble>,
    pub(crate) unsynced: Duration,
}

/// What troubles a store.
///
/// # Examples
///
/// ```
/// use hapax::{Store, Trouble};
///
/// let store = Store::in_memory().open()?;
/// for trouble in store.health().troubles() {
///     match trouble {
///         Trouble::Poisoned { cause } => println!("look at the medium, then restart: {cause}"),
///         other => println!("{}: {other}", other.name()),
///     }
/// }
/// # Ok::<(), hapax::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// It was closed: open it again.
    Closed,
    /// This process is a fork of the one that opened it: open stores after forking.
    Forked,
    /// A write failed, so nothing is acknowledged any more: look at the medium, then reopen it.
    Poisoned {
        /// The call that failed, and its error.
        cause: String,
    },
    /// The medium gives no answer. After the write deadline the store is poisoned.
    Stuck {
        /// For how long it has given no answer.
        since: Duration,
    },
    /// Changes come faster than the medium takes them, so callers wait.
    Congested {
        /// The age of the oldest change that is not on the medium.
        unsynced: Duration,
    },
    /// Less of the disk is free than its floor, so new claims are refused; holders can complete.
    DiskLow {
        /// The floor.
        floor_bytes: u64,
    },
    /// No further segment of the log can be prepared, and the rest of the current one is kept for running
    /// keys, so new claims are refused; holders can complete. [`Upkeep`](Self::Upkeep) says why.
    NoSegment,
    /// Work beside the writes of the log fails, for example because the process has no descriptor left. It
    /// is tried again until it succeeds, and nothing that was acknowledged depends on it. New claims are
    /// refused only once they would find no room.
    Upkeep {
        /// What is being done.
        doing: String,
        /// How it failed last.
        cause: String,
        /// For how long it has failed.
        since: Duration,
    },
    /// It was opened read-only, or has run out of numbers, so it grants and changes nothing.
    ReadOnly,
    /// The server of the store does not answer, so calls fail; leases may have ended meanwhile.
    Unreachable {
        /// For how long no answer came, at least.
        since: Duration,
    },
    /// It was salvaged with losses, so namespaces that promise at-most-once grant nothing until
    /// [`accept_salvage`](crate::operator::Operator::accept_salvage).
    Salvaged,
}

impl Health {
    /// Whether the store can answer at all. If it cannot, only opening it again helps, so use this for a
    /// check that restarts the process.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.troubles.iter().any(Trouble::is_fatal)
    }

    /// Whether the store answers and grants. Use this for a check that sends callers elsewhere meanwhile.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let congestion = |trouble: &Trouble| matches!(trouble, Trouble::Congested { .. });
        let salvage = |trouble: &Trouble| matches!(trouble, Trouble::Salvaged);
        let upkeep = |trouble: &Trouble| matches!(trouble, Trouble::Upkeep { .. });
        let mut troubles = self.troubles.iter();
        troubles.all(|trouble| congestion(trouble) || salvage(trouble) || upkeep(trouble))
    }

    /// What troubles the store, the worst first; nothing in good health.
    #[must_use]
    pub fn troubles(&self) -> &[Trouble] {
        &self.troubles
    }

    /// The age of the oldest change that is not on the medium; zero when all are.
    #[must_use]
    pub fn unsynced(&self) -> Duration {
        self.unsynced
    }
}

/// `ok`, or what troubles the store.
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.troubles.is_empty() {
            return f.write_str("ok");
        }
        for (number, trouble) in self.troubles.iter().enumerate() {
            let between = if number == 0 { "" } else { "; " };
            write!(f, "{between}{trouble}")?;
        }
        Ok(())
    }
}

impl Trouble {
    /// The names of all troubles, as metrics label them.
    pub(crate) const NAMES: [&'static str; 11] = [
        "closed",
        "forked",
        "poisoned",
        "stuck",
        "congested",
        "disk_low",
        "no_segment",
        "upkeep",
        "read_only",
        "salvaged",
        "unreachable",
    ];

    /// Its name in metrics, such as `disk_low`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let number = match self {
            Self::Closed => 0,
            Self::Forked => 1,
            Self::Poisoned { .. } => 2,
            Self::Stuck { .. } => 3,
            Self::Congested { .. } => 4,
            Self::DiskLow { .. } => 5,
            Self::NoSegment => 6,
            Self::Upkeep { .. } => 7,
            Self::ReadOnly => 8,
            Self::Salvaged => 9,
            Self::Unreachable { .. } => 10,
        };
        Self::NAMES[number]
    }

    fn is_fatal(&self) -> bool {
        matches!(self, Self::Closed | Self::Forked | Self::Poisoned { .. })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::Forked => f.write_str("a fork of the process that opened the store"),
            Self::Poisoned { cause } => write!(f, "poisoned: {cause}"),
            Self::Stuck { since } => write!(f, "the medium has given no answer for {since:?}"),
            Self::Congested { unsynced } => write!(
                f,
                "changes wait for the medium, the oldest for {unsynced:?}"
            ),
            Self::DiskLow { floor_bytes } => {
                write!(f, "less than {floor_bytes} bytes of disk are free")
            }
            Self::NoSegment => f.write_str("no further segment of the log can be prepared"),
            Self::Upkeep { cause, since, .. } => {
                write!(f, "upkeep has failed for {since:?}: {cause}")
            }
            Self::ReadOnly => f.write_str("open read-only"),
            Self::Unreachable { since } => {
                write!(f, "the server has given no answer for {since:?}")
            }
            Self::Salvaged => f.write_str("salvaged with losses that are not accepted yet"),
        }
    }
}
