//! Leases that their holders never give back.

use hapax::{Claim, ErrorKind, Policy, Resolution};

use crate::site::answers::{claim, die};
use crate::site::site::Site;
use crate::site::times::{MILLISECOND, MINUTE};
use crate::world::world::World;

pub(crate) fn a_lease_that_was_forgotten_lapses(world: &dyn World) {
    let site = Site::new(world);
    let least = site
        .store
        .namespace("least", Policy::at_least_once().lease(MINUTE))
        .unwrap();
    let most = site
        .store
        .namespace("most", Policy::at_most_once().lease(MINUTE))
        .unwrap();
    let brief = MILLISECOND + site.slack();
    die(claim(&least, "key"));
    die(claim(&most, "key"));
    site.advance(MINUTE - brief);
    assert!(matches!(least.claim("key").unwrap(), Claim::InProgress(_)));
    assert!(matches!(most.claim("key").unwrap(), Claim::InProgress(_)));
    site.advance(brief);
    let again = claim(&least, "key");
    assert_eq!(again.attempt(), 2);
    again.complete("done").unwrap();
    let Claim::InDoubt(doubt) = most.claim("key").unwrap() else {
        panic!("in doubt")
    };
    // The store does not know that the holder has stopped.
    assert!(doubt.holder_alive());
    assert_eq!(
        doubt.resolve(Resolution::NeverHappened).unwrap_err().kind(),
        ErrorKind::InUse
    );
    let forced = site
        .operator()
        .resolve_forced(&doubt, Resolution::NeverHappened);
    forced.unwrap();
    assert_eq!(claim(&most, "key").attempt(), 1);
    site.validate();
}

/// An error that gives a lease back was dropped, and the lease with it. The store still took its
/// holder for alive, so no reconciler could settle the key while the process ran.
pub(crate) fn a_lease_that_went_away_inside_an_error_has_no_holder(world: &dyn World) {
    let site = Site::new(world);
    let policy = Policy::at_most_once().lease(MINUTE).max_response(10);
    let most = site.store.namespace("most", policy).unwrap();
    let error = claim(&most, "key").complete([7; 11]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(matches!(most.claim("key").unwrap(), Claim::InProgress(_)));
    drop(error);
    assert!(
        matches!(most.claim("key").unwrap(), Claim::InProgress(_)),
        "it is not released"
    );
    site.advance(MINUTE);
    let Claim::InDoubt(doubt) = most.claim("key").unwrap() else {
        panic!("in doubt")
    };
    assert!(!doubt.holder_alive());
    doubt.resolve(Resolution::NeverHappened).unwrap();

    let error = claim(&most, "key").complete([7; 11]).unwrap_err();
    let lease = error.into_lease().unwrap();
    site.advance(MINUTE);
    let Claim::InDoubt(doubt) = most.claim("key").unwrap() else {
        panic!("in doubt")
    };
    assert!(doubt.holder_alive(), "a lease that was taken back is held");
    lease.complete("short").unwrap();
    site.validate();
}
