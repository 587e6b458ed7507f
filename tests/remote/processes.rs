//! What processes that share a store are to each other.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hapax::operator::Attribution;
use hapax::scan::KeyFilter;
use hapax::{Claim, ClaimOptions, ErrorKind, KeyState, Policy, Ran, Resolution};

use crate::world::{MINUTE, World, granted};

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_key_goes_through_once_whichever_process_asks() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let lease = granted(one.jobs().claim("a"));
    let Claim::InProgress(busy) = other.jobs().claim("a").unwrap() else {
        panic!("another process runs it");
    };
    assert_eq!((busy.attempt(), busy.lease_left()), (1, MINUTE));
    lease.complete("done").unwrap();
    for process in [&one, &other] {
        let Claim::Completed(answer) = process.jobs().claim("a").unwrap() else {
            panic!("it ran");
        };
        assert_eq!((answer.response(), answer.attempts()), (&b"done"[..], 1));
    }
    world.server.validate();
}

#[test]
fn every_state_is_told_to_the_other_process() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    granted(one.jobs().claim("failed"))
        .fail("declined")
        .unwrap();
    granted(one.jobs().claim("released"))
        .release("later")
        .unwrap();
    granted(one.jobs().claim("doubted"))
        .doubt("timed out")
        .unwrap();
    assert!(one.jobs().insert("inserted").unwrap());
    assert!(!other.jobs().insert("inserted").unwrap());
    let states = ["failed", "released", "doubted", "inserted"].map(|key| {
        let info = other.jobs().get(key).unwrap();
        info.map(|info| info.state())
    });
    let expected = [
        KeyState::Failed,
        KeyState::Released,
        KeyState::InDoubt,
        KeyState::Completed,
    ];
    assert_eq!(states, expected.map(Some));
    let lease = granted(other.jobs().claim("released"));
    assert_eq!((lease.attempt(), lease.last_reason()), (2, &b"later"[..]));
    lease.complete("at last").unwrap();
    let doubt = other.jobs().doubt_of("doubted").unwrap().unwrap();
    assert_eq!(doubt.reason(), b"timed out");
    doubt
        .resolve(Resolution::Happened(b"it did".to_vec()))
        .unwrap();
    assert!(one.jobs().contains("doubted").unwrap());
    world.server.validate();
}

#[test]
fn a_lease_that_runs_out_goes_to_another_process_and_the_late_holder_is_superseded() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let late = granted(one.jobs().claim("a"));
    late.checkpoint("half").unwrap();
    world.advance(MINUTE - Duration::from_millis(1));
    assert!(!late.is_lost());
    assert!(matches!(other.jobs().claim("a"), Ok(Claim::InProgress(_))));
    world.advance(Duration::from_millis(1));
    assert!(late.is_lost());
    let lease = granted(other.jobs().claim("a"));
    assert_eq!(
        (lease.attempt(), lease.last_checkpoint()),
        (2, &b"half"[..])
    );
    assert!(lease.token() > late.token());
    let refused = late.complete("too late").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Superseded);
    assert_eq!(
        refused.current().map(|info| info.token()),
        Some(lease.token())
    );
    lease.complete("in time").unwrap();
    world.server.validate();
}

#[test]
fn a_late_outcome_counts_as_long_as_nobody_took_the_key_over() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let lease = granted(one.jobs().claim("a"));
    let paid = granted(one.payments().claim("a"));
    world.advance(MINUTE * 2);
    assert!(matches!(other.payments().claim("a"), Ok(Claim::InDoubt(_))));
    assert_eq!(paid.renew().unwrap_err().kind(), ErrorKind::InUse);
    lease.complete("late").unwrap();
    paid.complete("late").unwrap();
    assert!(other.jobs().contains("a").unwrap() && other.payments().contains("a").unwrap());
}

#[test]
fn a_process_that_dies_loses_its_leases_when_it_has_been_silent() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let (jobs, payments) = (other.jobs(), other.payments());
    let long = ClaimOptions::new().lease(MINUTE * 10);
    let lease = granted(one.jobs().claim_with("a", long.clone()));
    let paid = granted(one.payments().claim_with("a", long));
    let Claim::InProgress(_) = payments.claim("a").unwrap() else {
        panic!("its holder is alive");
    };
    one.link.crash();
    world.advance(Duration::from_secs(5));
    assert!(matches!(jobs.claim("a"), Ok(Claim::InProgress(_))));
    world.advance(Duration::from_secs(5));
    assert_eq!(granted(jobs.claim("a")).attempt(), 2);
    let Claim::InDoubt(doubt) = payments.claim("a").unwrap() else {
        panic!("its holder has gone");
    };
    assert!(!doubt.holder_alive());
    doubt.resolve(Resolution::NeverHappened).unwrap();
    granted(payments.claim("a")).complete("paid").unwrap();
    drop((lease, paid));
    world.server.validate();
}

