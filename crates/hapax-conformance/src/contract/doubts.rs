//! Doubts: one reason, the same from every call, and what never happened.

use hapax::scan::KeyFilter;
use hapax::{Claim, KeyState, Namespace, Policy, Resolution, Store};

use crate::site::answers::{claim, in_doubt, state};
use crate::site::site::{Site, both};
use crate::site::times::MINUTE;
use crate::world::world::World;

/// The reason of a doubt as every call tells it, which must be one.
#[track_caller]
fn reason(store: &Store, work: &Namespace, key: &str) -> String {
    let doubt = in_doubt(work.claim(key).unwrap());
    let mut told = vec![("claim", doubt.reason().to_vec())];
    let info = work.get(key).unwrap().unwrap();
    assert_eq!(info.state(), KeyState::InDoubt);
    told.push(("get", info.reason().to_vec()));
    let of = |doubts: Vec<hapax::Doubt>| {
        let mut found = doubts.iter().filter(|doubt| doubt.key() == key.as_bytes());
        let reason = found.next().expect("it is listed").reason().to_vec();
        assert!(found.next().is_none(), "once");
        reason
    };
    for doubts in [store.doubts(), work.doubts()] {
        let doubts = doubts.unwrap().map(Result::unwrap);
        told.push(("doubts", of(doubts.collect())));
    }
    let doubt = work.doubt_of(key).unwrap().unwrap();
    told.push(("doubt_of", doubt.reason().to_vec()));
    let mut scanned = work
        .scan(KeyFilter::new().state(KeyState::InDoubt))
        .unwrap();
    let info = scanned.find(|info| info.as_ref().unwrap().key() == key.as_bytes());
    told.push(("scan", info.unwrap().unwrap().reason().to_vec()));
    drop(scanned);
    let error = work.forget(key).unwrap_err();
    told.push(("forget", error.current().unwrap().reason().to_vec()));
    for (call, other) in &told {
        assert_eq!(*other, told[0].1, "{call} and claim");
    }
    String::from_utf8(told.swap_remove(0).1).unwrap()
}

const LAPSED: &str = "the lease lapsed without an outcome";
const DIED: &str = "the process ended without an outcome";

/// A doubt was shown with the reason of an earlier attempt: that it had never happened. And for a
/// lapsed key a claim said why it was in doubt, while `get` gave no reason.
pub(crate) fn a_doubt_has_one_reason_and_it_is_its_own(world: &dyn World) {
    let mut site = Site::new(world);
    let policy = Policy::at_most_once();
    let work = site.namespace(policy.clone());
    claim(&work, "key").doubt("provider timed out").unwrap();
    assert_eq!(reason(&site.store, &work, "key"), "provider timed out");
    let resolve = |work: &Namespace| {
        let doubt = in_doubt(work.claim("key").unwrap());
        doubt.resolve(Resolution::NeverHappened).unwrap();
    };
    resolve(&work);
    let lease = claim(&work, "key");
    assert_eq!(lease.last_reason(), b"resolved: it never happened");
    site.advance(MINUTE);
    assert_eq!(reason(&site.store, &work, "key"), LAPSED);
    drop(work);
    site.crash();
    drop(lease);
    let work = site.namespace(policy.clone());
    assert_eq!(reason(&site.store, &work, "key"), DIED);
    resolve(&work);
    drop(claim(&work, "key"));
    let dropped = "the lease was dropped without an outcome";
    assert_eq!(reason(&site.store, &work, "key"), dropped);
    resolve(&work);
    claim(&work, "key").release("busy").unwrap();
    let lease = claim(&work, "key");
    assert_eq!(lease.last_reason(), b"busy");
    lease.checkpoint("half").unwrap();
    site.store.close().unwrap();
    drop((lease, work));
    site.reopen();
    let work = site.namespace(policy);
    assert_eq!(reason(&site.store, &work, "key"), DIED);
    let doubt = work.doubt_of("key").unwrap().unwrap();
    assert_eq!(doubt.checkpoint(), b"half");
}

/// Under at-least-once a crash leaves no doubt, and the next attempt still hears of the last release.
pub(crate) fn the_next_attempt_after_a_crash_hears_of_the_last_release(world: &dyn World) {
    let mut site = Site::new(world);
    let policy = Policy::at_least_once();
    let work = site.namespace(policy.clone());
    claim(&work, "key").release("busy").unwrap();
    let lease = claim(&work, "key");
    lease.checkpoint("half").unwrap();
    drop(work);
    site.crash();
    drop(lease);
    let work = site.namespace(policy);
    let next = claim(&work, "key");
    assert_eq!((next.attempt(), next.last_reason()), (3, &b"busy"[..]));
}

/// A doubt resolved as never happened counted as an attempt, so under a limit of one the key failed
/// for good although nothing had ever run.
pub(crate) fn what_never_happened_is_not_an_attempt(world: &dyn World) {
    for policy in both() {
        for restarts in [false, true] {
            let mut site = Site::new(world);
            let policy = policy.clone().max_attempts(1);
            for round in 0..3 {
                let work = site.namespace(policy.clone());
                let Claim::Granted(lease) = work.claim("key").unwrap() else {
                    panic!("round {round} is granted")
                };
                assert_eq!(lease.attempt(), 1);
                lease.doubt("timed out").unwrap();
                let doubt = in_doubt(work.claim("key").unwrap());
                assert_eq!(doubt.attempt(), 1);
                doubt.resolve(Resolution::NeverHappened).unwrap();
                assert_eq!(work.get("key").unwrap().unwrap().attempt(), 0);
                drop(work);
                if restarts {
                    site.crash();
                }
            }
            let work = site.namespace(policy);
            claim(&work, "key").release("it did run").unwrap();
            assert_eq!(state(&work, "key"), Some(KeyState::Failed));
            site.validate();
        }
    }
}

/// Only the attempt in doubt is taken back; the earlier attempts still count.
pub(crate) fn attempts_before_the_one_that_never_happened_count(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_most_once().max_attempts(3));
    claim(&work, "key").release("busy").unwrap();
    claim(&work, "key").release("busy").unwrap();
    for _ in 0..2 {
        let lease = claim(&work, "key");
        assert_eq!(lease.attempt(), 3);
        site.advance(MINUTE);
        let doubt = in_doubt(work.claim("key").unwrap());
        let forced = site
            .operator()
            .resolve_forced(&doubt, Resolution::NeverHappened);
        forced.unwrap();
        drop(lease);
    }
    claim(&work, "key").release("busy").unwrap();
    assert_eq!(state(&work, "key"), Some(KeyState::Failed));
}
