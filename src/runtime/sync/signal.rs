//! [`Signal`]: what wakes a worker thread.

use std::time::Instant;

use crate::runtime::sync::{Condvar, Mutex};

/// The wake signal of one worker thread.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    raised: Mutex<bool>,
    condvar: Condvar,
}

impl Signal {
    pub(crate) fn raise(&self) {
        let mut raised = self.raised.lock();
        if !*raised {
            *raised = true;
            self.condvar.notify_one();
        }
    }

    /// Waits until the signal is raised or the moment has come, and lowers it.
    pub(crate) fn wait(&self, until: Option<Instant>) {
        let mut raised = self.raised.lock();
        while !*raised {
            match until {
                Some(until) => {
                    if self.condvar.wait_until(&mut raised, until).timed_out() {
                        break;
                    }
                }
                None => self.condvar.wait(&mut raised),
            }
        }
        *raised = false;
    }
}