#[test]
fn a_process_that_closes_gives_its_keys_up_at_once() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let lease = granted(one.jobs().claim("a"));
    one.store.close().unwrap();
    let refused = lease.complete("after the end").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
    assert_eq!(granted(other.jobs().claim("a")).attempt(), 2);
    assert_eq!(one.store.close().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn dropping_the_last_handle_closes_the_store_after_what_was_sent() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let jobs = one.jobs();
    let lease = granted(jobs.claim("a"));
    let link = one.link.clone();
    drop((one, jobs));
    assert_eq!(world.server.rows(), 1, "the lease keeps the store open");
    drop(lease);
    assert_eq!(link.tasks(), 0, "nothing of the process runs any more");
    assert_eq!(
        other.jobs().get("a").unwrap().unwrap().state(),
        KeyState::Released
    );
}

#[test]
fn a_caller_that_waits_gets_the_key_when_another_process_releases_it() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let lease = granted(one.jobs().claim("a"));
    let wait = ClaimOptions::new().wait(Duration::from_secs(30));
    let mut first = pin!(other.jobs().claim_async("a", wait.clone()));
    let mut second = pin!(other.jobs().claim_async("a", wait.clone()));
    let mut early = pin!(
        other
            .jobs()
            .claim_async("a", ClaimOptions::new().wait(Duration::from_secs(1)))
    );
    assert!(poll_once(first.as_mut()).is_pending() && poll_once(second.as_mut()).is_pending());
    assert!(poll_once(early.as_mut()).is_pending());
    world.advance(Duration::from_secs(2));
    let Poll::Ready(Ok(Claim::InProgress(_))) = poll_once(early.as_mut()) else {
        panic!("its time has come");
    };
    lease.release("not now").unwrap();
    world.advance(Duration::from_secs(1));
    let mut leases = Vec::new();
    for claim in [first.as_mut(), second.as_mut()] {
        if let Poll::Ready(claim) = poll_once(claim) {
            leases.push(granted(claim));
        }
    }
    assert_eq!(leases.len(), 1, "exactly one is granted");
    leases.pop().unwrap().complete("done").unwrap();
    world.server.validate();
}

#[test]
fn a_caller_that_waits_is_told_of_the_outcome() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let lease = granted(one.jobs().claim("a"));
    let wait = ClaimOptions::new().wait(Duration::from_secs(30));
    let mut waits = pin!(other.jobs().claim_async("a", wait));
    assert!(poll_once(waits.as_mut()).is_pending());
    lease.complete("done").unwrap();
    world.advance(Duration::from_secs(1));
    let Poll::Ready(Ok(Claim::Completed(answer))) = poll_once(waits.as_mut()) else {
        panic!("it is told");
    };
    assert_eq!(answer.response(), b"done");
}

#[test]
fn a_claim_that_is_given_up_leaves_the_key_as_it_was() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    granted(one.jobs().claim("a")).release("once").unwrap();
    let mut claim = Box::pin(one.jobs().claim_async("a", ClaimOptions::new()));
    // The answer of the backend is there, and the caller goes away without it.
    one.link.set_faults(
        1,
        hapax::sim::LinkFaults::none()
            .rate(hapax::sim::LinkFault::LateAnswer, 10_000)
            .by_hand(),
    );
    assert!(poll_once(claim.as_mut()).is_pending());
    one.link.set_faults(1, hapax::sim::LinkFaults::none());
    drop(claim);
    one.link.deliver_all();
    let info = other.jobs().get("a").unwrap().unwrap();
    assert_eq!((info.state(), info.attempt()), (KeyState::Released, 1));
    let lease = granted(other.jobs().claim("a"));
    lease.withdraw();
    let info = other.jobs().get("a").unwrap().unwrap();
    assert_eq!((info.state(), info.attempt()), (KeyState::Released, 1));
}

