//! The consumers: claim each delivery, handle what is granted, answer the rest.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hapax::{Claim, ClaimOptions, Lease, Namespace};

use crate::Failure;
use crate::deliveries::{Delivery, Event};
use crate::handler::{Crash, Handler, Refusal};
use crate::latency::{Latencies, now};
use crate::progress::Progress;

/// How long a delivery waits for the one that is being handled.
const WAIT: Duration = Duration::from_millis(250);

/// The scheme of the fingerprints: raise it when their parts change.
const SCHEME: u32 = 1;

/// What happened to deliveries.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) deliveries: u64,
    /// Answered with the stored response or the stored error.
    pub(crate) duplicates: u64,
    /// Answered "in progress" after the wait.
    pub(crate) busy: u64,
    pub(crate) in_doubt: u64,
    pub(crate) mismatches: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) retries: u64,
    pub(crate) crashes_before: u64,
    pub(crate) crashes_after: u64,
    /// Claims that were granted.
    pub(crate) claims_granted: Latencies,
    /// Claims that were answered otherwise, waits included.
    pub(crate) claims_answered: Latencies,
    pub(crate) completes: Latencies,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.deliveries += other.deliveries;
        self.duplicates += other.duplicates;
        self.busy += other.busy;
        self.in_doubt += other.in_doubt;
        self.mismatches += other.mismatches;
        self.completed += other.completed;
        self.failed += other.failed;
        self.retries += other.retries;
        self.crashes_before += other.crashes_before;
        self.crashes_after += other.crashes_after;
        self.claims_granted.append(other.claims_granted);
        self.claims_answered.append(other.claims_answered);
        self.completes.append(other.completes);
    }
}

/// The answer to the sender of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Heard {
    /// It need not be sent again.
    Acknowledged,
    /// Nothing, or "not now": it will be sent again.
    Unsettled,
}

/// What the consumers share.
#[derive(Debug)]
pub(crate) struct Consumers<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) handler: &'a Handler<'a>,
    pub(crate) events: &'a [Event],
    pub(crate) progress: &'a Progress,
    pub(crate) threads: u32,
}

impl Consumers<'_> {
    /// Handles deliveries on all threads, and returns those that have to be delivered again.
    pub(crate) fn round(
        &self,
        deliveries: &[Delivery],
        tally: &mut Tally,
    ) -> Result<Vec<Delivery>, Failure> {
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let consume = || {
            let consumed = self.consume(deliveries, &next, &stop);
            // The first failure ends the round for all.
            stop.fetch_or(consumed.is_err(), Ordering::Relaxed);
            consumed
        };
        let finished = thread::scope(|scope| {
            let start = |number: u32| {
                let name = format!("consumer-{number}");
                thread::Builder::new()
                    .name(name)
                    .spawn_scoped(scope, consume)
            };
            let started: io::Result<Vec<_>> = (0..self.threads).map(start).collect();
            let joined = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
                Ok(consumed) => consumed,
                Err(panic) => panic::resume_unwind(panic),
            };
            Ok::<_, io::Error>(started?.into_iter().map(joined).collect::<Vec<_>>())
        })?;
        let mut again = Vec::new();
        for consumed in finished {
            let (part, unsettled) = consumed?;
            tally.add(part);
            again.extend(unsettled);
        }
        Ok(again)
    }

    /// One consumer: takes deliveries until none is left.
    fn consume(
        &self,
        deliveries: &[Delivery],
        next: &AtomicUsize,
        stop: &AtomicBool,
    ) -> Result<(Tally, Vec<Delivery>), Failure> {
        let mut tally = Tally::default();
        let mut again = Vec::new();
        while let Some(delivery) = deliveries.get(next.fetch_add(1, Ordering::Relaxed)) {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            tally.deliveries += 1;
            if self.deliver(delivery, &mut tally)? == Heard::Unsettled {
                again.push(delivery.clone());
            }
            self.progress.delivered();
        }
        Ok((tally, again))
    }

    /// One delivery: its id is the key, its content the fingerprint.
    fn deliver(&self, delivery: &Delivery, tally: &mut Tally) -> Result<Heard, Failure> {
        let event = &self.events[delivery.event];
        let body = event.body(delivery);
        let fingerprint = self
            .namespace
            .fingerprint(SCHEME)
            .part("event", &event.kind)
            .part("body", body)
            .build()?;
        let options = ClaimOptions::new()
            .fingerprint(fingerprint)
            .wait(WAIT)
            .metadata(format!("copy {}", delivery.copy));
        let started = now();
        let claim = self.namespace.claim_with(&event.id, options)?;
        let took = started.elapsed();
        let latencies = match claim {
            Claim::Granted(_) => &mut tally.claims_granted,
            _ => &mut tally.claims_answered,
        };
        latencies.push(took);
        let (counter, heard) = match claim {
            Claim::Granted(lease) => return self.run(lease, event, body, tally),
            Claim::Completed(_) | Claim::Failed(_) => (&mut tally.duplicates, Heard::Acknowledged),
            // The sender uses an id twice: the answer says so, and sending the event again does not help.
            Claim::Mismatch(_) => (&mut tally.mismatches, Heard::Acknowledged),
            Claim::InProgress(_) => (&mut tally.busy, Heard::Unsettled),
            Claim::InDoubt(_) => (&mut tally.in_doubt, Heard::Unsettled),
        };
        *counter += 1;
        Ok(heard)
    }

    /// Runs the handler. When it crashes the lease is dropped on the way out: its key is released
    /// under at-least-once, and in doubt under at-most-once.
    fn run(
        &self,
        lease: Lease,
        event: &Event,
        body: &str,
        tally: &mut Tally,
    ) -> Result<Heard, Failure> {
        let attempt = || self.attempt(lease, event, body, tally);
        match panic::catch_unwind(AssertUnwindSafe(attempt)) {
            Ok(heard) => heard,
            Err(panic) => {
                match panic.downcast_ref() {
                    Some(Crash::BeforeEffect) => tally.crashes_before += 1,
                    Some(Crash::AfterEffect) => tally.crashes_after += 1,
                    None => panic::resume_unwind(panic),
                }
                Ok(Heard::Unsettled)
            }
        }
    }

    fn attempt(
        &self,
        lease: Lease,
        event: &Event,
        body: &str,
        tally: &mut Tally,
    ) -> Result<Heard, Failure> {
        match self.handler.handle(&lease, event, body) {
            Ok(response) => {
                let started = now();
                lease.complete(response)?;
                tally.completes.push(started.elapsed());
                tally.completed += 1;
                Ok(Heard::Acknowledged)
            }
            Err(Refusal::Final(error)) => {
                lease.fail(error)?;
                tally.failed += 1;
                Ok(Heard::Acknowledged)
            }
            Err(Refusal::Retry(reason)) => {
                lease.release(reason)?;
                tally.retries += 1;
                Ok(Heard::Unsettled)
            }
            Err(Refusal::Unknown(error)) => {
                lease.doubt(error.to_string())?;
                Err(format!("the ledger cannot be written: {error}").into())
            }
        }
    }
}
