//! The state of a key after its holder was refused and dropped its lease.

use std::time::Duration;

use hapax::{Claim, ErrorKind, Failure, Namespace, Policy, Ran, Resolution, RunError};

use crate::site::answers::claim;
use crate::site::site::Site;
use crate::site::times::{MINUTE, SECOND};
use crate::world::world::World;

const LEASE: Duration = MINUTE;

fn open(world: &dyn World, policy: Policy) -> (Site, Namespace) {
    let site = Site::new(world);
    let policy = policy.lease(LEASE).max_response(4);
    let jobs = site.store.namespace("jobs", policy).unwrap();
    (site, jobs)
}

/// The error that gives a lease back used to leave the holder marked as alive when it was dropped,
/// so a reconciler that knew that nothing had happened was refused until the store was reopened.
pub(crate) fn a_holder_that_drops_its_refusal_is_not_alive_any_more(world: &dyn World) {
    let (site, jobs) = open(world, Policy::at_most_once());
    let refused = claim(&jobs, "a").complete("too long").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    site.advance(LEASE * 2);
    let alive = |holder_alive| {
        let doubts: Vec<_> = jobs.doubts().unwrap().map(Result::unwrap).collect();
        assert_eq!(doubts.len(), 1);
        assert_eq!(doubts[0].holder_alive(), holder_alive);
    };
    alive(true);
    drop(refused);
    alive(false);
    let reconciled = site.store.reconcile(|_| Some(Resolution::NeverHappened));
    assert_eq!(reconciled.unwrap().resolved(), 1);
    let _lease = claim(&jobs, "a");
    site.validate();
}

/// The store went on renewing the lease of a holder that was refused and gone.
pub(crate) fn a_lease_is_not_kept_alive_for_a_holder_that_is_gone(world: &dyn World) {
    let (site, jobs) = open(world, Policy::at_least_once());
    let lease = claim(&jobs, "a");
    lease.keep_alive(LEASE * 60).unwrap();
    let refused = lease.complete("too long").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    drop(refused);
    site.advance(LEASE / 2);
    assert!(matches!(jobs.claim("a").unwrap(), Claim::InProgress(_)));
    site.advance(LEASE);
    assert_eq!(claim(&jobs, "a").attempt(), 2, "its lease has lapsed");
    site.validate();
}

/// Work whose result was over the limit had run, and ran again when its lease had lapsed.
pub(crate) fn work_whose_result_is_too_large_is_recorded_as_done(world: &dyn World) {
    for policy in [Policy::at_least_once(), Policy::at_most_once()] {
        let (site, jobs) = open(world, policy);
        let run = || jobs.run_once("a", |_| Ok::<_, Failure<String>>("too long".to_owned()));
        assert!(matches!(run(), Ok(Ran::Executed(result)) if result == "too long"));
        site.advance(LEASE * 2);
        let Err(RunError::Store(error)) = run() else {
            panic!("the result was left out")
        };
        assert_eq!(error.kind(), ErrorKind::Decode);
        let Claim::Completed(answer) = jobs.claim("a").unwrap() else {
            panic!("it has run")
        };
        assert!(answer.response_omitted());
        site.validate();
    }
}

pub(crate) fn a_lease_that_is_taken_back_is_armed_again(world: &dyn World) {
    let (site, jobs) = open(world, Policy::at_least_once());
    let refused = claim(&jobs, "a").complete("too long").unwrap_err();
    drop(refused.into_lease().unwrap());
    let lease = claim(&jobs, "a");
    assert_eq!(lease.attempt(), 2, "dropping it has released the key");
    let refused = lease.complete("too long").unwrap_err();
    refused.into_lease().unwrap().complete("fits").unwrap();
    assert!(matches!(jobs.claim("a").unwrap(), Claim::Completed(_)));
    site.validate();
}

