//! What a list shows of a ranked key, if its state is still the one that it was ranked for.

use std::sync::Arc;

use crate::engine::engine::Engine;
use crate::engine::namespaces::NamespaceCore;
use crate::engine::told::{doubt_record, told_of};
use crate::state::found::Found;
use crate::state::ranked::Ranked;
use crate::state::slot::Settled;
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
use crate::value::key_info::KeyInfo;
use crate::value::key_state::KeyState;
use crate::value::locator::Locator;
use crate::value::record::Record;

/// A doubt, and whether its holder is alive in this process.
pub(crate) type FoundDoubt = (Arc<NamespaceCore>, Arc<Record>, bool);

impl Engine {
    /// The doubt that was ranked; `None` when it was settled meanwhile.
    ///
    /// A record that compaction moves before it is read is looked up again, so callers need not keep
    /// compaction waiting.
    pub(crate) fn ranked_doubt(&self, ranked: &Ranked) -> Result<Option<FoundDoubt>> {
        let token = ranked.rank.token();
        loop {
            let turn = self.turn(ranked.digest);
            let locator = match turn.find(ranked.digest) {
                Found::Running(at) => {
                    let running = turn.running(at);
                    if !running.is_in_doubt(turn.now) || running.holder.token != token {
                        return Ok(None);
                    }
                    let (record, alive) = (doubt_record(running, turn.now), running.is_guarded());
                    drop(turn);
                    return self.found(record, alive);
                }
                Found::Settled(_, Settled::InDoubt, locator) => locator,
                _ => return Ok(None),
            };
            drop(turn);
            if let Some(record) = self.read(locator)? {
                return self.settled_doubt(record, locator, token);
            }
        }
    }

    fn settled_doubt(
        &self,
        record: Record,
        locator: Locator,
        token: FencingToken,
    ) -> Result<Option<FoundDoubt>> {
        if record.head.token != token {
            return Ok(None);
        }
        let namespace = self.namespace_by_id(record.head.namespace)?;
        if !self.may_be_told(&namespace, locator)? {
            return Ok(None);
        }
        let alive = self.doubted_guards.is_alive(token);
        Ok(Some((namespace, Arc::new(record), alive)))
    }

    fn found(&self, record: Record, alive: bool) -> Result<Option<FoundDoubt>> {
        let namespace = self.namespace_by_id(record.head.namespace)?;
        Ok(Some((namespace, Arc::new(record), alive)))
    }

    /// The key in progress that was ranked; `None` if it has ended meanwhile.
    pub(crate) fn ranked_running(&self, ranked: &Ranked) -> Result<Option<KeyInfo>> {
        let turn = self.turn(ranked.digest);
        let Found::Running(at) = turn.find(ranked.digest) else {
            return Ok(None);
        };
        let running = turn.running(at);
        if running.is_in_doubt(turn.now) || running.holder.token != ranked.rank.token() {
            return Ok(None);
        }
        let record = told_of(running, turn.now).1;
        drop(turn);
        let namespace = self.namespace_by_id(record.head.namespace)?;
        let info = self.info(&namespace, KeyState::InProgress, Arc::new(record));
        Ok(Some(info))
    }
}
