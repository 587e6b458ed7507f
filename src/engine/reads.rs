//! Records by their place in the log: read on this thread, or by the janitor for async callers.

use std::sync::Arc;

use crate::engine::cold_reads::ReadMailbox;
use crate::engine::engine::Engine;
use crate::engine::look::Read;
use crate::engine::namespaces::NamespaceCore;
use crate::runtime::sync::{Mailbox, block_on, wake};
use crate::state::found::Found;
use crate::value::error::Result;
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::record::Record;

impl Engine {
    /// Reads a record; `None` when its segment is gone, so that the caller has to look again.
    pub(crate) fn read(&self, locator: Locator) -> Result<Option<Record>> {
        let read = self.journal.read(locator);
        // The log of a store that is being closed cannot be read, which is not an error of the log.
        read.map_err(|error| self.check_alive().err().unwrap_or(error))
    }

    /// Reads a record without blocking this thread: the janitor, if there is one, reads frames that lie on
    /// disk.
    pub(in crate::engine) async fn fetch(&self, locator: Locator) -> Result<Option<Read>> {
        let read = |record| Read {
            locator,
            record: Arc::new(record),
        };
        if self.journal.is_at_hand(locator) || self.options.drive.is_inline() {
            return Ok(self.read(locator)?.map(read));
        }
        let mailbox = Arc::new(Mailbox::new());
        self.request_read(locator, &mailbox);
        let record = std::future::poll_fn(|context| mailbox.poll(context)).await;
        Ok(record?.map(read))
    }

    /// Waits until a listed record is durable; false if it never can be: a poisoned store lists only durable
    /// records.
    pub(in crate::engine) fn may_be_told(
        &self,
        namespace: &NamespaceCore,
        locator: Locator,
    ) -> Result<bool> {
        let rests_on = self.rests_on(namespace, locator);
        if rests_on.is_some() && self.journal.is_poisoned() {
            return Ok(false);
        }
        block_on(self.rest(rests_on))?;
        Ok(true)
    }

    /// Whether a record is what its key is now, and the key is not running.
    pub(in crate::engine) fn is_current(
        &self,
        namespace: NamespaceId,
        key: &[u8],
        locator: Locator,
    ) -> bool {
        let digest = self.digest_of(namespace, key);
        let found = self.turn(digest).find(digest);
        matches!(found, Found::Settled(_, _, at) if at == locator)
    }

    /// Whether a record is the newest of its key, running or not.
    pub(crate) fn is_newest(&self, namespace: NamespaceId, key: &[u8], locator: Locator) -> bool {
        let digest = self.digest_of(namespace, key);
        let shard = self.shards.lock(digest);
        shard
            .last_record(digest)
            .is_some_and(|last| last.locator == locator)
    }

    pub(crate) fn request_read(&self, locator: Locator, mailbox: &Arc<ReadMailbox>) {
        self.reads.ask(locator, Arc::clone(mailbox));
        self.journal.janitor.raise();
        // The janitor may have ended already.
        if self.is_closed() {
            self.serve_reads();
        }
    }

    /// Reads what async callers asked for.
    pub(crate) fn serve_reads(&self) {
        for (locator, mailbox) in self.reads.take() {
            let read = self.read(locator);
            if let Ok(Some(waker)) = mailbox.deliver(read) {
                wake(waker);
            }
        }
    }
}