#[test]
fn a_ticket_goes_from_process_to_process() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let ticket = granted(one.payments().claim("a")).detach().unwrap();
    one.store.close().unwrap();
    let third = world.process(3);
    let lease = third.store.attach(&ticket).unwrap();
    assert_eq!(lease.token(), ticket.token());
    let refused = other.store.attach(&ticket).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InUse, "it is held elsewhere");
    lease.complete("paid").unwrap();
    let refused = other.store.attach(&ticket).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadySettled);
    let paid = refused.current().map(|info| info.body().to_vec());
    assert_eq!(paid.as_deref(), Some(&b"paid"[..]));
}

#[test]
fn batches_have_an_answer_for_each_item() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let jobs = one.jobs();
    granted(jobs.claim("old")).complete("known").unwrap();
    let held = granted(other.jobs().claim("held"));
    let claims = jobs.claim_many(["new", "old", "held", "new"]).unwrap();
    let mut leases = Vec::new();
    let kinds: Vec<_> = claims
        .into_iter()
        .map(|claim| match claim {
            hapax::BatchClaim::Claim(Claim::Granted(lease)) => {
                leases.push(lease);
                "granted"
            }
            hapax::BatchClaim::Claim(Claim::Completed(_)) => "completed",
            hapax::BatchClaim::Claim(Claim::InProgress(_)) => "in progress",
            hapax::BatchClaim::RepeatOf {
                index: 0,
                mismatch: false,
            } => "repeat",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["granted", "completed", "in progress", "repeat"]);
    let lease = leases.pop().unwrap();
    let settled = jobs.complete_many([(lease, "one"), (held, "two")]);
    assert!(settled.iter().all(Result::is_ok), "{settled:?}");
    let inserted = jobs.insert_many(["x", "old", "x"]).unwrap();
    let inserted: Vec<_> = inserted.into_iter().map(Result::unwrap).collect();
    assert_eq!(inserted, [true, false, false]);
}

#[test]
fn run_once_runs_once_in_all_processes() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let run = |process: &crate::world::Process| {
        let ran = process.jobs().run_once("a", |run| {
            Ok::<_, std::io::Error>(run.attempt().to_string())
        });
        ran.unwrap()
    };
    assert!(matches!(run(&one), Ran::Executed(value) if value == "1"));
    assert!(matches!(run(&other), Ran::Replayed(value) if value == "1"));
}

#[test]
fn fingerprints_are_compared_between_processes() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let of = |process: &crate::world::Process, body: &str| {
        let print = process.jobs().fingerprint_of(body).unwrap();
        ClaimOptions::new().fingerprint(print).metadata("request 7")
    };
    granted(one.jobs().claim_with("a", of(&one, "12.99")))
        .complete("charged")
        .unwrap();
    let Claim::Mismatch(differs) = other.jobs().claim_with("a", of(&other, "99.99")).unwrap()
    else {
        panic!("it is another request");
    };
    assert_eq!(differs.labels(), ["body"]);
    let Claim::Completed(answer) = other.jobs().claim_with("a", of(&other, "12.99")).unwrap()
    else {
        panic!("it is the same request");
    };
    assert!(answer.fingerprint_compared());
    assert_eq!(answer.metadata(), b"request 7");
}

#[test]
fn outcomes_are_forgotten_when_their_time_has_come() {
    let world = World::new();
    let one = world.process(1);
    let day = Duration::from_secs(24 * 60 * 60);
    granted(one.jobs().claim("a")).complete("done").unwrap();
    world.advance(day);
    assert!(one.jobs().contains("a").unwrap(), "not a second early");
    world.advance(Duration::from_secs(2));
    assert!(!one.jobs().contains("a").unwrap());
    let lease = granted(one.jobs().claim("a"));
    assert_eq!(lease.attempt(), 1);
    assert!(
        one.jobs()
            .forget("missing")
            .is_ok_and(|was_there| !was_there)
    );
    let refused = one.jobs().forget("a").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InUse);
    lease.complete("again").unwrap();
    assert!(one.jobs().forget("a").unwrap());
    assert_eq!(one.jobs().get("a").unwrap().map(|info| info.state()), None);
}

#[test]
fn attempts_are_counted_over_processes() {
    let world = World::new();
    let policy = || Policy::at_least_once().max_attempts(2);
    for number in 1..=2 {
        let process = world.process(number);
        let jobs = process.store.namespace("limited", policy()).unwrap();
        assert_eq!(u64::from(granted(jobs.claim("a")).attempt()), number);
        process.link.crash();
        world.advance(MINUTE);
    }
    let third = world.process(3);
    let jobs = third.store.namespace("limited", policy()).unwrap();
    assert!(
        matches!(jobs.claim("a"), Ok(Claim::Failed(_))),
        "no attempt is left"
    );
}

