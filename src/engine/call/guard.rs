//! The guard of a lease: whether its lease is lost, and what happens when it goes away.

use std::task::Waker;

use crate::engine::call::holder_command::HolderCommand;
use crate::engine::change::Prepared;
use crate::engine::engine::Engine;
use crate::engine::named::Named;
use crate::engine::turn::Turn;
use crate::state::holder::Guard;
use crate::state::slab::SlabRef;
use crate::state::transition::Command;
use crate::value::digest::Digest;
use crate::value::fencing_token::FencingToken;

impl Engine {
    /// Whether the lease of this token has lapsed, or the token is no longer current.
    pub(crate) fn is_lost(&self, digest: Digest, token: FencingToken) -> bool {
        if self.check_alive().is_err() {
            return true;
        }
        self.turn(digest).held_unlapsed(digest, token).is_none()
    }

    /// As [`is_lost`](Self::is_lost), and wakes `waker` when it changes.
    pub(crate) fn watch_lost(&self, digest: Digest, token: FencingToken, waker: &Waker) -> bool {
        if self.is_forked() {
            return true;
        }
        // Cloning a waker runs foreign code, so it comes before the lock; dropping it, after.
        let mut waker = Some(waker.clone());
        let mut turn = self.turn(digest);
        let held = turn.held_unlapsed(digest, token);
        // Under the lock: a store that is closed later finds the waker here.
        let Some(at) = held.filter(|_| !self.is_closed()) else {
            return true;
        };
        let rest = &mut turn.running_mut(at).rest;
        let is_known = |known: &Waker| waker.as_ref().is_some_and(|waker| known.will_wake(waker));
        if !rest.watchers.iter().any(is_known) {
            rest.to_mut().watchers.extend(waker.take());
        }
        false
    }

    /// How much of the lease is left, in milliseconds.
    pub(crate) fn lease_left_ms(&self, digest: Digest, token: FencingToken) -> u64 {
        if self.is_forked() {
            return 0;
        }
        let turn = self.turn(digest);
        turn.held(digest, token).map_or(0, |at| {
            let end_ms = turn.running(at).lease_end_ms();
            end_ms.saturating_sub(turn.now.mono_ms)
        })
    }

    /// A ticket takes the place of the guard of this token.
    pub(crate) fn disarm(&self, digest: Digest, token: FencingToken) {
        if self.is_forked() {
            return;
        }
        let mut turn = self.turn(digest);
        if let Some(at) = turn.held(digest, token) {
            let holder = &mut turn.running_mut(at).holder;
            (holder.guard, holder.attached) = (Guard::Ticket, false);
        }
    }

    /// The guard of this token went away after a refusal, so no holder settles the key any more: its
    /// lease runs out, renewed one last time where the store renewed it.
    pub(crate) fn let_run_out(&self, digest: Digest, token: FencingToken) {
        // A thread that only the parent has may hold the lock.
        if self.is_forked() {
            return;
        }
        let mut turn = self.turn(digest);
        if let Some(at) = turn.held(digest, token) {
            turn.let_run_out(at);
        }
        drop(turn);
        self.doubted_guards.end(token);
    }

    /// The guard of this token was dropped without an outcome. Neither waits nor reads nor writes
    /// beyond memory.
    pub(crate) fn abandon(&self, named: Named<'_>, token: FencingToken) {
        if self.check_alive().is_err() || self.journal.is_poisoned() {
            return;
        }
        let mut turn = self.turn(named.digest);
        if let Some(at) = turn.held(named.digest, token) {
            let held_command = HolderCommand {
                named,
                token,
                command: Command::Abandon,
            };
            // If another key has this digest, the guard has nothing to give up.
            let is_same = named.check_same_key(&turn.running(at).key).is_ok();
            let _ =
                is_same.then(|| turn.act_on_running(at, held_command, &mut Prepared::default()));
        } else {
            drop(turn);
            self.doubted_guards.end(token);
        }
    }
}

impl Turn<'_> {
    fn held_unlapsed(&self, digest: Digest, token: FencingToken) -> Option<SlabRef> {
        let held = self.held(digest, token);
        held.filter(|at| !self.running(*at).is_lapsed(self.now))
    }

    fn let_run_out(&mut self, at: SlabRef) {
        let now_ms = self.now.mono_ms;
        let running = self.running_mut(at);
        let holder = &mut running.holder;
        holder.guard = Guard::Gone;
        if let Some(rest) = running.rest.get_mut() {
            let renewed_ms = std::mem::take(&mut rest.holder.keep_alive_until_ms);
            let one_lease_ms = now_ms.saturating_add(holder.lease_ms);
            holder.deadline_ms = holder.deadline_ms.max(renewed_ms.min(one_lease_ms));
        }
        self.shard.arm(at);
    }
}
