//! Stores of several processes over one server, as programs use them.

use std::collections::BTreeMap;
use std::sync::{Barrier, Mutex};
use std::time::Duration;

use hapax::{Claim, ClaimOptions, Lease, Namespace, OpenOptions, Policy, Ran, Store};

use crate::world::World;

fn store(world: &World) -> Store {
    Store::over(world.other(), OpenOptions::new()).expect("the server runs")
}

fn jobs(store: &Store) -> Namespace {
    let opened = store.namespace("jobs", Policy::at_least_once());
    opened.expect("the server runs")
}

fn payments(store: &Store) -> Namespace {
    let opened = store.namespace("payments", Policy::at_most_once());
    opened.expect("the server runs")
}

fn granted(claim: hapax::Result<Claim>) -> Lease {
    match claim.expect("the server runs") {
        Claim::Granted(lease) => lease,
        other => panic!("the claim is not granted: {other:?}"),
    }
}

#[test]
fn a_key_goes_through_once_whichever_process_asks() {
    let Some(world) = World::new("stores_once") else {
        return;
    };
    let (one, other) = (store(&world), store(&world));
    let lease = granted(jobs(&one).claim("a"));
    assert!(matches!(
        jobs(&other).claim("a").unwrap(),
        Claim::InProgress(_)
    ));
    lease.complete("done").unwrap();
    for store in [&one, &other] {
        let Claim::Completed(answer) = jobs(store).claim("a").unwrap() else {
            panic!("it ran");
        };
        assert_eq!(answer.response(), b"done");
    }
    let first = granted(jobs(&one).claim("b"));
    let token = first.token();
    first.release("later").unwrap();
    let second = granted(jobs(&other).claim("b"));
    assert!(second.token() > token);
    assert_eq!(second.attempt(), 2);
    second.complete("done").unwrap();
    let names: String = world
        .sql
        .get("SELECT string_agg(name, ', ') FROM stores_once.namespaces");
    assert_eq!(names, "jobs");
}

#[test]
fn a_caller_waits_for_the_answer_of_another_process() {
    let Some(world) = World::new("stores_wait") else {
        return;
    };
    let (one, other) = (store(&world), store(&world));
    let lease = granted(jobs(&one).claim("a"));
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let options = ClaimOptions::new().wait(Duration::from_secs(50));
            jobs(&other).claim_with("a", options)
        });
        lease.complete("done").unwrap();
        let answer = waiter.join().expect("it does not panic").unwrap();
        assert!(matches!(answer, Claim::Completed(_)), "{answer:?}");
    });
}

#[test]
fn what_a_process_left_is_in_doubt() {
    let Some(world) = World::new("stores_doubt") else {
        return;
    };
    let (one, other) = (store(&world), store(&world));
    let lease = granted(payments(&one).claim("a"));
    // A lease that is dropped is sent on its way, and waited for by no caller.
    drop(lease);
    world.until("the key is in doubt", || {
        let claimed = payments(&other).claim("a").unwrap();
        matches!(claimed, Claim::InDoubt(_))
    });
    let doubts: Vec<_> = payments(&other).doubts().unwrap().collect();
    assert_eq!(doubts.len(), 1);
    one.close().unwrap();
    other.close().unwrap();
}

#[test]
fn many_callers_of_many_processes_run_each_key_once() {
    let Some(world) = World::new("stores_many") else {
        return;
    };
    let stores = [store(&world), store(&world), store(&world)];
    let ran = Mutex::new(BTreeMap::<String, usize>::new());
    let start = Barrier::new(12);
    std::thread::scope(|scope| {
        for caller in 0..12 {
            let (ran, start) = (&ran, &start);
            let jobs = jobs(&stores[caller % stores.len()]);
            scope.spawn(move || {
                start.wait();
                for at in 0..40 {
                    let key = format!("job-{at}");
                    let outcome = jobs.run_once(&key, |_| {
                        *ran.lock()
                            .expect("no caller panicked")
                            .entry(key.clone())
                            .or_default() += 1;
                        Ok::<_, std::io::Error>(key.clone().into_bytes())
                    });
                    let outcome = outcome.expect("the server runs");
                    let fine = matches!(
                        outcome,
                        Ran::Executed(_) | Ran::Replayed(_) | Ran::InProgress(_)
                    );
                    assert!(fine, "{outcome:?}");
                }
            });
        }
    });
    let ran = ran.into_inner().expect("no caller panicked");
    assert_eq!(ran.len(), 40);
    assert!(ran.values().all(|&times| times == 1), "{ran:?}");
}

#[test]
fn a_ticket_is_attached_again() {
    let Some(world) = World::new("stores_ticket") else {
        return;
    };
    let (one, other) = (store(&world), store(&world));
    let ticket = granted(jobs(&one).claim("a")).detach().unwrap();
    let lease = other.attach(&ticket).unwrap();
    let ticket = lease.detach().unwrap();
    one.attach(&ticket).unwrap().complete("done").unwrap();
}