#[test]
fn lists_have_the_keys_of_all_processes_by_age() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let mut held = Vec::new();
    for (number, process) in [(1, &one), (2, &other), (3, &one)] {
        held.push(granted(process.payments().claim(format!("key {number}"))));
        world.advance(Duration::from_secs(1));
    }
    let running = || {
        let infos = other
            .store
            .running()
            .unwrap()
            .map(|info| info.unwrap().key().to_vec());
        infos.collect::<Vec<_>>()
    };
    assert_eq!(running(), [b"key 1", b"key 2", b"key 3"]);
    held.pop().unwrap().doubt("the first doubt").unwrap();
    world.advance(MINUTE * 2);
    let doubts = other
        .payments()
        .doubts()
        .unwrap()
        .map(|doubt| doubt.unwrap().key().to_vec());
    assert_eq!(doubts.count(), 3, "the others have lapsed");
    assert!(running().is_empty());
    let all = one
        .store
        .scan(KeyFilter::new().state(KeyState::InDoubt))
        .unwrap();
    assert_eq!(all.map(Result::unwrap).count(), 3);
    let reconciled = other
        .store
        .reconcile(|_| Some(Resolution::Failed(b"no".to_vec())))
        .unwrap();
    assert_eq!(reconciled.resolved(), 3);
    drop(held);
}

#[test]
fn operators_end_holds_of_other_processes() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let operator = other
        .store
        .operator(Attribution::new("ada", "incident 7").unwrap());
    let lease = granted(one.jobs().claim("a"));
    operator.release("jobs", "a", lease.token()).unwrap();
    let refused = lease.complete("too late").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Superseded);
    assert_eq!(granted(other.jobs().claim("a")).attempt(), 2);
    let paid = granted(one.payments().claim("a"));
    operator.doubt("payments", "a", paid.token()).unwrap();
    let doubt = other.payments().doubt_of("a").unwrap().unwrap();
    assert!(doubt.holder_alive());
    let refused = doubt.resolve(Resolution::NeverHappened).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InUse);
    operator
        .resolve_forced(&doubt, Resolution::NeverHappened)
        .unwrap();
    drop(paid);
    granted(other.payments().claim("a"))
        .complete("paid")
        .unwrap();
    world.server.validate();
}

#[test]
fn two_processes_make_one_namespace() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let jobs = one.jobs();
    assert_eq!(
        other.store.open_namespace("jobs").unwrap().policy(),
        jobs.policy()
    );
    let refused = other
        .store
        .namespace("jobs", Policy::at_most_once())
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PolicyConflict);
    let refused = other.store.open_namespace("missing").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NoNamespace);
    let kept = Policy::at_least_once().retention(MINUTE * 60);
    other.store.namespace("jobs", kept.clone()).unwrap();
    assert_eq!(
        world
            .process(3)
            .store
            .open_namespace("jobs")
            .unwrap()
            .policy(),
        &kept
    );
}

#[test]
fn what_only_an_embedded_store_has_is_refused() {
    let world = World::new();
    let one = world.process(1);
    let refused = [
        one.store.verify().map(drop),
        one.store.compact().map(drop),
        one.store.backup("nowhere").map(drop),
        one.store.verify_audit().map(drop),
        one.store
            .change_guarantee("jobs", Policy::at_most_once())
            .map(drop),
    ];
    for refused in refused {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(
            error.to_string().contains("a store over reference has no"),
            "{error}"
        );
    }
    assert!(!std::path::Path::new("nowhere").exists());
    one.store.sync().unwrap();
    assert!(one.store.health().is_ready());
}

#[test]
fn a_ticket_whose_process_died_becomes_a_lease_of_its_whole_time() {
    let world = World::new();
    let one = world.process(1);
    let ticket = granted(one.payments().claim("a")).detach().unwrap();
    one.link.crash();
    world.advance(MINUTE);
    let other = world.process(2);
    assert_eq!(other.payments().doubts().unwrap().count(), 1);
    let lease = other.store.attach(&ticket).unwrap();
    assert_eq!(lease.lease_left(), MINUTE);
    let info = other.payments().get("a").unwrap().unwrap();
    assert_eq!(info.state(), KeyState::InProgress);
    assert_eq!(other.store.running().unwrap().count(), 1);
    assert_eq!(other.payments().doubts().unwrap().count(), 0);
    lease.complete("paid").unwrap();
}
