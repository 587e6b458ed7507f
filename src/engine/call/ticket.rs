//! Tickets that become leases again.

use std::sync::Arc;

use crate::engine::audit::initiator::Initiator;
use crate::engine::call::admission::Admission;
use crate::engine::call::granted::Granted;
use crate::engine::change::{Change, claim_record};
use crate::engine::description::state_of;
use crate::engine::engine::Engine;
use crate::engine::look::{Look, Met, Read};
use crate::engine::named::Named;
use crate::engine::refusals::{Refused, not_held, refused};
use crate::engine::turn::Turn;
use crate::state::grant::Grant;
use crate::state::holder::Guard;
use crate::state::request::{Request, RequestParts};
use crate::state::slab::SlabRef;
use crate::state::transition::{
    AttachRefusal, Basis, Refusal, asked_retention, attach_running, attach_settled, attaches_once,
};
use crate::value::audit::Transition;
use crate::value::blob::Blob;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::fencing_token::FencingToken;
use crate::value::key_info::KeyInfo;
use crate::value::key_state::KeyState;
use crate::value::policy::Policy;
use crate::value::record::Record;
use crate::value::time::millis;

impl Engine {
    /// Turns a ticket into the right to settle its key again. The grant may rest on a record: that
    /// the ticket was used is on the medium before an effect begins that must not run twice.
    pub(crate) fn attach(&self, named: Named<'_>, token: FencingToken) -> Result<Granted, Refused> {
        self.check_change()?;
        self.journal.check()?;
        if attaches_once(&named.namespace.policy) {
            self.make_room().wait()?;
        }
        self.look(named, |turn, read| turn.attach(named, token, read))
    }
}

impl Turn<'_> {
    fn attach(
        &mut self,
        named: Named<'_>,
        token: FencingToken,
        read: Option<&Read>,
    ) -> Result<Look<Granted>, Refused> {
        let rests_on = |locator| self.engine.rests_on(named.namespace, locator);
        match self.meet(named, read)? {
            Met::Absent => Err(not_held().into()),
            Met::Forgotten(locator) => Err(Refused::resting_on(not_held(), rests_on(locator))),
            Met::Running(at) => Ok(Look::Done(self.attach_to_running(named, at, token)?)),
            Met::Settled(_, locator, None) => Ok(Look::Read(locator)),
            Met::Settled(_, locator, Some(record)) => {
                let rests_on = rests_on(locator);
                let attached = self.attach_to_settled(named, token, record);
                let attached = attached.map(Look::Done);
                attached.map_err(|error| Refused::resting_on(error, rests_on))
            }
        }
    }

    fn attach_to_running(
        &mut self,
        named: Named<'_>,
        at: SlabRef,
        token: FencingToken,
    ) -> Result<Granted> {
        let running = self.running(at);
        if let Err(refusal) = attach_running(running, token) {
            let info = self.engine.running_info(named, running, self.now);
            return Err(unattached(refusal, info));
        }
        // It runs already, so no limit refuses it.
        self.admit(named.digest, &named.namespace.policy, Admission::Attach)?;
        Ok(self.attached(named, at))
    }

    fn attach_to_settled(
        &mut self,
        named: Named<'_>,
        token: FencingToken,
        record: &Arc<Record>,
    ) -> Result<Granted> {
        let (namespace, policy) = (named.namespace, &named.namespace.policy);
        if let Err(refusal) = attach_settled(record, token, policy) {
            let state = state_of(record, policy.guarantee);
            let info = self.engine.info(namespace, state, Arc::clone(record));
            return Err(unattached(refusal, info));
        }
        self.admit(named.digest, policy, Admission::Resume)?;
        let grant = Grant {
            namespace: namespace.id,
            column: namespace.column,
            policy,
            key: named.key.into(),
            token,
            request: request_again(record, policy),
            basis: Basis {
                attempt: record.head.attempt,
                same_request: true,
                continues: true,
            },
            record: Some(Arc::clone(record)),
        };
        let at = self.shard.grant(named.digest, grant, self.now);
        let running = self.running_mut(at);
        running.holder.journaled = true;
        running.rest.to_mut().previous = None;
        let deadline_ms = running.holder.deadline_ms;
        let granted = self.attached(named, at);
        self.engine.alarm.hint(deadline_ms);
        Ok(granted)
    }

    /// Gives a running key a guard again, and writes down that the ticket was used where it must not
    /// be used twice.
    fn attached(&mut self, named: Named<'_>, at: SlabRef) -> Granted {
        let (engine, now) = (self.engine, self.now);
        let running = self.running_mut(at);
        let once = attaches_once(&running.policy);
        (running.holder.guard, running.holder.attached) = (Guard::Lease, once);
        let running = self.running(at);
        let mut granted = Granted::of(running);
        let (transition, by) = (Transition::Attached, Initiator::Caller(&[]));
        if !once {
            engine.append_audit(engine.audit_running(transition, by, running, now), now);
            return granted;
        }
        let waits =
            engine.promises_at_most_once(&running.policy) || engine.is_sync(named.namespace);
        let claim = claim_record(running, now);
        let appended = self.append(Change::of_running(running, &claim, transition, by));
        let locator = self.commit(appended);
        granted.rest_on(waits.then_some(locator.frame));
        granted
    }
}

/// The request of the claim that a record came from; the record does not keep all of it.
fn request_again(record: &Record, policy: &Policy) -> Request {
    let parts = RequestParts {
        fingerprint: record.fingerprint.clone(),
        metadata: record.metadata.clone(),
        actor: Blob::EMPTY,
        retention: asked_retention(&record.head),
    };
    Request {
        lease_ms: millis(policy.lease),
        keep_alive_ms: 0,
        parts: Some(Box::new(parts)),
    }
}

/// The refusal of a ticket.
pub(crate) fn unattached(refusal: AttachRefusal, info: KeyInfo) -> Error {
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
            "this ticket was used, and its effect may have happened: settle the doubt with Doubt::resolve",
        ),
        AttachRefusal::Used => (
            ErrorKind::InUse,
            "this ticket was used, and its holder has gone without an outcome: claim the key once its lease has lapsed",
        ),
    };
    Error::new(kind, format!("{text}{is}")).with_current(info)
}
