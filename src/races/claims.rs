//! Claims of one key against each other, against its holder and against the end of its lease.

use crate::races::{
    Bench, LONG, SECOND, at_least_once, at_most_once, explore, granted, join, response, spawn,
};
use crate::{Claim, ClaimOptions, ErrorKind, Ticket};

#[test]
fn of_three_claims_one_is_granted_and_the_others_hear_of_it() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open();
        let space = at_least_once(&store);
        let claims = (0..3).map(|thread: u8| {
            let space = space.clone();
            spawn(move || match space.claim("key").unwrap() {
                Claim::Granted(lease) => {
                    lease.complete([thread]).unwrap();
                    Some(thread)
                }
                Claim::Completed(_) | Claim::InProgress(_) => None,
                other => panic!("{other:?}"),
            })
        });
        let winners: Vec<u8> = join(claims.collect::<Vec<_>>())
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(winners.len(), 1, "granted once");
        assert_eq!(response(&space, "key"), winners);
        store.validate();
    });
}

#[test]
fn a_lapse_lets_either_the_old_holder_or_the_new_one_complete() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open();
        let space = at_least_once(&store);
        let first = granted(space.claim("key").unwrap());
        let token = first.token();
        let completes = spawn(move || match first.complete("first") {
            Ok(()) => true,
            Err(refused) => {
                assert_eq!(refused.kind(), ErrorKind::Superseded, "{refused}");
                false
            }
        });
        let clock = bench.clock.clone();
        let lapses = spawn(move || clock.advance(SECOND * 2));
        let other = space.clone();
        let claims = spawn(move || match other.claim("key").unwrap() {
            Claim::Granted(lease) => {
                assert!(lease.token() > token, "a later holder has a higher token");
                assert_eq!(lease.attempt(), 2);
                lease.complete("second").unwrap();
                true
            }
            Claim::InProgress(_) => false,
            Claim::Completed(answer) => {
                assert_eq!(answer.response(), b"first");
                false
            }
            other => panic!("{other:?}"),
        });
        let (completed, taken_over) = (completes.join().unwrap(), claims.join().unwrap());
        lapses.join().unwrap();
        assert!(
            completed != taken_over,
            "one outcome, of the one or of the other"
        );
        let outcome: &[u8] = if completed { b"first" } else { b"second" };
        assert_eq!(response(&space, "key"), outcome);
        store.validate();
    });
}

#[test]
fn a_lapse_under_at_most_once_is_never_granted_again() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open();
        let space = at_most_once(&store);
        let first = granted(space.claim("key").unwrap());
        let completes = spawn(move || first.complete("first").unwrap());
        let clock = bench.clock.clone();
        let lapses = spawn(move || clock.advance(SECOND * 2));
        let other = space.clone();
        let claims = spawn(move || match other.claim("key").unwrap() {
            Claim::InProgress(_) | Claim::InDoubt(_) => {}
            Claim::Completed(answer) => assert_eq!(answer.response(), b"first"),
            other => panic!("{other:?}"),
        });
        join([completes, lapses, claims]);
        assert_eq!(
            response(&space, "key"),
            b"first",
            "a late completion settles the doubt"
        );
        store.validate();
    });
}

#[test]
fn of_two_that_have_a_ticket_one_settles_the_key() {
    explore(|| {
        let bench = Bench::new();
        let store = bench.open();
        let space = at_least_once(&store);
        let lease = granted(
            space
                .claim_with("key", ClaimOptions::new().lease(LONG))
                .unwrap(),
        );
        let ticket: Ticket = lease.detach().unwrap();
        let attaches = (0..2).map(|thread: u8| {
            let (store, ticket) = (store.clone(), ticket.clone());
            spawn(move || match store.attach(&ticket) {
                Ok(lease) => {
                    lease.complete([thread]).unwrap();
                    Some(thread)
                }
                Err(refused) => {
                    let kinds = [ErrorKind::InUse, ErrorKind::AlreadySettled];
                    assert!(kinds.contains(&refused.kind()), "{refused}");
                    None
                }
            })
        });
        let settled = join(attaches.collect::<Vec<_>>());
        let settled: Vec<u8> = settled.into_iter().flatten().collect();
        assert_eq!(settled.len(), 1, "settled once");
        assert_eq!(response(&space, "key"), settled);
        store.validate();
    });
}
