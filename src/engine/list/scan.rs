//! Scans: the current records of the log, frame by frame, then the running keys, shard by shard.

use std::sync::Arc;

use crate::engine::description::{state_and_record, state_of};
use crate::engine::engine::Engine;
use crate::journal::format::codec::WireRecord;
use crate::journal::read::records;
use crate::value::error::Result;
use crate::value::key_info::KeyInfo;
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;

/// The place in the log at which a scan goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanCursor {
    pub(crate) next_frame: u64,
    pub(crate) end_frame: u64,
}

impl ScanCursor {
    /// The next frame, which the cursor moves past; `None` after the last one.
    pub(in crate::engine) fn take(&mut self) -> Option<u64> {
        let frame = self.next_frame;
        self.next_frame = frame.saturating_add(1);
        (frame <= self.end_frame).then_some(frame)
    }
}

impl Engine {
    /// Where a scan over the log begins, and the earliest place where it ends.
    pub(crate) fn scan_start(&self) -> ScanCursor {
        self.journal.with_tail(|tail| ScanCursor {
            next_frame: tail
                .census
                .oldest()
                .map_or(u64::MAX, |stats| stats.first_frame),
            end_frame: tail.last_used(),
        })
    }

    /// The current records of the next frame of a scan; `None` at the end.
    pub(crate) fn scan_frame(
        &self,
        cursor: &mut ScanCursor,
        only: Option<NamespaceId>,
    ) -> Result<Option<Vec<KeyInfo>>> {
        let Some(frame) = cursor.take() else {
            return Ok(None);
        };
        let mut found = Vec::new();
        let Some(payload) = self.journal.frame_bytes(frame)? else {
            return Ok(Some(found));
        };
        for record in records(frame, &payload) {
            let (locator, head, wire) = record?;
            if only.is_none_or(|only| only == head.namespace)
                && self.is_current(head.namespace, wire.key, locator)
            {
                found.extend(self.scanned(&wire, locator)?);
            }
        }
        Ok(Some(found))
    }

    fn scanned(&self, wire: &WireRecord<'_>, locator: Locator) -> Result<Option<KeyInfo>> {
        let Some(record) = self.journal.complete(wire, locator)? else {
            return Ok(None);
        };
        let namespace = self.namespace_by_id(record.head.namespace)?;
        if !self.may_be_told(&namespace, locator)? {
            return Ok(None);
        }
        let state = state_of(&record, namespace.policy.guarantee);
        Ok(Some(self.info(&namespace, state, Arc::new(record))))
    }

    /// The running keys of a shard, those of one namespace or all; `None` after the last shard.
    pub(crate) fn running_keys(
        &self,
        shard: usize,
        only: Option<NamespaceId>,
    ) -> Result<Option<Vec<KeyInfo>>> {
        if shard >= self.shards.len() {
            return Ok(None);
        }
        let mut found = Vec::new();
        {
            let shard = self.shards.lock_at(shard);
            let now = self.now();
            let wanted = |id: NamespaceId| only.is_none_or(|only| only == id);
            for running in shard.running().filter(|running| wanted(running.namespace)) {
                let (state, record) = state_and_record(running, now);
                found.push((state, Arc::new(record)));
            }
        }
        let infos = found.into_iter().map(|(state, record)| {
            let namespace = self.namespace_by_id(record.head.namespace)?;
            Ok(self.info(&namespace, state, record))
        });
        infos.collect::<Result<_>>().map(Some)
    }
}
