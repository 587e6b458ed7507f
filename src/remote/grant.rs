//! [`Grant`]: a hold that is on its way to its caller.

use std::sync::Arc;

use crate::remote::hold::Hold;
use crate::remote::remote::Remote;

/// A grant on its way to its caller. Dropped, it is taken back: nothing has run.
#[derive(Debug)]
pub(crate) struct Grant {
    remote: Arc<Remote>,
    hold: Arc<Hold>,
}

impl Grant {
    pub(super) fn new(remote: &Arc<Remote>, hold: Arc<Hold>) -> Self {
        remote.send_on_its_way(&hold);
        Self {
            remote: Arc::clone(remote),
            hold,
        }
    }

    /// The caller has it: from now on only the holder ends it. `None` if its lease has ended before, or its store was
    /// closed: then it is taken back.
    pub(crate) fn hand_out(self) -> Option<Arc<Hold>> {
        let is_in_time = !self.remote.is_lost(&self.hold);
        let taken = is_in_time.then(|| self.remote.holds.take(self.hold.granted.token));
        taken.flatten()
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if self.remote.holds.take(self.hold.granted.token).is_some() {
            self.remote.withdraw(&self.hold);
        }
    }
}
