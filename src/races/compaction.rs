//! Compaction against callers that change and read the very keys that it carries.

use crate::races::{
    Bench, JoinHandle, LONG, at_least_once, explore, granted, join, response, spawn, yield_now,
};
use crate::{Claim, ClaimOptions, KeyState, Store};

const FORGOTTEN: [&str; 4] = ["x", "y", "z", "w"];

/// A store whose oldest segment holds what `fill` made of it, and little else that lives.
fn open_with_dead_head(bench: &Bench, fill: impl FnOnce(&Store)) -> Store {
    let store = bench.open();
    let space = at_least_once(&store);
    fill(&store);
    for key in FORGOTTEN {
        granted(space.claim(key).unwrap()).complete(key).unwrap();
    }
    store.close().unwrap();
    drop((space, store));
    // Each run writes to its own segment.
    let store = bench.open();
    let space = at_least_once(&store);
    for key in FORGOTTEN {
        assert!(space.forget(key).unwrap());
    }
    store.close().unwrap();
    drop((space, store));
    bench.open()
}

/// Lets the janitor and the journal work until the oldest segment is gone.
fn compact(store: &Store) -> JoinHandle<()> {
    let store = store.clone();
    spawn(move || {
        let engine = store.engine();
        for _ in 0..20 {
            engine.step_janitor();
            engine.journal.commit(0, true);
            if store.engine().compaction.segments_dropped() > 0 {
                return;
            }
        }
        panic!("the oldest segment stays: {:?}", store.stats());
    })
}

#[test]
fn a_key_that_changes_while_it_is_carried_never_reverts() {
    explore(|| {
        let bench = Bench::new();
        let store = open_with_dead_head(&bench, |store| {
            let space = at_least_once(store);
            granted(space.claim("key").unwrap())
                .complete("old")
                .unwrap();
        });
        let space = at_least_once(&store);
        let compacts = compact(&store);
        let changes = {
            let space = space.clone();
            spawn(move || {
                assert!(space.forget("key").unwrap());
                granted(space.claim("key").unwrap())
                    .complete("new")
                    .unwrap();
            })
        };
        let reads = {
            let space = space.clone();
            spawn(move || {
                let mut last = 0;
                for _ in 0..3 {
                    let now = match space.get("key").unwrap() {
                        None => 1,
                        Some(info) if info.state() == KeyState::InProgress => 2,
                        Some(info) if info.body() == b"old" => 0,
                        Some(info) => {
                            assert_eq!(info.body(), b"new");
                            3
                        }
                    };
                    assert!(now >= last, "from {last} back to {now}");
                    last = now;
                }
            })
        };
        join([compacts, changes, reads]);
        assert_eq!(response(&space, "key"), b"new");
        store.validate();
        drop((space, store));
        let store = bench.reopen_after_crash();
        assert_eq!(response(&at_least_once(&store), "key"), b"new");
    });
}

#[test]
fn an_outcome_is_answered_while_its_segment_goes() {
    explore(|| {
        let bench = Bench::new();
        let store = open_with_dead_head(&bench, |store| {
            let space = at_least_once(store);
            granted(space.claim("key").unwrap())
                .complete("answer")
                .unwrap();
        });
        let space = at_least_once(&store);
        let compacts = compact(&store);
        let claims = (0..2).map(|_| {
            let space = space.clone();
            spawn(move || {
                for _ in 0..2 {
                    assert_eq!(response(&space, "key"), b"answer");
                    yield_now();
                }
            })
        });
        join(claims.chain([compacts]).collect::<Vec<_>>());
        store.validate();
        drop((space, store));
        let store = bench.reopen_after_crash();
        assert_eq!(response(&at_least_once(&store), "key"), b"answer");
    });
}

#[test]
fn attempts_are_counted_while_the_record_of_the_last_one_is_carried() {
    explore(|| {
        let bench = Bench::new();
        let store = open_with_dead_head(&bench, |store| {
            let space = at_least_once(store);
            granted(space.claim("key").unwrap())
                .release("first")
                .unwrap();
        });
        let space = at_least_once(&store);
        let compacts = compact(&store);
        let runs = {
            let space = space.clone();
            spawn(move || {
                let lease = granted(space.claim("key").unwrap());
                assert_eq!(
                    (lease.attempt(), lease.last_reason()),
                    (2, b"first".as_slice())
                );
                lease.release("second").unwrap();
            })
        };
        join([compacts, runs]);
        store.validate();
        drop((space, store));
        let store = bench.reopen_after_crash();
        let lease = granted(at_least_once(&store).claim("key").unwrap());
        assert_eq!(
            (lease.attempt(), lease.last_reason()),
            (3, b"second".as_slice())
        );
    });
}

#[test]
fn a_holder_goes_on_while_the_record_of_its_claim_is_carried() {
    explore(|| {
        let bench = Bench::new();
        let mut ticket = None;
        let store = open_with_dead_head(&bench, |store| {
            let space = at_least_once(store);
            let options = ClaimOptions::new().lease(LONG);
            let lease = granted(space.claim_with("key", options).unwrap());
            ticket = Some(lease.detach().unwrap());
        });
        let lease = store.attach(&ticket.unwrap()).unwrap();
        let compacts = compact(&store);
        let holds = spawn(move || {
            lease.checkpoint("half").unwrap();
            lease.complete("done").unwrap();
        });
        let space = at_least_once(&store);
        let claims = {
            let space = space.clone();
            spawn(move || match space.claim("key").unwrap() {
                Claim::InProgress(_) => {}
                Claim::Completed(answer) => assert_eq!(answer.response(), b"done"),
                other => panic!("{other:?}"),
            })
        };
        join([compacts, holds, claims]);
        store.validate();
        drop((space, store));
        let store = bench.reopen_after_crash();
        assert_eq!(response(&at_least_once(&store), "key"), b"done");
    });
}
