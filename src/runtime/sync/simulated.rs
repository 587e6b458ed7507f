//! The state of this thread in a simulation.

use std::cell::Cell;

thread_local! {
    static SIMULATES: Cell<bool> = const { Cell::new(false) };
    static BLOCKS: Cell<bool> = const { Cell::new(false) };
}

/// A simulation runs on this thread: no other thread wakes it.
#[derive(Debug)]
pub(crate) struct Simulating {
    before: bool,
}

impl Simulating {
    pub(crate) fn enter() -> Self {
        Self {
            before: SIMULATES.replace(true),
        }
    }
}

impl Drop for Simulating {
    fn drop(&mut self) {
        SIMULATES.set(self.before);
    }
}

/// This thread is inside of a blocking call.
pub(super) struct Blocking {
    before: bool,
}

impl Blocking {
    pub(super) fn enter() -> Self {
        Self {
            before: BLOCKS.replace(true),
        }
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        BLOCKS.set(self.before);
    }
}

pub(super) fn is_blocking() -> bool {
    BLOCKS.get()
}

pub(super) fn assert_can_park() {
    assert!(
        !SIMULATES.get(),
        "a blocking call waits for another caller in a simulation, which has one thread: use the async form of the call"
    );
}
