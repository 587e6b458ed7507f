//! Tickets that become leases again.

use std::sync::Arc;

use crate::engine::audit::by::By;
use crate::engine::call::admission::Entry;
use crate::engine::call::answer::Read;
use crate::engine::call::granted::Granted;
use crate::engine::change::Prepared;
use crate::engine::engine::Engine;
use crate::engine::named::{Named, check_same_key};
use crate::engine::refusals::{Refused, not_held, refused};
use crate::engine::shards::Locked;
use crate::engine::told::state_of;
use crate::state::found::Found;
use crate::state::grant::Grant;
use crate::state::holder::Guard;
use crate::state::request::Request;
use crate::state::running::Running;
use crate::state::slab::SlabRef;
use crate::state::transition::{
    AttachRefusal, Basis, Refusal, Subject, asked_retention, attach_running, attach_settled,
    attaches_once,
};
use crate::value::audit::Transition;
use crate::value::blob::Blob;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::guarantee::Guarantee;
use crate::value::key_info::KeyInfo;
use crate::value::key_state::KeyState;
use crate::value::record::{Record, RecordKind};
use crate::value::time::{Now, millis};

impl Engine {
    /// Turns a ticket into the right to settle its key again. The grant may rest on a record: that
    /// the ticket was used is on the medium before an effect begins that must not run twice.
    pub(crate) fn attach(&self, named: Named<'_>, token: FencingToken) -> Result<Granted, Refused> {
        self.check_change()?;
        self.journal.check()?;
        if attaches_once(&named.namespace.policy) {
            self.make_room().wait()?;
        }
        let mut read: Option<Read> = None;
        loop {
            let (shard, now) = self.lock(named.digest);
            let locator = match shard.find(named.digest, now.store_secs) {
                Found::Running(at) => {
                    return Ok(self.attach_to_running(shard, at, named, token, now)?);
                }
                Found::Absent => return Err(not_held().into()),
                Found::Forgotten(locator) => {
                    let rests_on = self.rests_on(named.namespace, locator);
                    return Err(Refused::resting_on(not_held(), rests_on));
                }
                Found::Settled(_, _, locator) => locator,
            };
            if let Some((_, record)) = read.as_ref().filter(|(at, _)| *at == locator) {
                check_same_key(&record.key, named.key)?;
                let rests_on = self.rests_on(named.namespace, locator);
                let attached = self.attach_to_settled(shard, named, token, record, now);
                return attached.map_err(|error| Refused::resting_on(error, rests_on));
            }
            drop(shard);
            read = self
                .read(locator)?
                .map(|record| (locator, Arc::new(record)));
        }
    }

    fn attach_to_running(
        &self,
        mut shard: Locked<'_>,
        at: SlabRef,
        named: Named<'_>,
        token: FencingToken,
        now: Now,
    ) -> Result<Granted> {
        let running = shard.running_at(at);
        check_same_key(&running.key, named.key)?;
        if let Err(refusal) = attach_running(running, token) {
            return Err(unattached(refusal, self.running_info(named, running, now)));
        }
        // It runs already, so no limit stands in its way.
        self.check_open()?;
        self.check_salvaged(&named.namespace.policy)?;
        Ok(self.attached(&mut shard, at, named, now))
    }

