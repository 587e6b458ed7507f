//! [`Waits`]: the callers of this process that wait for keys, all looked at in one read.

use std::sync::Arc;

use crate::backend::{KeyRef, unavailable};
use crate::remote::seen::Look;
use crate::runtime::sync::{Mailbox, Mutex, wake};
use crate::value::error::Result;

/// The callers that wait for keys.
#[derive(Debug)]
pub(super) struct Waits(pub(super) Mutex<Line>);

#[derive(Debug)]
pub(super) struct Line {
    /// In the order of their places.
    pub(super) waiting: Vec<Waiting>,
    /// Places given so far.
    pub(super) places: u64,
    /// A task looks at their keys.
    pub(super) polled: bool,
    /// The span until the next look.
    pub(super) span_ms: u64,
}

/// What a caller waits for. Moments are those of the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    /// The version of the row that it has seen.
    pub(super) version: u128,
    /// When the lease of that row ends, as far as its caller knows.
    pub(super) lapses_ms: u64,
    /// When its wait ends.
    pub(super) until_ms: u64,
}

/// A caller that waits for a key to change.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Later ones have higher places. A caller keeps its place when it decides again.
    pub(super) place: u64,
    pub(super) key: KeyRef,
    pub(super) wait: Wait,
    /// What it is told: the row once it has changed, `None` once its time has come.
    pub(super) mailbox: Arc<Mailbox<Option<Look>>>,
}

impl Waits {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Line {
            waiting: Vec::new(),
            places: 0,
            polled: false,
            span_ms: 0,
        }))
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().waiting.len()
    }
}

/// Whether the caller of a claim is still there, and its place in line.
#[derive(Debug, Default)]
pub(super) struct Attendance(Mutex<Attending>);

#[derive(Debug, Default)]
struct Attending {
    gone: bool,
    in_line: Option<Arc<Mailbox<Option<Look>>>>,
}

impl Attendance {
    /// The caller goes away: it leaves the line.
    pub(super) fn leave(&self, waits: &Waits) {
        let in_line = {
            let mut attending = self.0.lock();
            attending.gone = true;
            attending.in_line.take()
        };
        let Some(mailbox) = in_line else { return };
        let mut line = waits.0.lock();
        line.waiting
            .retain(|waiting| !Arc::ptr_eq(&waiting.mailbox, &mailbox));
        drop(line);
        if let Ok(Some(waker)) = mailbox.deliver(None) {
            wake(waker);
        }
    }

    /// It stands in line with this mailbox, or not any more; an error once the caller has gone.
    pub(super) fn stand(&self, mailbox: Option<&Arc<Mailbox<Option<Look>>>>) -> Result<()> {
        let mut attending = self.0.lock();
        if attending.gone {
            return Err(unavailable("the caller has gone"));
        }
        attending.in_line = mailbox.map(Arc::clone);
        Ok(())
    }
}
