//! [`HttpStats`]: what the layer did, in numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::refusal::Reason;

macro_rules! counts {
    ($($name:ident: $doc:literal,)*) => {
        #[derive(Default, Debug)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Count,)*
            refused: [Count; Reason::ALL.len()],
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> HttpStats {
                HttpStats {
                    $($name: self.$name.value(),)*
                    refused: std::array::from_fn(|index| self.refused[index].value()),
                }
            }
        }

        /// What a layer and its clones did since they were made.
        ///
        /// Each request counts once among the answers: `requests` is the sum of `uncovered`,
        /// `unkeyed`, `screened`, `executed`, `replayed`, `unprotected`, `abandoned`,
        /// `inner_errors` and the refusals, as soon as none is under way. Each run of a handler
        /// under a key counts once more among the runs, when it is over.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct HttpStats {
            $($name: u64,)*
            refused: [u64; Reason::ALL.len()],
        }

        impl HttpStats {
            $(#[doc = $doc]
            #[must_use]
            pub fn $name(&self) -> u64 {
                self.$name
            })*
        }
    };
}

counts! {
    requests: "Requests that came.",
    uncovered: "Passed on because of their method, or because keys are ignored.",
    unkeyed: "Passed on because they had no key, where one is optional.",
    screened: "Answered by the hook `screen`, before anything was claimed.",
    executed: "Answered by their handler, run for them.",
    replayed: "Answered with a stored response.",
    unprotected: "Passed on because the store could not answer and the layer fails open, whatever came of them.",
    abandoned: "Whose client went away before they were answered, or for which a hook panicked; what ran for them went on.",
    inner_errors: "Answered with an error of the inner service.",
    runs_stored: "Runs whose response is stored.",
    runs_omitted: "Runs of which it is stored that they ran, and no response.",
    runs_released: "Runs that gave their key up, to be tried again.",
    runs_in_doubt: "Runs that left their key in doubt.",
    runs_lost: "Runs whose key another holder had taken over when they answered.",
    runs_unstored: "Runs whose outcome the store did not take: it could not write, or was closed.",
    runs_panicked: "Runs that panicked; they count among the released or the ones in doubt too.",
    runs_without_client: "Runs whose client was gone when they answered.",
}

impl HttpStats {
    /// Requests refused for this reason.
    #[must_use]
    pub fn refused(&self, reason: Reason) -> u64 {
        self.refused[index(reason)]
    }

    /// Requests refused for any reason.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refused.iter().sum()
    }
}

impl Counters {
    pub(crate) fn refused(&self, reason: Reason) -> &Count {
        &self.refused[index(reason)]
    }
}

/// Counts a request that ends before it is counted: its client went away, or a hook panicked.
pub(crate) struct Watch {
    counters: Arc<Counters>,
    counted: bool,
}

impl Watch {
    pub(crate) fn new(counters: &Arc<Counters>) -> Self {
        Self {
            counters: Arc::clone(counters),
            counted: false,
        }
    }

    /// From here on it counts among the answers.
    pub(crate) fn counted(mut self) {
        self.counted = true;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.counted {
            self.counters.abandoned.one_more();
        }
    }
}

fn index(reason: Reason) -> usize {
    let position = Reason::ALL.iter().position(|each| *each == reason);
    position.expect("ALL has every reason")
}

/// A number that only grows.
#[derive(Default, Debug)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
