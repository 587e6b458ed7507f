//! What a list shows of a ranked key, if its state is still the one that it was ranked for.

use std::sync::Arc;

use crate::engine::description::{doubt_record, state_and_record};
use crate::engine::engine::Engine;
use crate::engine::look::{Look, Read};
use crate::engine::namespaces::NamespaceCore;
use crate::engine::turn::Turn;
use crate::state::found::Found;
use crate::state::ranked::Ranked;
use crate::state::slot::Settled;
use crate::value::error::Result;
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
        let found = self.look_at(ranked.digest, |turn, read| turn.ranked_doubt(ranked, read))?;
        let Some((record, alive, at)) = found else {
            return Ok(None);
        };
        let namespace = self.namespace_by_id(record.head.namespace)?;
        let is_told = match at {
            Some(at) => self.may_be_told(&namespace, at)?,
            None => true,
        };
        Ok(is_told.then_some((namespace, record, alive)))
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
        let record = state_and_record(running, turn.now).1;
        drop(turn);
        let namespace = self.namespace_by_id(record.head.namespace)?;
        let info = self.info(&namespace, KeyState::InProgress, Arc::new(record));
        Ok(Some(info))
    }
}

/// A doubt, whether its holder is alive, and the place of its record if it has one.
type DoubtAt = (Arc<Record>, bool, Option<Locator>);

impl Turn<'_> {
    fn ranked_doubt(&self, ranked: &Ranked, read: Option<&Read>) -> Result<Look<Option<DoubtAt>>> {
        let token = ranked.rank.token();
        let doubt = match self.find(ranked.digest) {
            Found::Running(at) => {
                let running = self.running(at);
                let is_it = running.is_in_doubt(self.now) && running.holder.token == token;
                is_it.then(|| {
                    let record = Arc::new(doubt_record(running, self.now));
                    (record, running.is_guarded(), None)
                })
            }
            Found::Settled(_, Settled::InDoubt, at) => match read.filter(|read| read.locator == at)
            {
                Some(read) => (read.record.head.token == token).then(|| {
                    let alive = self.engine.doubted_guards.is_alive(token);
                    (Arc::clone(&read.record), alive, Some(at))
                }),
                None => return Ok(Look::Read(at)),
            },
            _ => None,
        };
        Ok(Look::Done(doubt))
    }
}