    fn attach_to_settled(
        &self,
        mut shard: Locked<'_>,
        named: Named<'_>,
        token: FencingToken,
        record: &Arc<Record>,
        now: Now,
    ) -> Result<Granted> {
        let policy = &named.namespace.policy;
        if let Err(refusal) = attach_settled(record, token, policy) {
            let state = state_of(record, policy.guarantee);
            let info = self.info(named.namespace, state, Arc::clone(record));
            return Err(unattached(refusal, info));
        }
        self.admit(&mut shard, named.digest, policy, Entry::Resume)?;
        let grant = Grant {
            namespace: named.namespace.id,
            column: named.namespace.column,
            policy,
            key: named.key.into(),
            token,
            request: Request {
                fingerprint: record.fingerprint.clone(),
                metadata: record.metadata.clone(),
                actor: Blob::EMPTY,
                lease_ms: millis(policy.lease),
                retention: asked_retention(&record.head),
                keep_alive_ms: 0,
            },
            basis: Basis {
                attempt: record.head.attempt,
                same_request: true,
                continues: true,
            },
            record: Some(Arc::clone(record)),
        };
        let at = shard.grant(named.digest, grant, now);
        let running = shard.running_at_mut(at);
        running.holder.journaled = true;
        running.rest.to_mut().previous = None;
        let deadline_ms = running.holder.deadline_ms;
        let granted = self.attached(&mut shard, at, named, now);
        drop(shard);
        self.alarm.hint(deadline_ms);
        Ok(granted)
    }

    /// Gives a running key a guard again, and writes down that the ticket was used where it must not
    /// be used twice.
    fn attached(&self, shard: &mut Locked<'_>, at: SlabRef, named: Named<'_>, now: Now) -> Granted {
        let running = shard.running_at_mut(at);
        running.holder.guard = Guard::Lease;
        running.holder.attached = attaches_once(&running.policy);
        let mut granted = granted_of(running);
        let (transition, by) = (Transition::Attached, By::Caller(&[]));
        if !running.holder.attached {
            self.append_audit(self.audit_running(transition, by, running, now), now);
            return granted;
        }
        let (kind, last) = (RecordKind::InProgress, running.rest.last_record);
        let record =
            Subject::of_running(running).record(kind, &running.rest.holder.checkpoint, now);
        let (policy, head) = (&running.policy, record.head);
        let made = (transition, by);
        let locator = self.append_transition(&record, made, policy, Prepared::default(), last, now);
        let waits = policy.guarantee == Guarantee::AtMostOnce && !self.options.ephemeral;
        let waits = waits || self.is_sync(named.namespace);
        granted.rests_on = waits.then_some(locator.frame);
        let guarantee = policy.guarantee;
        shard.apply(named.digest, &head, guarantee, locator);
        granted
    }
}

/// What the bearer of a ticket is told who does not become the holder.
fn unattached(refusal: AttachRefusal, info: KeyInfo) -> Error {
    let is = format!(
        " (the key is {} under token {})",
        info.state(),
        info.token()
    );
    let (kind, text) = match refusal {
        AttachRefusal::NotHeld => return not_held(),
        AttachRefusal::Superseded => return refused(Refusal::Superseded, Some(info)),
        AttachRefusal::Settled => (
            ErrorKind::AlreadySettled,
            "the key of this ticket has its outcome: answer with that, and run nothing",
        ),
        AttachRefusal::Released => (
            ErrorKind::AlreadySettled,
            "the lease of this ticket has ended without an outcome: claim the key to go on",
        ),
        AttachRefusal::Held => (
            ErrorKind::InUse,
            "the lease of this ticket is held in this process already: let it end, or detach it there first",
        ),
        AttachRefusal::Used if info.state() == KeyState::InDoubt => (
            ErrorKind::InUse,
            "this ticket was used, and nobody knows whether its effect happened: settle the doubt with Doubt::resolve",
        ),
        AttachRefusal::Used => (
            ErrorKind::InUse,
            "this ticket was used, and its holder has gone without an outcome: claim the key once its lease has lapsed",
        ),
    };
    Error::new(kind, format!("{text}{is}")).with_current(info)
}

fn granted_of<W: 'static>(running: &Running<W>) -> Granted {
    Granted {
        key: Arc::clone(&running.key),
        token: running.holder.token,
        attempt: running.holder.attempt,
        checkpoint: running.rest.holder.checkpoint.clone(),
        reason: running.rest.reason.clone(),
        first_claimed_at: running.first_claimed_at,
        rests_on: None,
        undelivered: false,
    }
}
