//! What is told of a key that was ranked, if it is still what it was ranked for.

use std::sync::Arc;

use crate::engine::engine::Engine;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::told::{doubt_record, told_of};
use crate::state::found::Found;
use crate::state::ranked::Ranked;
use crate::state::slot::Settled;
use crate::value::error::Result;
use crate::value::key_info::KeyInfo;
use crate::value::key_state::KeyState;
use crate::value::record::Record;

/// A doubt, and whether its holder is alive in this process.
pub(crate) type FoundDoubt = (Arc<NamespaceCore>, Arc<Record>, bool);

impl Engine {
    /// The doubt that was ranked; `None` when it was settled meanwhile.
    ///
    /// A record that compaction carries off before it is read is looked up again, so callers need not
    /// keep compaction waiting.
    pub(crate) fn ranked_doubt(&self, ranked: &Ranked) -> Result<Option<FoundDoubt>> {
        let token = ranked.rank.token();
        loop {
            let locator = {
                let (shard, now) = self.lock(ranked.digest);
                match shard.find(ranked.digest, now.store_secs) {
                    Found::Running(at) => {
                        let running = shard.get(at).filter(|running| running.is_in_doubt(now));
                        let Some(running) = running.filter(|running| running.holder.token == token)
                        else {
                            return Ok(None);
                        };
                        let record = doubt_record(running, now);
                        let alive = running.is_guarded();
                        drop(shard);
                        return self.found(record, alive);
                    }
                    Found::Settled(_, Settled::InDoubt, locator) => locator,
                    _ => return Ok(None),
                }
            };
            let Some(record) = self.read(locator)? else {
                continue;
            };
            if record.head.token != token {
                return Ok(None);
            }
            let namespace = self.namespace_by_id(record.head.namespace)?;
            if !self.may_be_told(&namespace, locator)? {
                return Ok(None);
            }
            let alive = self.doubted_guards.is_alive(token);
            return Ok(Some((namespace, Arc::new(record), alive)));
        }
    }

    fn found(&self, record: Record, alive: bool) -> Result<Option<FoundDoubt>> {
        let namespace = self.namespace_by_id(record.head.namespace)?;
        Ok(Some((namespace, Arc::new(record), alive)))
    }

    /// The key in progress that was ranked; `None` when it is something else by now.
    pub(crate) fn ranked_running(&self, ranked: &Ranked) -> Result<Option<KeyInfo>> {
        let record = {
            let (shard, now) = self.lock(ranked.digest);
            let Found::Running(at) = shard.find(ranked.digest, now.store_secs) else {
                return Ok(None);
            };
            let running = shard.get(at).filter(|running| !running.is_in_doubt(now));
            let Some(running) =
                running.filter(|running| running.holder.token == ranked.rank.token())
            else {
                return Ok(None);
            };
            told_of(running, now).1
        };
        let namespace = self.namespace_by_id(record.head.namespace)?;
        let info = self.info(&namespace, KeyState::InProgress, Arc::new(record));
        Ok(Some(info))
    }
}
