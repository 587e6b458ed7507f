//! [`ColdReads`]: reads of frames on disk that async callers wait for.

use std::sync::Arc;

use crate::runtime::sync::{Mailbox, Mutex};
use crate::value::error::Result;
use crate::value::locator::Locator;
use crate::value::record::Record;

/// Where a caller waits for a record; `None` when its segment is gone.
pub(in crate::engine) type ReadMailbox = Mailbox<Result<Option<Record>>>;

/// Reads of frames on disk that async callers wait for.
#[derive(Debug, Default)]
pub(in crate::engine) struct ColdReads(Mutex<Vec<(Locator, Arc<ReadMailbox>)>>);

impl ColdReads {
    pub(in crate::engine) fn ask(&self, locator: Locator, mailbox: Arc<ReadMailbox>) {
        self.0.lock().push((locator, mailbox));
    }

    pub(in crate::engine) fn take(&self) -> Vec<(Locator, Arc<ReadMailbox>)> {
        std::mem::take(&mut *self.0.lock())
    }
}
