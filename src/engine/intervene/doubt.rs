//! The doubt of a key, and whether a namespace has any.

use std::sync::Arc;

use crate::engine::engine::Engine;
use crate::engine::named::{Named, check_same_key};
use crate::engine::told::doubt_record;
use crate::state::found::Found;
use crate::state::slot::{Place, Settled};
use crate::value::error::Result;
use crate::value::key_state::KeyState;
use crate::value::locator::Locator;
use crate::value::namespace_id::NamespaceId;
use crate::value::record::{Record, RecordKind};

impl Engine {
    /// The doubt of a key, and whether its holder is alive in this process.
    pub(crate) async fn doubt_of(&self, named: Named<'_>) -> Result<Option<(Arc<Record>, bool)>> {
        self.check_alive()?;
        if let Some(running) = self.running_doubt_of(named)? {
            return Ok(Some(running));
        }
        let settled = self.get(named).await?;
        let doubt = settled.filter(|info| info.state == KeyState::InDoubt);
        Ok(doubt.map(|info| {
            let alive = self.doubted_guards.is_alive(info.record.head.token);
            (info.record, alive)
        }))
    }

    fn running_doubt_of(&self, named: Named<'_>) -> Result<Option<(Arc<Record>, bool)>> {
        let (shard, now) = self.lock(named.digest);
        let Found::Running(at) = shard.find(named.digest, now.store_secs) else {
            return Ok(None);
        };
        let Some(running) = shard.get(at).filter(|running| running.is_in_doubt(now)) else {
            return Ok(None);
        };
        check_same_key(&running.key, named.key)?;
        let doubt = Arc::new(doubt_record(running, now));
        Ok(Some((doubt, running.is_guarded())))
    }

    /// Whether a namespace has keys in progress or in doubt, claims that a crash left among them.
    pub(crate) fn has_unsettled(&self, id: NamespaceId) -> Result<bool> {
        for shard in self.shards.all() {
            if shard.running().any(|running| running.namespace == id) {
                return Ok(true);
            }
        }
        // Under either guarantee: a holder may doubt under at-least-once too, and what a crash left
        // of a claim would come into doubt under at-most-once.
        for locator in self.settled_in(&[Settled::InDoubt, Settled::Released]) {
            let Some(record) = self.read(locator)? else {
                continue;
            };
            if record.head.namespace == id && record.head.kind != RecordKind::Released {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where the records of keys in these states lie.
    fn settled_in(&self, states: &[Settled]) -> Vec<Locator> {
        let mut locators = Vec::new();
        for shard in self.shards.all() {
            locators.extend(shard.slots().filter_map(|slot| match slot.place() {
                Place::Settled(settled, locator) if states.contains(&settled) => Some(locator),
                _ => None,
            }));
        }
        locators
    }
}
