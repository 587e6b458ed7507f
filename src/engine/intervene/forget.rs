//! Removing keys.

use std::sync::Arc;

use crate::engine::aftermath::Aftermath;
use crate::engine::audit::by::By;
use crate::engine::call::answer::Read;
use crate::engine::change::Prepared;
use crate::engine::engine::Engine;
use crate::engine::named::{Named, check_same_key};
use crate::engine::refusals::Refused;
use crate::engine::shards::Locked;
use crate::state::found::Found;
use crate::state::last_record::LastRecord;
use crate::state::slot::Settled;
use crate::value::attribution::Attribution;
use crate::value::audit::Transition;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::key_state::KeyState;
use crate::value::record::RecordRef;
use crate::value::time::Now;

impl Engine {
    /// Removes a key. A running one, or one in doubt, only when forced with its token.
    ///
    /// Gives whether there was such a key, and the frame that the acknowledgement waits for: that of
    /// an earlier removal too: no caller may be told of one that a power cut could undo.
    pub(crate) fn forget(
        &self,
        named: Named<'_>,
        force: Option<FencingToken>,
        by: Option<&Attribution>,
    ) -> Result<(bool, Option<u64>), Refused> {
        self.check_change()?;
        let mut read: Option<Read> = None;
        loop {
            let (shard, now) = self.lock(named.digest);
            let last = match shard.find(named.digest, now.store_secs) {
                Found::Absent => return Ok((false, None)),
                Found::Forgotten(locator) => return Ok((false, Some(locator.frame))),
                Found::Running(at) => {
                    let running = shard.running_at(at);
                    check_same_key(&running.key, named.key)?;
                    if force != Some(running.holder.token) {
                        let info = self.running_info(named, running, now);
                        let error = unforced(running.holder.token, force).with_current(info);
                        return Err(error.into());
                    }
                    running.rest.last_record
                }
                Found::Settled(slot, settled, locator) => {
                    if settled == Settled::InDoubt {
                        let Some((_, record)) = read.as_ref().filter(|(at, _)| *at == locator)
                        else {
                            drop(shard);
                            read = self
                                .read(locator)?
                                .map(|record| (locator, Arc::new(record)));
                            continue;
                        };
                        check_same_key(&record.key, named.key)?;
                        if force != Some(record.head.token) {
                            let info =
                                self.info(named.namespace, KeyState::InDoubt, Arc::clone(record));
                            let rests_on = self.rests_on(named.namespace, locator);
                            let error = unforced(record.head.token, force).with_current(info);
                            return Err(Refused::resting_on(error, rests_on));
                        }
                    }
                    Some(LastRecord {
                        locator,
                        expires_at: slot.expires_at(),
                    })
                }
            };
            let frame = self.remove(shard, named, last, By::or_caller(by), now)?;
            return Ok((true, Some(frame)));
        }
    }

    fn remove(
        &self,
        mut shard: Locked<'_>,
        named: Named<'_>,
        last: Option<LastRecord>,
        by: By<'_>,
        now: Now,
    ) -> Result<u64> {
        self.check_open()?;
        let token = self.tokens.next(&self.journal)?;
        let record = RecordRef::forgotten(named.namespace.id, named.key, token, now.store_secs);
        let policy = &named.namespace.policy;
        let made = (Transition::Forgotten, by);
        let locator = self.append_transition(&record, made, policy, Prepared::default(), last, now);
        let ended = shard.apply(
            named.digest,
            &record.head,
            named.namespace.policy.guarantee,
            locator,
        );
        let tallies = &mut shard.tallies;
        tallies.count(named.namespace.column, |counters| counters.forgotten += 1);
        let mut aftermath = Aftermath::default();
        if let Some(ended) = ended {
            self.wake_all(ended, &mut aftermath);
        }
        drop(shard);
        aftermath.carry_out();
        Ok(locator.frame)
    }
}

fn unforced(current: FencingToken, forced: Option<FencingToken>) -> Error {
    match forced {
        None => Error::new(
            ErrorKind::InUse,
            "the key is in progress or in doubt: settle it first, or force this with its token",
        ),
        Some(forced) => Error::new(
            ErrorKind::Superseded,
            format!(
                "the key is held under token {current}, not {forced}: look at it again before forcing this"
            ),
        ),
    }
}
