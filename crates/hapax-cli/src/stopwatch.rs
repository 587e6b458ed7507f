//! The only file that reads the clock: to measure a time, and to wait.

use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Measures the time since its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "a measurement needs the real time"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Waits; only a signal that ends the process cuts it short.
pub(crate) fn wait(span: Duration) {
    let (_kept, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(span);
}
