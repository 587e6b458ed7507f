//! [`Drive`]: what drives the workers of a store.

#[cfg(feature = "sim")]
use crate::runtime::sync::simulated;

/// What drives the workers of a store, and carries out its commits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Drive {
    /// Threads of its own.
    Threads,
    /// A manual clock that moves, and the callers that wait for a commit.
    Clock,
    /// A simulation, step by step. Only a blocking call commits by itself: nothing else could.
    #[cfg(feature = "sim")]
    Steps,
}

impl Drive {
    /// Whether a caller that waits for the log has to do the work of a worker itself.
    pub(crate) fn is_inline(self) -> bool {
        match self {
            Self::Threads => false,
            Self::Clock => true,
            #[cfg(feature = "sim")]
            Self::Steps => simulated::is_blocking(),
        }
    }
}
