//! Batches over a log that fails in the middle of one: no item is told less, or more, than what there
//! is of it after reopening.

use crate::operator::{Attribution, Insertion};
use crate::testing::{ManualClock, MemoryLog};
use crate::{BatchClaim, Claim, ErrorKind, KeyState, Lease, Limits, Namespace, Policy, Store};

const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// A store that commits before each further change, so that a batch takes several commits.
fn open(log: &MemoryLog) -> Store {
    let (clock, limits) = (ManualClock::new(), Limits::new().unwritten_bytes(1));
    let builder = Store::in_memory().log(log).clock(&clock).limits(limits);
    builder.open().unwrap()
}

fn granted(claim: Claim) -> Lease {
    match claim {
        Claim::Granted(lease) => lease,
        other => panic!("not granted: {other:?}"),
    }
}

/// What an item was told, and whether its key is there after a power cut.
fn reopened(log: &MemoryLog, policy: &Policy) -> (Store, Namespace) {
    log.crash();
    let store = open(log);
    let space = store.namespace("work", policy.clone()).unwrap();
    store.validate();
    (store, space)
}

type Insert = fn(&Store, &Namespace) -> Vec<crate::Result<bool>>;

const INSERTS: [Insert; 2] = [
    |_, space| space.insert_many(KEYS).unwrap(),
    |store, _| {
        let operator = store.operator(Attribution::new("alice", "INC-42").unwrap());
        let items = KEYS.map(|key| Insertion::completed(key, ""));
        operator.insert_many("work", items).unwrap()
    },
];

/// A batch that met a failed commit half way was an error as a whole, though its first keys were on
/// the medium: a caller that sent it again was told that they were not new, and handled none of the keys.
#[test]
fn keys_that_were_durable_before_the_log_failed_are_told_as_inserted() {
    for insert in INSERTS {
        for commits in 0..4 {
            let log = MemoryLog::new();
            let store = open(&log);
            let policy = Policy::at_least_once();
            let space = store.namespace("work", policy.clone()).unwrap();
            assert!(space.insert("b").unwrap());
            log.fail_sync_after(commits);
            let told = insert(&store, &space);
            drop((space, store));
            let (_store, space) = reopened(&log, &policy);
            let new = told.iter().filter(|told| matches!(told, Ok(true))).count();
            assert_eq!(new as u64, commits, "a key for each commit");
            for (key, told) in KEYS.iter().zip(told) {
                match told {
                    Ok(is_new) => {
                        assert!(space.contains(key).unwrap(), "{key} was acknowledged");
                        assert_eq!(is_new, *key != "b");
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Poisoned, "{key}: {error}");
                        let was_there = *key == "b";
                        assert_eq!(space.contains(key).unwrap(), was_there, "{key}");
                        assert_eq!(space.insert(key).unwrap(), !was_there, "it comes again");
                    }
                }
            }
        }
    }
}

#[test]
fn a_batch_of_claims_over_a_failed_commit_grants_nothing_and_answers_what_is_durable() {
    for policy in [
        Policy::at_least_once().max_attempts(3),
        Policy::at_most_once(),
    ] {
        let log = MemoryLog::new();
        let store = open(&log);
        let space = store.namespace("work", policy.clone()).unwrap();
        granted(space.claim("b").unwrap()).complete("done").unwrap();
        let held = granted(space.claim("c").unwrap());
        log.fail_sync_after(0);
        for (key, answer) in KEYS.iter().zip(space.claim_many(KEYS).unwrap()) {
            match (*key, answer) {
                ("b", BatchClaim::Claim(Claim::Completed(_)))
                | ("c", BatchClaim::Claim(Claim::InProgress(_))) => {}
                (_, BatchClaim::Refused(error)) => {
                    assert_eq!(error.kind(), ErrorKind::Poisoned, "{key}: {error}");
                }
                other => panic!("{other:?}"),
            }
        }
        drop((held, space, store));
        let (_store, space) = reopened(&log, &policy);
        assert_eq!(granted(space.claim("a").unwrap()).attempt(), 1);
    }
}

#[test]
fn leases_that_are_settled_together_over_a_failed_commit_come_back_one_by_one() {
    let log = MemoryLog::new();
    let store = open(&log);
    let policy = Policy::at_least_once();
    let space = store.namespace("work", policy.clone()).unwrap();
    let leases: Vec<Lease> = KEYS
        .iter()
        .map(|key| granted(space.claim(key).unwrap()))
        .collect();
    let by = Attribution::new("alice", "INC-42").unwrap();
    let operator = store.operator(by);
    operator
        .forget_forced("work", "b", leases[1].token())
        .unwrap();
    log.fail_sync_after(0);
    let items = leases.into_iter().map(|lease| (lease, "done"));
    let kinds: Vec<ErrorKind> = space
        .complete_many(items)
        .into_iter()
        .map(|settled| settled.unwrap_err().kind())
        .collect();
    let (poisoned, gone) = (ErrorKind::Poisoned, ErrorKind::NotHeld);
    assert_eq!(
        kinds,
        [poisoned, gone, poisoned, poisoned, poisoned, poisoned]
    );
    drop((space, store));
    let (_store, space) = reopened(&log, &policy);
    assert!(KEYS.iter().all(|key| !space.contains(key).unwrap()));
}

/// Under an interval a change was acknowledged though the store was poisoned between its append and
/// its acknowledgement: it was told as kept, and was not there after reopening.
#[test]
fn nothing_is_acknowledged_after_a_failed_write_under_an_interval_either() {
    let (log, clock) = (MemoryLog::new(), ManualClock::new());
    let minute = std::time::Duration::from_secs(60);
    let builder = Store::in_memory().log(&log).clock(&clock);
    let builder = builder.durability(crate::Durability::Interval(minute));
    let store = builder.open().unwrap();
    let space = store.namespace("work", Policy::at_least_once()).unwrap();
    let lease = granted(space.claim("key").unwrap());
    let settled = lease.complete_async("done");
    log.fail_sync_after(0);
    assert_eq!(store.sync().unwrap_err().kind(), ErrorKind::Poisoned);
    let settled = crate::runtime::sync::block_on(settled).unwrap_err();
    assert_eq!(settled.kind(), ErrorKind::Poisoned);
    assert_ne!(
        space
            .get("key")
            .map_err(|error| error.kind())
            .ok()
            .flatten()
            .map(|info| info.state()),
        Some(KeyState::Completed)
    );
}
