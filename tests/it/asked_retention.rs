//! A claim's own retention outlives the process that asked for it.
//!
//! The bug: the retention that `claim_with` asked for was only in memory. After a crash a resolved
//! or attached key was remembered for the retention of the policy, and could run again before the
//! requested time.

use std::time::Duration;

use hapax::testing::{ManualClock, MemoryLog};
use hapax::{Claim, ClaimOptions, Namespace, Policy, Resolution, Store};

const HOUR: Duration = Duration::from_secs(3600);

fn open(log: &MemoryLog, clock: &ManualClock) -> (Store, Namespace) {
    let store = Store::in_memory().log(log).clock(clock).open().unwrap();
    let policy = Policy::at_most_once().retention(HOUR);
    let pay = store.namespace("pay", policy).unwrap();
    (store, pay)
}

fn claim(pay: &Namespace, key: &str) -> hapax::Lease {
    let week = ClaimOptions::new().retention(HOUR * 24 * 7);
    match pay.claim_with(key, week).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("{key} is free: {other:?}"),
    }
}

#[test]
fn what_a_claim_asked_for_holds_after_a_crash() {
    let (clock, log) = (ManualClock::new(), MemoryLog::new());
    let (_store, pay) = open(&log, &clock);
    let _doubted = claim(&pay, "doubted");
    let ticket = claim(&pay, "detached").detach().unwrap();
    log.crash();
    let (store, pay) = open(&log, &clock);
    store.attach(&ticket).unwrap().complete("late").unwrap();
    let settled = store.reconcile(|_| Some(Resolution::Happened(b"known".to_vec())));
    assert_eq!(settled.unwrap().resolved(), 1);
    clock.advance(HOUR * 24 * 6);
    for key in ["doubted", "detached"] {
        assert!(
            matches!(pay.claim(key).unwrap(), Claim::Completed(_)),
            "{key}"
        );
    }
    clock.advance(HOUR * 25);
    for key in ["doubted", "detached"] {
        assert!(
            matches!(pay.claim(key).unwrap(), Claim::Granted(_)),
            "{key}"
        );
    }
    store.validate();
}
