//! [`LogScan`]: all keys of a store in this process: those in its log, then those that run without a record.

use std::fmt;
use std::sync::Arc;

use crate::engine::list::scan::ScanCursor;
use crate::engine::upkeep::pin::Pin;
use crate::store::handle::StoreInner;
use crate::value::error::Result;
use crate::value::key_info::KeyInfo;
use crate::value::namespace_id::NamespaceId;

/// Where a scan of the log stands. Compaction waits while it is alive.
pub(super) struct LogScan {
    _pin: Pin,
    store: Arc<StoreInner>,
    cursor: ScanCursor,
    /// The log has been read once; records that were appended meanwhile come next.
    passes: u8,
    /// The shard whose running keys come next, one at a time: all of them at once may be many.
    next_shard: usize,
}

impl LogScan {
    /// A scan of the log; where only running keys are asked for, it is passed over.
    pub(super) fn new(store: &Arc<StoreInner>, only_running: bool) -> Result<Self> {
        store.engine.check_alive()?;
        let pin = Pin::hold(&store.engine);
        let mut cursor = store.engine.scan_start();
        if only_running {
            cursor.next_frame = u64::MAX;
        }
        Ok(Self {
            _pin: pin,
            store: Arc::clone(store),
            cursor,
            passes: 0,
            next_shard: 0,
        })
    }

    /// Refuses what was read before the store was opened to write elsewhere.
    pub(super) fn check_current(&self) -> Result<()> {
        self.store.engine.check_current()
    }

    /// The next keys, which may be none; `None` at the end.
    pub(super) fn more(&mut self, only: Option<NamespaceId>) -> Result<Option<Vec<KeyInfo>>> {
        let engine = &self.store.engine;
        if let Some(infos) = engine.scan_frame(&mut self.cursor, only)? {
            return Ok(Some(infos));
        }
        self.passes = self.passes.saturating_add(1);
        if self.passes == 1 {
            self.cursor.end_frame = engine.scan_start().end_frame;
            return Ok(Some(Vec::new()));
        }
        let running = engine.running_keys(self.next_shard, only)?;
        self.next_shard += 1;
        Ok(running)
    }
}

impl fmt::Debug for LogScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogScan")
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}
