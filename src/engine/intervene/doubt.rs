//! The doubt of a key, and whether a namespace has any.

use std::sync::Arc;

use crate::engine::description::doubt_record;
use crate::engine::engine::Engine;
use crate::engine::look::Met;
use crate::engine::named::Named;
use crate::engine::turn::Turn;
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
        if let Some(running) = self.turn(named.digest).running_doubt(named)? {
            return Ok(Some(running));
        }
        let settled = self.get(named).await?;
        let doubt = settled.filter(|info| info.state == KeyState::InDoubt);
        Ok(doubt.map(|info| {
            let alive = self.doubted_guards.is_alive(info.record.head.token);
            (info.record, alive)
        }))
    }

    /// Whether a namespace has keys in progress or in doubt, including claims that a crash left.
    pub(crate) fn has_unsettled(&self, id: NamespaceId) -> Result<bool> {
        for shard in self.shards.all() {
            if shard.running().any(|running| running.namespace == id) {
                return Ok(true);
            }
        }
        // Under either guarantee: a holder may doubt under at-least-once too, and a claim that a crash left
        // would be in doubt under at-most-once.
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

    /// The places of the records of keys in these states.
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

impl Turn<'_> {
    fn running_doubt(&self, named: Named<'_>) -> Result<Option<(Arc<Record>, bool)>> {
        let Met::Running(at) = self.meet(named, None)? else {
            return Ok(None);
        };
        let running = self.running(at);
        Ok(running.is_in_doubt(self.now).then(|| {
            let doubt = doubt_record(running, self.now);
            (Arc::new(doubt), running.is_guarded())
        }))
    }
}