/// What lists show of a key, and what its claims are told, after its holder was refused and dropped
/// the error once the lease had lapsed.
fn let_go_after_the_lapse(world: &dyn World, policy: Policy, history: impl Fn(&Namespace)) {
    let once = policy == Policy::at_most_once().max_attempts(2);
    let (site, jobs) = open(world, policy);
    history(&jobs);
    let lease = claim(&jobs, "a");
    let attempt = lease.attempt();
    site.advance(LEASE);
    let refused = lease.complete("too long").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    drop(refused);
    for _ in 0..3 {
        site.advance(SECOND);
        site.validate();
        let info = jobs.get("a").unwrap().expect("the key is there");
        assert_eq!(info.attempt(), attempt);
        let listed: Vec<_> = site.store.doubts().unwrap().map(Result::unwrap).collect();
        assert_eq!(listed.len(), usize::from(once), "{info:?}");
        assert!(listed.iter().all(|doubt| doubt.token() == info.token()));
    }
    match jobs.claim("a").unwrap() {
        Claim::InDoubt(doubt) => {
            assert!(once && !doubt.holder_alive());
            let reconciled = site.store.reconcile(|_| Some(Resolution::NeverHappened));
            assert_eq!(reconciled.unwrap().resolved(), 1);
        }
        Claim::Granted(next) => assert_eq!((once, next.attempt()), (false, attempt + 1)),
        Claim::Failed(_) => assert!(!once && attempt == 2),
        other => panic!("{other:?}"),
    }
    site.validate();
}

/// A lapsed holder was refused and dropped its error. Its timer was set again for the lapse that had
/// been seen, and fired as if the retention of the key had passed: the key was gone with its attempts,
/// and a doubt vanished from every list.
pub(crate) fn a_lapsed_holder_that_drops_its_refusal_leaves_the_key_as_it_is(world: &dyn World) {
    let counted = |policy: Policy| policy.max_attempts(2);
    for policy in [Policy::at_least_once(), Policy::at_most_once()] {
        let_go_after_the_lapse(world, counted(policy.clone()), |_| {});
        let_go_after_the_lapse(world, counted(policy), |jobs| {
            claim(jobs, "a").release("busy").unwrap();
        });
    }
    let_go_after_the_lapse(world, counted(Policy::at_most_once()), |jobs| {
        drop(claim(jobs, "a"));
        let Claim::InDoubt(doubt) = jobs.claim("a").unwrap() else {
            panic!("in doubt")
        };
        doubt.resolve(Resolution::NeverHappened).unwrap();
    });
}

/// `max_attempts(2)` let the work run ten times of ten, each holder refused and gone after its lapse.
pub(crate) fn holders_that_are_refused_and_go_use_up_the_attempts(world: &dyn World) {
    let (site, jobs) = open(world, Policy::at_least_once().max_attempts(2));
    let mut runs = 0;
    for _ in 0..10 {
        let Claim::Granted(lease) = jobs.claim("a").unwrap() else {
            break;
        };
        runs += 1;
        site.advance(LEASE);
        drop(lease.complete("too long").unwrap_err());
        site.advance(SECOND);
        site.validate();
    }
    assert_eq!(runs, 2);
    assert!(matches!(jobs.claim("a").unwrap(), Claim::Failed(_)));
}

/// A lease that ends again in the moment in which the store is told to keep it alive is not taken for
/// one that has been forgotten.
pub(crate) fn a_lease_that_is_kept_alive_after_its_lapse_lapses_again(world: &dyn World) {
    let (site, jobs) = open(world, Policy::at_least_once());
    let lease = claim(&jobs, "a");
    site.advance(LEASE);
    lease.keep_alive(LEASE * 3).unwrap();
    site.advance(LEASE * 2);
    assert!(matches!(jobs.claim("a").unwrap(), Claim::InProgress(_)));
    site.advance(LEASE);
    site.validate();
    drop(lease.complete("too long").unwrap_err());
    site.advance(LEASE);
    site.validate();
    assert_eq!(claim(&jobs, "a").attempt(), 2);
}
