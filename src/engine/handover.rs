//! Hand-over: grants that are taken back, and tickets that become leases again.

use std::sync::Arc;

use super::admission::Entry;
use super::audit::By;
use super::claim::{Granted, Named, Read, held, replaced, state_of};
use super::holder::{not_held, refused};
use super::shards::Locked;
use super::{Aftermath, Engine};
use crate::audit::Transition;
use crate::blob::Blob;
use crate::clock::{Now, millis};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::Journal;
use crate::key::{Digest, FencingToken};
use crate::record::{Record, RecordKind, RecordRef};
use crate::state::running::{Request, Running};
use crate::state::shard::{Found, Grant};
use crate::state::slab::SlabRef;
use crate::state::transition::{Basis, Refusal, Subject, asked_retention, may_resume};

impl Engine {
    /// Takes back a grant that was never delivered: provably nothing ran.
    pub(crate) fn withdraw(&self, digest: Digest, token: FencingToken) {
        let mut aftermath = Aftermath::default();
        let (mut shard, now) = self.lock(digest);
        if let Some(at) = held(&shard, digest, token, now.store_secs) {
            if let Some(column) = shard.get(at).map(|running| running.column) {
                let tallies = &mut shard.tallies;
                tallies.count(column, |counters| counters.withdrawn += 1);
            }
            self.take_back(&mut shard, at, now, &mut aftermath);
        }
        drop(shard);
        self.outlived.end(token);
        aftermath.carry_out();
    }

    fn take_back(&self, shard: &mut Locked<'_>, at: SlabRef, now: Now, aftermath: &mut Aftermath) {
        let Some(running) = shard.get(at) else { return };
        let before =
            running
                .rest
                .previous_record
                .as_ref()
                .map_or(0, |record| match record.head.kind {
                    RecordKind::InProgress | RecordKind::Released => record.head.attempt,
                    _ => 0,
                });
        let first_grant = running.attempt == before.saturating_add(1);
        if !running.journaled && first_grant {
            if !self.journal.is_poisoned() {
                let withdrawn = Transition::Withdrawn;
                self.append_audit(self.audit_running(withdrawn, By::Engine, running, now), now);
            }
            if let Some(ended) = shard.restore(at) {
                self.wake_all(ended, aftermath);
            }
            return;
        }
        if self.journal.is_poisoned() {
            return;
        }
        let digest = running.digest;
        let guarantee = running.guarantee();
        let last = running.rest.last_record;
        let outcome = running
            .rest
            .previous_record
            .as_ref()
            .filter(|_| first_grant)
            .cloned();
        let record = match &outcome {
            Some(record) => record.as_ref().as_ref(),
            None => undone(running, now),
        };
        // A settled answer that a re-run had replaced may be larger than a frame.
        let parts = Journal::split(record.body);
        let audit = self.audit_running(Transition::Withdrawn, By::Engine, running, now);
        let locator = self.journal.append_audited(
            &record,
            parts,
            replaced(last),
            audit.as_ref(),
            now.mono_ms,
        );
        let head = record.head;
        if let Some(ended) = shard.apply(digest, &head, guarantee, locator) {
            self.wake_all(ended, aftermath);
        }
    }

    /// Turns a ticket into the right to settle its key again.
    pub(crate) fn attach(&self, named: Named<'_>, token: FencingToken) -> Result<Granted> {
        self.check_change()?;
        self.journal.check()?;
        let mut read: Option<Read> = None;
        loop {
            let (mut shard, now) = self.lock(named.digest);
            let locator = match shard.find(named.digest, now.store_secs) {
                Found::Running(at) => {
                    return self.attach_running(&mut shard, at, named, token, now);
                }
                Found::Absent => return Err(not_held()),
                Found::Forgotten(locator) => {
                    return Err(not_held().resting_on(self.rests_on(named.namespace, locator)));
                }
                Found::Settled(_, _, locator) => locator,
            };
            if let Some((_, record)) = read.as_ref().filter(|(at, _)| *at == locator) {
                let attached = self.attach_settled(shard, named, token, record, now);
                let rests_on = self.rests_on(named.namespace, locator);
                return attached.map_err(|error| error.resting_on(rests_on));
            }
            drop(shard);
            read = self
                .read(locator)?
                .map(|record| (locator, Arc::new(record)));
        }
    }

    fn attach_running(
        &self,
        shard: &mut Locked<'_>,
        at: SlabRef,
        named: Named<'_>,
        token: FencingToken,
        now: Now,
    ) -> Result<Granted> {
        let running = shard
            .get_mut(at)
            .expect("a slot names a running key that is there");
        if running.token != token {
            let info = self.running_info(named, running, now);
            return Err(refused(Refusal::Superseded, Some(info)));
        }
        if running.guard_alive {
            return Err(Error::new(
                ErrorKind::InUse,
                "the lease of this ticket is held in this process already: detach it there first",
            ));
        }
        running.guard_alive = true;
        let granted = granted_of(running);
        let attached = Transition::Attached;
        self.append_audit(
            self.audit_running(attached, By::Caller(&[]), running, now),
            now,
        );
        Ok(granted)
    }

    fn attach_settled(
        &self,
        mut shard: Locked<'_>,
        named: Named<'_>,
        token: FencingToken,
        record: &Arc<Record>,
        now: Now,
    ) -> Result<Granted> {
        let policy = &named.namespace.policy;
        if record.head.token != token {
            let state = state_of(record, policy.guarantee);
            return Err(refused(
                Refusal::Superseded,
                Some(self.info(named.namespace, state, Arc::clone(record))),
            ));
        }
        if !may_resume(record, policy.guarantee) {
            // Settled under this token: the lease can repeat what was done, and nothing else.
            return Ok(granted_of_record(record));
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
            },
            basis: Basis {
                attempt: record.head.attempt,
                same_request: true,
                continues: true,
            },
            record: Some(Arc::clone(record)),
        };
        let at = shard.grant(named.digest, grant, now);
        let running = shard.get_mut(at).expect("the key was just granted");
        running.journaled = true;
        running.rest.to_mut().previous = None;
        let granted = granted_of(running);
        let attached = Transition::Attached;
        self.append_audit(
            self.audit_running(attached, By::Caller(&[]), running, now),
            now,
        );
        let deadline_ms = running.deadline_ms;
        drop(shard);
        self.hint_timer(deadline_ms);
        Ok(granted)
    }
}

/// The record that undoes a grant: one attempt less, or nothing at all.
fn undone<W: 'static>(running: &Running<W>, now: Now) -> RecordRef<'_> {
    let subject = Subject::of_running(running);
    if running.attempt <= 1 {
        return subject.record(RecordKind::Forgotten, &[], now);
    }
    let fewer = Subject {
        attempt: running.attempt - 1,
        ..subject
    };
    fewer.record(RecordKind::Released, &running.rest.reason, now)
}

fn granted_of<W: 'static>(running: &Running<W>) -> Granted {
    Granted {
        key: Arc::clone(&running.key),
        token: running.token,
        attempt: running.attempt,
        checkpoint: running.rest.checkpoint.clone(),
        reason: running.rest.reason.clone(),
        first_claimed_at: running.first_claimed_at,
        rests_on: None,
    }
}

fn granted_of_record(record: &Record) -> Granted {
    Granted {
        key: Arc::clone(&record.key),
        token: record.head.token,
        attempt: record.head.attempt,
        checkpoint: Blob::EMPTY,
        reason: record.reason.clone(),
        first_claimed_at: record.head.first_claimed_at,
        rests_on: None,
    }
}
