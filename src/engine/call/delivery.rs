//! Grants on their way to their holders: handed out, or taken back.

use crate::engine::call::answer::Answer;
use crate::engine::engine::Engine;
use crate::engine::named::Named;
use crate::engine::turn::Turn;
use crate::state::request::Request;
use crate::state::slab::SlabRef;
use crate::value::digest::Digest;
use crate::value::error::Result;
use crate::value::fencing_token::FencingToken;

/// A grant that its holder has not got yet.
struct Undelivered<'a> {
    engine: &'a Engine,
    digest: Digest,
    /// `None` once it is delivered.
    token: Option<FencingToken>,
}

impl Drop for Undelivered<'_> {
    fn drop(&mut self) {
        if let Some(token) = self.token {
            self.engine.withdraw(self.digest, token);
        }
    }
}

impl Engine {
    /// Waits for what the answer rests on, and counts it. A grant that is not delivered is taken
    /// back; `None` when it was lost while it waited.
    pub(in crate::engine) async fn hand_out(
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

    /// Hands out a grant that was on its way, and lets its lease begin; false if it was lost
    /// meanwhile, or the store was closed: `close` takes back what it finds on its way.
    pub(in crate::engine) fn start_lease(
        &self,
        digest: Digest,
        token: FencingToken,
        request: &Request,
    ) -> bool {
        let mut turn = self.turn(digest);
        if self.is_closed() {
            return false;
        }
        let Some(at) = turn.held(digest, token) else {
            return false;
        };
        let (running, now) = (turn.running(at), turn.now);
        if running.is_lapsed(now) {
            return false;
        }
        let deadline_ms = now.mono_ms.saturating_add(running.holder.lease_ms);
        turn.shard.set_deadline(at, deadline_ms);
        turn.hand_out(at, request);
        true
    }
}

impl Turn<'_> {
    /// Hands a grant out that has nothing to wait for.
    #[inline]
    pub(in crate::engine) fn hand_out_now(
        &mut self,
        digest: Digest,
        request: &Request,
        answer: &Answer,
    ) {
        let Answer::Granted(granted) = answer else {
            return;
        };
        if !granted.undelivered && request.keep_alive_ms == 0 {
            return;
        }
        if let Some(at) = self.held(digest, granted.token) {
            self.hand_out(at, request);
        }
    }

    /// Marks a grant as handed out, and keeps its lease alive where the claim asked for that.
    fn hand_out(&mut self, at: SlabRef, request: &Request) {
        let now_ms = self.now.mono_ms;
        let running = self.running_mut(at);
        running.holder.undelivered = false;
        if request.keep_alive_ms > 0 {
            let until_ms = now_ms.saturating_add(request.keep_alive_ms);
            running.rest.to_mut().holder.keep_alive_until_ms = until_ms;
        }
        let end_ms = running.lease_end_ms();
        if request.keep_alive_ms > 0 {
            self.shard.arm(at);
        }
        self.engine.alarm.hint(end_ms);
    }
}
