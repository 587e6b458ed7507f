//! Real threads on one store.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hapax::{Claim, ClaimOptions, Durability, Lease, Namespace, Policy, Resolution, Store};

use crate::contract_support::operator;
use crate::logs::KINDS;

const THREADS: usize = 64;
const KEYS: usize = 10_000;

/// A small generator, so that a run can be repeated from its seed.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

pub(crate) fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let given = std::env::var("HAPAX_SEED").ok();
    let seed = given.map_or_else(
        || RandomState::new().hash_one(0),
        |seed| seed.parse().unwrap(),
    );
    println!("HAPAX_SEED={seed}");
    seed
}

/// Every thread claims every key, each in another order. Gives the grants of each key.
fn claim_all(space: &Namespace) -> Vec<AtomicUsize> {
    let grants: Vec<AtomicUsize> = (0..KEYS).map(|_| AtomicUsize::new(0)).collect();
    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (space, grants, start) = (space, &grants, &start);
            scope.spawn(move || {
                start.wait();
                for step in 0..KEYS {
                    // 7919 is prime to 10,000: each thread meets every key once.
                    let key = (thread * 157 + step * 7919) % KEYS;
                    match space.claim(format!("key-{key}")).unwrap() {
                        Claim::Granted(lease) => {
                            grants[key].fetch_add(1, Ordering::Relaxed);
                            lease.complete(key.to_string()).unwrap();
                        }
                        Claim::Completed(answer) => {
                            assert_eq!(answer.response(), key.to_string().as_bytes());
                        }
                        Claim::InProgress(_) => {}
                        other => panic!("{other:?}"),
                    }
                }
            });
        }
    });
    grants
}

fn granted(store: &Store) -> u64 {
    (store.metrics()).total("hapax_claims_total", &[("outcome", "granted")])
}

fn check(store: &Store, space: &Namespace) {
    let grants = claim_all(space);
    assert!(
        grants
            .iter()
            .all(|grants| grants.load(Ordering::Relaxed) == 1),
        "each key was granted once"
    );
    assert_eq!(grants.len(), KEYS);
    assert_eq!(granted(store), KEYS as u64);
    store.sync().unwrap();
    store.validate();
    store.verify().unwrap();
}

#[test]
fn sixty_four_threads_are_granted_each_of_ten_thousand_keys_once_in_memory() {
    let store = Store::in_memory().open().unwrap();
    let space = store.namespace("keys", Policy::at_least_once()).unwrap();
    check(&store, &space);
}

#[test]
fn sixty_four_threads_are_granted_each_of_ten_thousand_keys_once_in_a_directory() {
    for log in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let interval = Durability::Interval(Duration::from_millis(50));
        let open = || {
            Store::builder(dir.path().join("store"))
                .log_kind(log)
                .durability(interval)
                .open()
                .unwrap()
        };
        let store = open();
        let space = store.namespace("keys", Policy::at_least_once()).unwrap();
        check(&store, &space);
        store.close().unwrap();
        drop((space, store));
        let store = open();
        let space = store.namespace("keys", Policy::at_least_once()).unwrap();
        let again = claim_all(&space);
        assert!(
            again
                .iter()
                .all(|grants| grants.load(Ordering::Relaxed) == 0),
            "all of them are answered"
        );
        store.validate();
    }
}

/// What the threads of the storm have seen.
#[derive(Default)]
struct Seen {
    grants: AtomicU64,
    highest: AtomicU64,
}

fn storm(store: &Store, space: &Namespace, mut draw: Draw, seen: &Seen) {
    let mut held: Vec<Lease> = Vec::new();
    for _ in 0..3000 {
        let key = format!("key-{}", draw.below(40));
        let options = ClaimOptions::new().lease(Duration::from_millis(1 + draw.below(4)));
        let options = if draw.below(3) == 0 {
            options.wait(Duration::from_millis(draw.below(5)))
        } else {
            options
        };
        match space.claim_with(&key, options).unwrap() {
            Claim::Granted(lease) => {
                let token = u64::try_from(lease.token().as_i64()).unwrap();
                seen.grants.fetch_add(1, Ordering::Relaxed);
                seen.highest.fetch_max(token, Ordering::Relaxed);
                held.push(lease);
            }
            Claim::InDoubt(doubt) => {
                // Another caller may be first, and the holder may be alive.
                let _ = operator(store).resolve_forced(&doubt, Resolution::NeverHappened);
            }
            _ => {}
        }
        if held.len() > 4 || (!held.is_empty() && draw.below(2) == 0) {
            let at = usize::try_from(draw.below(held.len() as u64)).unwrap();
            settle(store, held.swap_remove(at), draw.below(9));
        }
        if draw.below(20) == 0 {
            let _ = space.forget(&key);
        }
    }
}

/// Whether it is accepted depends on the others; that nothing breaks does not.
fn settle(store: &Store, lease: Lease, how: u64) {
    let _ = match how {
        0 => lease.complete([7; 100]),
        1 => lease.complete(vec![7; 70_000]),
        2 => lease.fail("no"),
        3 | 4 => lease.release("again"),
        5 => lease.doubt("who knows"),
        6 => {
            let _ = lease.renew();
            let _ = lease.checkpoint("half way");
            lease.release("later")
        }
        7 => lease.detach().map(|ticket| drop(store.attach(&ticket))),
        _ => Ok(()),
    };
}

#[test]
fn a_storm_of_claims_releases_and_lapses_leaves_the_state_whole() {
    for log in KINDS {
        let mut draw = Draw(seed());
        let dir = tempfile::tempdir().unwrap();
        let interval = Durability::Interval(Duration::from_millis(20));
        let store = Store::builder(dir.path().join("store"))
            .log_kind(log)
            .durability(interval)
            .shards(4)
            .open()
            .unwrap();
        let at_least = store
            .namespace("at-least", Policy::at_least_once().max_attempts(5))
            .unwrap();
        let at_most = store.namespace("at-most", Policy::at_most_once()).unwrap();
        let seen = Seen::default();
        std::thread::scope(|scope| {
            for thread in 0..16 {
                let draw = Draw(draw.below(u64::MAX >> 33) << 8 | thread);
                let space = if thread % 2 == 0 { &at_least } else { &at_most };
                let (store, seen) = (&store, &seen);
                scope.spawn(move || storm(store, space, draw, seen));
            }
        });
        store.sync().unwrap();
        store.validate();
        store.verify().unwrap();
        let stats = store.stats();
        assert_eq!(stats.waiters(), 0, "no caller waits any more");
        assert!(
            granted(&store) >= seen.grants.load(Ordering::Relaxed),
            "{stats:?}"
        );
        let doubts = store.doubts().unwrap().map(Result::unwrap).count();
        store.close().unwrap();
        drop((at_least, at_most, store));

        let store = Store::open(dir.path().join("store")).unwrap();
        store.validate();
        assert!(
            store.doubts().unwrap().map(Result::unwrap).count() >= doubts,
            "a doubt outlives the process"
        );
        let at_least = store
            .namespace("at-least", Policy::at_least_once().max_attempts(5))
            .unwrap();
        let Claim::Granted(lease) = at_least.claim("a new key").unwrap() else {
            panic!("granted")
        };
        let token = u64::try_from(lease.token().as_i64()).unwrap();
        assert!(
            token > seen.highest.load(Ordering::Relaxed),
            "tokens rise across a restart"
        );
    }
}
