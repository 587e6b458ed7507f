//! Grants that are decided and never handed out: they do not count as attempts, and are never in
//! doubt.

use std::sync::Barrier;
use std::time::Duration;

use hapax::audit::{AuditFilter, AuditLevel, Transition};
use hapax::testing::MemoryLog;
use hapax::{Claim, ClaimOptions, Durability, ErrorKind, KeyState, Policy, Store};

use crate::contract_support::{HOUR, MINUTE, SECOND, World, claim, granted, poll, ready, state};
use crate::contract_waiting::{patient, queued};
use crate::metrics::wait_for;

/// Longer than a grant may be on its way: the write deadline and a lease.
const LATE: Duration = Duration::from_secs(120);

fn on(log: &MemoryLog, durability: Durability) -> Store {
    let builder = Store::in_memory().log(log).durability(durability);
    builder.open().unwrap()
}

/// A holder released while the store closed, and the waiter behind it was granted and answered
/// `Closed`. After reopening, that grant had used up the last attempt, or had left a doubt, though
/// nothing had run.
#[test]
fn a_waiter_that_hears_of_the_close_has_used_no_attempt() {
    for (policy, durability) in [
        (Policy::at_least_once().max_attempts(2), Durability::Sync),
        (
            Policy::at_least_once().max_attempts(2),
            Durability::Interval(MINUTE),
        ),
        (Policy::at_most_once(), Durability::Sync),
        (Policy::at_most_once(), Durability::Interval(MINUTE)),
    ] {
        let (mut refused, mut granted_at_all) = (0, 0);
        for round in 0..100 {
            let log = MemoryLog::new();
            let store = on(&log, durability);
            let space = store.namespace("work", policy.clone()).unwrap();
            let holder = claim(&space, "key");
            let start = Barrier::new(3);
            let (released, answer) = std::thread::scope(|scope| {
                let waits = scope.spawn(|| {
                    let queued = queued(&space, patient());
                    start.wait();
                    wait_for(queued)
                });
                let releases = scope.spawn(|| {
                    start.wait();
                    holder.release("again").is_ok()
                });
                start.wait();
                store.close().unwrap();
                (releases.join().unwrap(), waits.join().unwrap())
            });
            let ran = match &answer {
                Ok(Claim::Granted(lease)) => Some(lease.attempt()),
                Ok(other) => panic!("{other:?}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                    None
                }
            };
            drop((answer, space, store));
            let store = on(&log, durability);
            let space = store.namespace("work", policy.clone()).unwrap();
            let next = space.claim("key").unwrap();
            let at = format!("round {round} of {policy:?}: released {released}, ran {ran:?}");
            match (released, ran) {
                (true, None) => {
                    refused += 1;
                    assert_eq!(granted(next).attempt(), 2, "{at}");
                }
                (true, Some(2)) => granted_at_all += 1,
                // The first attempt has died with the store.
                (false, None) => {}
                other => panic!("{at}: {other:?}"),
            }
            store.validate();
        }
        println!("{policy:?}: {refused} refused, {granted_at_all} granted");
    }
}

/// The same, step by step: the grant lies in the mailbox of a waiter that is not looked at before the
/// store is closed.
#[test]
fn close_takes_back_what_is_on_its_way() {
    for durability in [Durability::Sync, Durability::Interval(MINUTE)] {
        for policy in [
            Policy::at_least_once(),
            Policy::at_least_once().max_attempts(2),
            Policy::at_most_once(),
        ] {
            let policy = policy.audit(AuditLevel::Keys);
            let mut world = World::with(|builder| builder.durability(durability));
            let space = world.namespace(policy.clone());
            let holder = claim(&space, "key");
            let waiter = queued(&space, patient());
            holder.release("again").unwrap();
            world.store.close().unwrap();
            assert_eq!(ready(waiter).unwrap_err().kind(), ErrorKind::Closed);
            drop(space);
            world.store = world.builder().durability(durability).open().unwrap();
            let space = world.namespace(policy.clone());
            let info = space.get("key").unwrap().unwrap();
            assert_eq!(
                (info.state(), info.attempt()),
                (KeyState::Released, 1),
                "{policy:?}"
            );
            let entries = world.store.audit(AuditFilter::new()).unwrap();
            let last = entries.last().unwrap().unwrap();
            assert_eq!(last.transition(), Transition::Withdrawn);
            assert_eq!(granted(space.claim("key").unwrap()).attempt(), 2);
            world.store.validate();
        }
    }
}

/// A grant lapsed like any other when its task was not polled within the lease: the next claim was
/// one attempt further, and under at-most-once the key was in doubt, although no caller had ever been
/// told to run.
#[test]
fn a_grant_not_fetched_before_its_lease_ends_is_neither_an_attempt_nor_a_doubt() {
    for durability in [Durability::Sync, Durability::Interval(SECOND)] {
        for policy in [
            Policy::at_least_once(),
            Policy::at_least_once().max_attempts(2),
            Policy::at_most_once(),
        ] {
            let world = World::with(|builder| builder.durability(durability));
            let space = world.namespace(policy.clone());
            let holder = claim(&space, "key");
            let asleep = queued(&space, patient());
            holder.release("again").unwrap();
            world.clock.advance(LATE);
            assert_eq!(state(&space, "key"), Some(KeyState::Released), "{policy:?}");
            assert!(world.store.doubts().unwrap().next().is_none());
            let next = granted(space.claim("key").unwrap());
            assert_eq!(next.attempt(), 2, "{policy:?}");
            next.complete("done").unwrap();
            assert!(matches!(ready(asleep).unwrap(), Claim::Completed(_)));
            world.store.validate();
        }
    }
}

/// As before, with another claim in line: the sleeping claim passes its grant on.
#[test]
fn an_unfetched_grant_passes_to_the_next_in_line() {
    let world = World::new();
    let space = world.namespace(Policy::at_most_once());
    let holder = claim(&space, "key");
    let asleep = queued(&space, patient());
    holder.release("again").unwrap();
    let mut next = queued(&space, patient());
    assert!(poll(&mut next).is_pending());
    world.clock.advance(LATE);
    assert_eq!(granted(ready(next).unwrap()).attempt(), 2);
    drop(asleep);
    world.store.validate();
}

#[test]
fn a_lease_is_kept_alive_from_its_grant_on() {
    let world = World::new();
    for policy in [Policy::at_least_once(), Policy::at_most_once()] {
        let name = format!("{:?}", policy.guarantee());
        let space = world.store.namespace(&name, policy).unwrap();
        let kept = || ClaimOptions::new().keep_alive(HOUR);
        let lease = granted(space.claim_with("key", kept()).unwrap());
        let item = hapax::ClaimItem::new("item").options(kept());
        let mut batch = space.claim_many([item]).unwrap();
        let waiter = queued(&space, patient().keep_alive(HOUR));
        lease.release("again").unwrap();
        let handed = granted(ready(waiter).unwrap());
        let hapax::BatchClaim::Claim(of_batch) = batch.remove(0) else {
            panic!("no other caller claims it")
        };
        let of_batch = granted(of_batch);
        world.clock.advance(50 * MINUTE);
        assert!(!handed.is_lost() && !of_batch.is_lost(), "{name}");
        world.clock.advance(11 * MINUTE);
        assert!(handed.is_lost() && of_batch.is_lost(), "{name}");
    }
}
