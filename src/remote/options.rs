//! [`OpenOptions`]: how a store over a backend is opened.

use std::time::Duration;

use crate::value::durability::Durability;
use crate::value::limits::Limits;
use crate::value::time::millis;

/// How a store over a backend is opened.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hapax::{Durability, OpenOptions};
///
/// let options = OpenOptions::new()
///     .durability(Durability::Sync)
///     .call_deadline(Duration::from_secs(5));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions {
    pub(crate) durability: Durability,
    pub(crate) limits: Limits,
    pub(crate) trace_keys: bool,
    pub(crate) beat_ms: u64,
    pub(crate) call_deadline_ms: u64,
    pub(crate) poll_min_ms: u64,
    pub(crate) poll_max_ms: u64,
    pub(crate) secrets: Option<u64>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Sync,
            limits: Limits::default(),
            trace_keys: false,
            beat_ms: 10_000,
            call_deadline_ms: 10_000,
            poll_min_ms: 20,
            poll_max_ms: 250,
            secrets: None,
        }
    }
}

impl OpenOptions {
    /// The defaults: `Sync`, ten seconds without a sign of life until a process counts as gone, calls that give up
    /// after ten seconds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How durable a change is before it is acknowledged, where a namespace does not say so itself.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// The limits of sizes and batches. Limits of how many keys there are do not count: those are the backend's.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Shows keys in traces, and not only their digests.
    #[must_use]
    pub fn trace_keys(mut self, shown: bool) -> Self {
        self.trace_keys = shown;
        self
    }

    /// How long a process may be silent until its leases end: it gives three signs of life within that. At least a
    /// second.
    #[must_use]
    pub fn heartbeat(mut self, silence: Duration) -> Self {
        self.beat_ms = millis(silence).max(1000);
        self
    }

    /// After how long a call stops asking what became of a change that got no answer.
    #[must_use]
    pub fn call_deadline(mut self, deadline: Duration) -> Self {
        self.call_deadline_ms = millis(deadline);
        self
    }

    /// How often callers that wait for keys have them looked at, all in one statement: after the first span when
    /// they begin to wait, then less and less often, down to the second.
    #[must_use]
    pub fn poll(mut self, first: Duration, last: Duration) -> Self {
        self.poll_min_ms = millis(first).max(1);
        self.poll_max_ms = millis(last).max(self.poll_min_ms);
        self
    }

    /// Draws every secret and nonce from this seed: for tests that have to run alike each time.
    #[doc(hidden)]
    #[must_use]
    pub fn secrets(mut self, seed: u64) -> Self {
        self.secrets = Some(seed);
        self
    }
}
