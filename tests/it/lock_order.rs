//! Locks are taken in one order.
//!
//! The bug: a holder that released a key with a waiter looked its namespace up under the lock of
//! the shard, while `change_guarantee` held the lock of the namespaces and went through all shards.
//! Each waited for the other for ever, and with them every later call. The policy that a grant
//! needs now comes from the key itself.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use hapax::{Claim, ClaimOptions, Namespace, Policy, Store};

const ROUNDS: usize = 5_000;

/// Far longer than the rounds take; a deadlock takes longer still.
const PATIENCE: Duration = Duration::from_secs(120);

fn change(store: &Store) {
    for _ in 0..ROUNDS {
        for policy in [Policy::at_most_once(), Policy::at_least_once()] {
            let changed = store.change_guarantee("other", policy);
            drop(changed.expect("nothing runs there"));
        }
    }
}

fn hand_over(jobs: &Namespace) {
    let wait = ClaimOptions::new().wait(Duration::from_secs(60));
    for _ in 0..ROUNDS {
        let claimed = jobs.claim_with("job", wait.clone());
        let Claim::Granted(lease) = claimed.expect("the store answers") else {
            panic!("the other one releases it")
        };
        lease.release("").expect("it is held");
    }
}

#[test]
fn handing_a_key_on_and_changing_a_guarantee_do_not_block_each_other() {
    let store = Store::in_memory()
        .allow_at_most_once()
        .shards(1)
        .open()
        .unwrap();
    let jobs = store.namespace("jobs", Policy::at_least_once()).unwrap();
    drop(store.namespace("other", Policy::at_least_once()).unwrap());
    let (done, ended) = mpsc::channel();
    for _ in 0..2 {
        let (jobs, done) = (jobs.clone(), done.clone());
        let work = move || {
            hand_over(&jobs);
            done.send(()).unwrap();
        };
        thread::Builder::new().spawn(work).unwrap();
    }
    let work = move || {
        change(&store);
        done.send(()).unwrap();
    };
    thread::Builder::new().spawn(work).unwrap();
    for _ in 0..3 {
        ended.recv_timeout(PATIENCE).expect("no call is stuck");
    }
}
