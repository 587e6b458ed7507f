//! The guard of a lease: whether its lease is lost, and what happens when it goes away.

use std::task::Waker;

use crate::engine::call::claim::held;
use crate::engine::change::Prepared;
use crate::engine::engine::Engine;
use crate::engine::named::Named;
use crate::state::holder::Guard;
use crate::state::transition::Command;
use crate::value::digest::Digest;
use crate::value::fencing_token::FencingToken;

impl Engine {
    /// Whether the lease of this token has lapsed, or the token is not current any more.
    pub(crate) fn is_lost(&self, digest: Digest, token: FencingToken) -> bool {
        if self.check_alive().is_err() {
            return true;
        }
        let (shard, now) = self.lock(digest);
        let Some(at) = held(&shard, digest, token, now.store_secs) else {
            return true;
        };
        shard.get(at).is_none_or(|running| running.is_lapsed(now))
    }

    /// As [`is_lost`](Self::is_lost), and wakes `waker` when it changes.
    pub(crate) fn watch_lost(&self, digest: Digest, token: FencingToken, waker: &Waker) -> bool {
        if self.is_forked() {
            return true;
        }
        // Cloning a waker runs foreign code, so it comes before the lock.
        let waker = waker.clone();
        let (mut shard, now) = self.lock(digest);
        let at = held(&shard, digest, token, now.store_secs);
        let running = at
            .and_then(|at| shard.get_mut(at))
            .filter(|running| !running.is_lapsed(now));
        // Under the lock: a store that is closed later finds the waker here.
        let Some(running) = running.filter(|_| !self.is_closed()) else {
            return true;
        };
        let known = running
            .rest
            .watchers
            .iter()
            .any(|other| other.will_wake(&waker));
        let spare = if known {
            Some(waker)
        } else {
            running.rest.to_mut().watchers.push(waker);
            None
        };
        drop(shard);
        drop(spare);
        false
    }

    /// How much of the lease is left, in milliseconds.
    pub(crate) fn lease_left_ms(&self, digest: Digest, token: FencingToken) -> u64 {
        if self.is_forked() {
            return 0;
        }
        let (shard, now) = self.lock(digest);
        let at = held(&shard, digest, token, now.store_secs);
        at.and_then(|at| shard.get(at)).map_or(0, |running| {
            running.lease_end_ms().saturating_sub(now.mono_ms)
        })
    }

    /// A ticket takes the place of the guard of this token.
    pub(crate) fn disarm(&self, digest: Digest, token: FencingToken) {
        if self.is_forked() {
            return;
        }
        let (mut shard, now) = self.lock(digest);
        let at = held(&shard, digest, token, now.store_secs);
        if let Some(running) = at.and_then(|at| shard.get_mut(at)) {
            (running.holder.guard, running.holder.attached) = (Guard::Ticket, false);
        }
    }

    /// The guard of this token went away after a refusal, so no holder settles the key any more: its
    /// lease runs out, renewed one last time where the store renewed it.
    pub(crate) fn let_run_out(&self, digest: Digest, token: FencingToken) {
        // A thread that only the parent has may hold the lock.
        if self.is_forked() {
            return;
        }
        let (mut shard, now) = self.lock(digest);
        let at = held(&shard, digest, token, now.store_secs);
        if let Some((at, running)) = at.and_then(|at| Some((at, shard.get_mut(at)?))) {
            running.holder.guard = Guard::Nobody;
            let one_lease_ms = now.mono_ms.saturating_add(running.holder.lease_ms);
            let renewed_ms = running.rest.holder.keep_alive_until_ms.min(one_lease_ms);
            running.holder.deadline_ms = running.holder.deadline_ms.max(renewed_ms);
            if let Some(rest) = running.rest.get_mut() {
                rest.holder.keep_alive_until_ms = 0;
            }
            shard.arm(at);
        }
        drop(shard);
        self.doubted_guards.end(token);
    }

    /// The guard of this token was dropped without an outcome. Neither waits nor reads nor writes
    /// beyond memory.
    pub(crate) fn abandon(&self, named: Named<'_>, token: FencingToken) {
        if self.check_alive().is_err() || self.journal.is_poisoned() {
            return;
        }
        let (shard, now) = self.lock(named.digest);
        if let Some(at) = held(&shard, named.digest, token, now.store_secs) {
            // Superseded meanwhile, it has nothing to give up.
            let _ = self.act_on_running(
                shard,
                at,
                named,
                token,
                Command::Abandon,
                Prepared::default(),
                now,
            );
        } else {
            drop(shard);
            self.doubted_guards.end(token);
        }
    }
}
