//! One admission: every way to a grant or to a new key passes the same limits.

use hapax::operator::{Attribution, Insertion, Operator};
use hapax::testing::ManualClock;
use hapax::{
    BatchClaim, Claim, ClaimOptions, ErrorKind, Failure, Limits, Namespace, Policy, Ran, RunError,
    Store,
};

use crate::contract_support::{
    HOUR, MINUTE, SECOND, World, claim, completed, granted, in_progress, poll, ready,
};

/// The ways to a new key, each with the kind of its error, if it fails.
const WAYS: [(&str, Way); 9] = [
    ("claim", |at, key| kind(at.space.claim(key))),
    ("claim_async", |at, key| {
        kind(ready(at.space.claim_async(key, ClaimOptions::new())))
    }),
    ("claim_many", |at, key| of_batch(at.space.claim_many([key]))),
    ("claim_many_async", |at, key| {
        of_batch(ready(at.space.claim_many_async([key])))
    }),
    ("run_once", |at, key| {
        match at.space.run_once(key, |_| Ok::<_, Failure<String>>(())) {
            Ok(Ran::Executed(())) => None,
            Err(RunError::Store(error)) => Some(error.kind()),
            other => panic!("{other:?}"),
        }
    }),
    ("insert", |at, key| kind(at.space.insert(key))),
    ("insert_many", |at, key| {
        of_items(at.space.insert_many([key]))
    }),
    ("Operator::insert", |at, key| {
        kind(at.operator.insert("work", Insertion::completed(key, "")))
    }),
    ("Operator::insert_many", |at, key| {
        let items = [Insertion::completed(key, "")];
        of_items(at.operator.insert_many("work", items))
    }),
];

type Way = fn(&At, &str) -> Option<ErrorKind>;

/// The ways that start no work, so a limit of running keys does not apply to them.
const STARTS_NOTHING: [&str; 4] = [
    "insert",
    "insert_many",
    "Operator::insert",
    "Operator::insert_many",
];

struct At {
    space: Namespace,
    operator: Operator,
}

impl At {
    fn new(store: &Store, policy: Policy) -> Self {
        let by = Attribution::new("alice", "INC-42: known to be done").unwrap();
        Self {
            space: store.namespace("work", policy).unwrap(),
            operator: store.operator(by),
        }
    }
}

fn kind<T>(result: hapax::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn of_items(items: hapax::Result<Vec<hapax::Result<bool>>>) -> Option<ErrorKind> {
    match items {
        Ok(mut results) => kind(results.remove(0)),
        Err(error) => Some(error.kind()),
    }
}

fn of_batch(batch: hapax::Result<Vec<BatchClaim>>) -> Option<ErrorKind> {
    match batch.map(|mut answers| answers.remove(0)) {
        Ok(BatchClaim::Refused(error)) | Err(error) => Some(error.kind()),
        Ok(BatchClaim::Claim(_)) => None,
        other => panic!("{other:?}"),
    }
}

/// `insert` and `insert_many` ignored the floor of free disk space and filled the disk, and the
/// next write poisoned the store. Each had its own copy of the admission.
#[test]
fn under_the_floor_of_the_disk_nothing_new_comes_in_and_holders_settle() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("store"), ManualClock::new());
    let open = || {
        let builder = Store::builder(&path).clock(&clock);
        let floor = Limits::new().free_disk_bytes(u64::MAX);
        builder.limits(floor).open().unwrap()
    };
    let store = open();
    let at = At::new(&store, Policy::at_least_once().lease(HOUR));
    claim(&at.space, "released").release("again").unwrap();
    let (held, renewed) = (claim(&at.space, "held"), claim(&at.space, "renewed"));
    let brief = ClaimOptions::new().lease(MINUTE);
    drop(at.space.claim_with("lapsed", brief.clone()).map(leak));
    let ticket = claim(&at.space, "detached").detach().unwrap();
    let mut waiter = at.space.claim_async("held", ClaimOptions::new().wait(HOUR));
    assert!(poll(&mut waiter).is_pending());
    // The janitor looks at the disk.
    clock.advance(2 * MINUTE);
    for (way, try_it) in WAYS {
        for key in ["new", "released", "lapsed"] {
            let refused = try_it(&at, key);
            // An operator imports absent keys, and nothing else.
            let there = way.starts_with("Operator") && key != "new";
            let expected = (!there).then_some(ErrorKind::AtCapacity);
            assert_eq!(refused, expected, "{way} of a key that is {key}");
        }
    }
    held.release("again").unwrap();
    assert_eq!(kind(ready(waiter)), Some(ErrorKind::AtCapacity));
    renewed.complete("done").unwrap();
    assert_eq!(
        completed(at.space.claim("renewed").unwrap()).response(),
        b"done"
    );
    store.close().unwrap();
    drop(at);

    let store = open();
    clock.advance(SECOND);
    let at = At::new(&store, Policy::at_least_once().lease(HOUR));
    assert_eq!(kind(at.space.claim("new")), Some(ErrorKind::AtCapacity));
    let holder = store.attach(&ticket).unwrap();
    holder.complete("paid").unwrap();
    assert!(at.space.contains("detached").unwrap());
    store.validate();
}

