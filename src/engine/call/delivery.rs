//! Grants on their way to their holders: handed out, or taken back.

use crate::engine::call::answer::Answer;
use crate::engine::call::claim::held;
use crate::engine::engine::{Engine, Turn};
use crate::engine::named::Named;
use crate::engine::shards::EngineShard;
use crate::state::request::Request;
use crate::state::slab::SlabRef;
use crate::value::digest::Digest;
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;
use crate::value::time::Now;

/// A grant that its holder has not got yet.
pub(crate) struct Undelivered<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) digest: Digest,
    /// `None` once it is delivered.
    pub(crate) token: Option<FencingToken>,
}

impl Drop for Undelivered<'_> {
    fn drop(&mut self) {
        if let Some(token) = self.token {
            self.engine.withdraw(self.digest, token);
        }
    }
}

impl Engine {
    /// Hands out a grant that was on its way, and lets its lease begin; false if it was lost
    /// meanwhile, or the store was closed: `close` takes back what it finds on its way.
    pub(crate) fn start_lease(
        &self,
        digest: Digest,
        token: FencingToken,
        request: &Request,
    ) -> bool {
        let (mut shard, now) = self.lock(digest);
        if self.is_closed() {
            return false;
        }
        let at = held(&shard, digest, token, now.store_secs);
        let running = at.and_then(|at| Some((at, shard.get(at)?)));
        let Some((at, running)) = running.filter(|(_, running)| !running.is_lapsed(now)) else {
            return false;
        };
        let lease_ms = running.holder.lease_ms;
        shard.set_deadline(at, now.mono_ms.saturating_add(lease_ms));
        let end_ms = hand_out(&mut shard, at, request, now);
        drop(shard);
        self.alarm.hint(end_ms.unwrap_or(u64::MAX));
        true
    }

    /// Waits for what the answer rests on, and counts it. A grant that is not delivered is taken
    /// back; `None` when it was lost while it waited.
    pub(crate) async fn hand_out(
        &self,
        named: Named<'_>,
        request: &Request,
        answer: Answer,
        rests_on: Option<u64>,
    ) -> Result<Option<Answer>> {
        let token = match &answer {
            Answer::Granted(granted) => Some(granted.token).filter(|_| granted.undelivered),
            _ => None,
        };
        let mut undelivered = Undelivered {
            engine: self,
            digest: named.digest,
            token,
        };
        self.rest(rests_on).await?;
        if let Some(token) = token {
            self.check_alive()?;
            if !self.start_lease(named.digest, token, request) {
                return Ok(None);
            }
        }
        undelivered.token = None;
        self.count_claim(named, answer.outcome());
        Ok(Some(answer))
    }

    /// Hands a grant out that has nothing to wait for.
    pub(crate) fn hand_out_now(
        &self,
        turn: &mut Turn<'_>,
        named: Named<'_>,
        request: &Request,
        answer: &Answer,
    ) {
        let Answer::Granted(granted) = answer else {
            return;
        };
        if !granted.undelivered && request.keep_alive_ms == 0 {
            return;
        }
        let (shard, now) = (&mut turn.shard, turn.now);
        if let Some(at) = held(shard, named.digest, granted.token, now.store_secs) {
            let end_ms = hand_out(shard, at, request, now);
            self.alarm.hint(end_ms.unwrap_or(u64::MAX));
        }
    }
}

/// Marks a grant as handed out, and keeps its lease alive where the claim asked for that. Gives when
/// the lease ends.
pub(in crate::engine) fn hand_out(
    shard: &mut EngineShard,
    at: SlabRef,
    request: &Request,
    now: Now,
) -> Option<u64> {
    let running = shard.get_mut(at)?;
    running.holder.undelivered = false;
    if request.keep_alive_ms == 0 {
        return Some(running.lease_end_ms());
    }
    let until_ms = now.mono_ms.saturating_add(request.keep_alive_ms);
    running.rest.to_mut().holder.keep_alive_until_ms = until_ms;
    let end_ms = running.lease_end_ms();
    shard.arm(at);
    Some(end_ms)
}
