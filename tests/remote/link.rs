//! What a link that fails does to calls: nothing is carried out twice, and nothing that was acknowledged is lost.

use std::time::Duration;

use hapax::sim::{LinkFault, LinkFaults, Skew};
use hapax::{Claim, ClaimOptions, ErrorKind, OpenOptions};

use crate::world::{MINUTE, World, granted};

/// Calls that give up at once when they do not know what became of them.
fn impatient() -> OpenOptions {
    OpenOptions::new().call_deadline(Duration::ZERO)
}

fn always(fault: LinkFault) -> LinkFaults {
    LinkFaults::none().rate(fault, 10_000)
}

#[test]
fn a_call_that_was_not_sent_has_done_nothing() {
    let world = World::new();
    let one = world.process(1);
    let jobs = one.jobs();
    let lease = granted(jobs.claim("held"));
    one.link.set_faults(1, always(LinkFault::Refused));
    for refused in [
        jobs.claim("a").map(drop),
        jobs.insert("a").map(drop),
        jobs.get("a").map(drop),
        jobs.forget("a").map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    let refused = lease.complete("done").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    one.link.set_faults(1, LinkFaults::none());
    assert_eq!(world.server.rows(), 1);
    refused.into_lease().unwrap().complete("done").unwrap();
    assert!(jobs.contains("held").unwrap());
}

#[test]
fn a_lost_answer_is_asked_for_again_under_the_same_nonce() {
    for fault in [LinkFault::LostAnswer, LinkFault::LostRequest] {
        let world = World::new();
        let one = world.process(1);
        let jobs = one.jobs();
        // Half of all calls get no answer.
        one.link.set_faults(7, LinkFaults::none().rate(fault, 5000));
        for number in 0..50 {
            let claim = jobs.claim_async(format!("key {number}"), ClaimOptions::new());
            let lease = granted(world.wait_for(claim));
            assert_eq!(lease.attempt(), 1, "it recognises its own grant");
            world
                .wait_for(lease.complete_async(number.to_string()))
                .unwrap();
        }
        one.link.set_faults(7, LinkFaults::none());
        for number in 0..50 {
            let info = jobs.get(format!("key {number}")).unwrap().unwrap();
            assert_eq!(info.body(), number.to_string().as_bytes());
        }
        world.server.validate();
    }
}

#[test]
fn a_claim_without_an_answer_is_unknown_and_taken_back() {
    let world = World::new();
    let (one, other) = (
        world.process_with(1, Skew::default(), impatient()),
        world.process(2),
    );
    let jobs = one.jobs();
    one.link.set_faults(1, always(LinkFault::LostAnswer));
    assert_eq!(jobs.claim("a").unwrap_err().kind(), ErrorKind::Unknown);
    one.link.set_faults(1, LinkFaults::none());
    assert_eq!(
        granted(other.jobs().claim("a")).attempt(),
        1,
        "the grant was taken back"
    );
}

#[test]
fn a_completion_without_an_answer_may_be_sent_again() {
    let world = World::new();
    for fault in [LinkFault::LostAnswer, LinkFault::LostRequest] {
        let one = world.process_with(1, Skew::default(), impatient());
        let jobs = one.jobs();
        let key = format!("{fault:?}");
        let lease = granted(jobs.claim(&key));
        one.link.set_faults(1, always(fault));
        let unknown = lease.complete("done").unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::Unknown);
        one.link.set_faults(1, LinkFaults::none());
        unknown.into_lease().unwrap().complete("done").unwrap();
        let Claim::Completed(answer) = jobs.claim(&key).unwrap() else {
            panic!("it ran");
        };
        assert_eq!(answer.response(), b"done");
    }
}

#[test]
fn a_request_that_arrives_twice_is_carried_out_once() {
    let world = World::new();
    let one = world.process(1);
    let jobs = one.jobs();
    one.link
        .set_faults(3, always(LinkFault::Twice).delay(Duration::from_secs(90)));
    for number in 0..20 {
        let lease = granted(jobs.claim(format!("key {number}")));
        lease.renew().unwrap();
        lease.complete(number.to_string()).unwrap();
        world.advance(Duration::from_secs(9));
    }
    world.advance(MINUTE * 5);
    for number in 0..20 {
        let info = jobs.get(format!("key {number}")).unwrap().unwrap();
        assert_eq!(
            (info.attempt(), info.body()),
            (1, number.to_string().as_bytes())
        );
    }
    world.server.validate();
}

#[test]
fn a_holder_that_is_cut_off_knows_in_time_that_its_lease_may_be_over() {
    let world = World::new();
    let slow = Skew::default().offset_ms(1_000_000);
    let one = world.process_with(1, slow, OpenOptions::new());
    let other = world.process(2);
    let jobs = one.jobs();
    let lease = granted(jobs.claim("a"));
    lease.keep_alive(MINUTE * 30).unwrap();
    world.advance(MINUTE * 10);
    assert!(!lease.is_lost() && matches!(other.jobs().claim("a"), Ok(Claim::InProgress(_))));
    one.link.cut();
    let mut seconds = 0;
    while !lease.is_lost() {
        let claim = other.jobs().claim("a").unwrap();
        assert!(
            matches!(claim, Claim::InProgress(_)),
            "it is held for as long as its holder believes so"
        );
        world.advance(Duration::from_secs(1));
        seconds += 1;
    }
    assert!(
        seconds <= 10,
        "a process that gives no sign of life for ten seconds counts as gone"
    );
    assert!(!one.store.health().is_ready());
    world.advance(Duration::from_secs(10));
    let lease_of_other = granted(other.jobs().claim("a"));
    one.link.heal();
    assert_eq!(
        lease.complete("late").unwrap_err().kind(),
        ErrorKind::Superseded
    );
    lease_of_other.complete("done").unwrap();
    world.advance(Duration::from_secs(4));
    assert!(one.store.health().is_ready());
}

#[test]
fn a_failover_that_loses_the_newest_changes_repeats_no_token() {
    let world = World::new();
    let (one, other) = (world.process(1), world.process(2));
    let jobs = one.jobs();
    granted(jobs.claim("before")).complete("kept").unwrap();
    let mark = world.server.mark();
    let lease = granted(jobs.claim("after"));
    let (lost, token) = (granted(jobs.claim("lost")), lease.token());
    lost.complete("gone").unwrap();
    world.server.lose_since(&mark);
    assert!(jobs.contains("before").unwrap());
    assert!(!jobs.contains("lost").unwrap(), "the failover has lost it");
    assert_eq!(
        lease.complete("late").unwrap_err().kind(),
        ErrorKind::NotHeld
    );
    for process in [&one, &other] {
        for key in ["after", "lost"] {
            let lease = granted(process.jobs().claim(key));
            assert!(lease.token() > token, "no token is granted twice");
            lease.withdraw();
        }
    }
    world.server.validate();
}