/// A holder that never settles.
#[expect(clippy::mem_forget, reason = "the lease is to lapse")]
fn leak(claim: Claim) {
    std::mem::forget(granted(claim));
}

/// At the limit of keys a claim freed the keys that were forgotten or had expired; `insert` and
/// `insert_many` did not.
#[test]
fn at_the_limit_of_keys_each_way_makes_room_by_what_has_gone() {
    for (way, try_it) in WAYS {
        let limits = Limits::new().live_keys(3);
        let world = World::with(|builder| builder.limits(limits).shards(1));
        let at = At::new(&world.store, Policy::at_least_once());
        for key in ["a", "b", "c"] {
            claim(&at.space, key).complete("done").unwrap();
        }
        assert_eq!(try_it(&at, "new"), Some(ErrorKind::AtCapacity), "{way}");
        at.space.forget("b").unwrap();
        assert_eq!(try_it(&at, "new"), None, "{way}");
        assert_eq!(try_it(&at, "more"), Some(ErrorKind::AtCapacity), "{way}");
        at.space.forget("c").unwrap();
        assert_eq!(try_it(&at, "c"), None, "{way}: it is in its own room");
        world.store.validate();
    }
}

#[test]
fn at_the_limit_of_running_keys_only_what_runs_is_refused() {
    let world = World::with(|builder| builder.limits(Limits::new().running_keys(1)));
    let at = At::new(&world.store, Policy::at_least_once());
    let held = claim(&at.space, "held");
    for (way, try_it) in WAYS {
        let expected = (!STARTS_NOTHING.contains(&way)).then_some(ErrorKind::AtCapacity);
        assert_eq!(try_it(&at, &format!("new: {way}")), expected, "{way}");
    }
    // A waiter takes the place of the holder.
    let mut waiter = at.space.claim_async("held", ClaimOptions::new().wait(HOUR));
    assert!(poll(&mut waiter).is_pending());
    held.release("again").unwrap();
    assert_eq!(granted(ready(waiter).unwrap()).attempt(), 2);
}

/// The counts over all shards follow when the lock of a shard is released, so a batch went past a
/// limit by as many keys as it had in one shard: `claim_many` of 50 keys got 50 under a limit of 3.
#[test]
fn a_batch_in_one_shard_stops_at_the_limit() {
    for limits in [Limits::new().running_keys(3), Limits::new().live_keys(3)] {
        let world = World::with(|builder| builder.limits(limits).shards(1));
        let at = At::new(&world.store, Policy::at_least_once());
        let keys: Vec<_> = (0..50).map(|key| format!("key {key}")).collect();
        let answers = at.space.claim_many(&keys).unwrap();
        let held = |answer: &&BatchClaim| matches!(answer, BatchClaim::Claim(Claim::Granted(_)));
        assert_eq!(answers.iter().filter(held).count(), 3);
        for answer in answers.iter().filter(|answer| !held(answer)) {
            let at_capacity = matches!(answer, BatchClaim::Refused(error) if error.kind() == ErrorKind::AtCapacity);
            assert!(at_capacity, "{answer:?}");
        }
        in_progress(
            at.space
                .claim(&keys[answers.iter().position(|answer| held(&answer)).unwrap()])
                .unwrap(),
        );
        world.store.validate();
    }
}

#[test]
fn a_store_that_is_closed_poisoned_or_read_only_lets_nothing_new_in() {
    let world = World::new();
    let at = At::new(&world.store, Policy::at_least_once());
    world.log.crash();
    assert_eq!(kind(at.space.insert("first")), Some(ErrorKind::Poisoned));
    for (way, try_it) in WAYS {
        assert_eq!(try_it(&at, "new"), Some(ErrorKind::Poisoned), "{way}");
    }
    drop(at);
    let _ = world.store.close();

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = Store::open(&path).unwrap();
    drop(At::new(&store, Policy::at_least_once()));
    store.close().unwrap();
    let store = Store::builder(&path).read_only().open().unwrap();
    let at = At::new(&store, Policy::at_least_once());
    for (way, try_it) in WAYS {
        assert_eq!(try_it(&at, "new"), Some(ErrorKind::ReadOnly), "{way}");
    }
    store.close().unwrap();
    for (way, try_it) in WAYS {
        assert_eq!(try_it(&at, "new"), Some(ErrorKind::Closed), "{way}");
    }
}
