//! The one place that reads the clock: how long something took, and a wait.

use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Runs from when it was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "a measurement is of the real time"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Waits; nobody can cut it short but a signal that ends the process.
pub(crate) fn wait(span: Duration) {
    let (_kept, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(span);
}
