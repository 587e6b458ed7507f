//! Reconcilers: they walk all doubts, and ask about those that stay unknown again, less and less often.

use std::time::Duration;

use hapax::{Claim, Lease, Namespace, Policy, Resolution};

use crate::site::answers::claim;
use crate::site::site::Site;
use crate::site::times::{MINUTE, SECOND};
use crate::world::world::World;

fn open(world: &dyn World) -> (Site, Namespace) {
    let site = Site::new(world);
    let pay = site.store.namespace("pay", Policy::at_most_once()).unwrap();
    (site, pay)
}

fn doubt(pay: &Namespace, key: &str) {
    let Claim::Granted(lease) = pay.claim(key).unwrap() else {
        panic!("{key} is free")
    };
    lease.doubt("timed out").unwrap();
}

pub(crate) fn the_waits_double_up_to_the_longest_and_each_doubt_has_its_own(world: &dyn World) {
    let (site, pay) = open(world);
    doubt(&pay, "old");
    let mut reconciler = site.store.reconciler(SECOND, SECOND * 4);
    for wait in [1, 2, 4, 4, 4] {
        assert_eq!(reconciler.step(|_| None).unwrap().unknown(), 1);
        assert_eq!(reconciler.retry_after(), Some(SECOND * wait));
        site.advance(SECOND * wait - Duration::from_millis(1));
        assert_eq!(
            reconciler.step(|_| panic!("too early")).unwrap().waiting(),
            1
        );
        site.advance(Duration::from_millis(1));
    }
    assert_eq!(reconciler.step(|_| None).unwrap().unknown(), 1);
    doubt(&pay, "new");
    let asked = reconciler.step(|doubt| {
        assert_eq!(doubt.key(), b"new", "the old one waits");
        None
    });
    let asked = asked.unwrap();
    assert_eq!((asked.unknown(), asked.waiting()), (1, 1));
    assert_eq!(reconciler.retry_after(), Some(SECOND));
}

pub(crate) fn a_doubt_that_is_settled_is_not_waited_for(world: &dyn World) {
    let (site, pay) = open(world);
    doubt(&pay, "a");
    let mut reconciler = site.store.reconciler(SECOND, SECOND);
    reconciler.step(|_| None).unwrap();
    site.advance(SECOND);
    let settled = reconciler.step(|_| Some(Resolution::Happened(b"receipt".to_vec())));
    assert_eq!(settled.unwrap().resolved(), 1);
    assert_eq!(reconciler.retry_after(), None);
    assert!(matches!(pay.claim("a").unwrap(), Claim::Completed(_)));
}

pub(crate) fn a_holder_that_is_alive_is_asked_about_later(world: &dyn World) {
    let (site, pay) = open(world);
    let Claim::Granted(held) = pay.claim("a").unwrap() else {
        panic!("granted")
    };
    site.advance(SECOND * 61);
    let mut reconciler = site.store.reconciler(SECOND, SECOND);
    let never = || |_: &_| Some(Resolution::NeverHappened);
    assert_eq!(reconciler.step(never()).unwrap().holder_alive(), 1);
    site.is_left(reconciler.retry_after().unwrap(), SECOND);
    drop(held);
    site.advance(SECOND);
    assert_eq!(reconciler.step(never()).unwrap().resolved(), 1);
    assert!(matches!(pay.claim("a").unwrap(), Claim::Granted(_)));
}

/// A resolution that was refused ended the step, and with it what was known of the doubts after that
/// one: each was asked about again at once, as if for the first time.
pub(crate) fn a_step_that_fails_forgets_no_waits(world: &dyn World) {
    let (site, pay) = open(world);
    doubt(&pay, "a");
    let mut reconciler = site.store.reconciler(SECOND, SECOND * 8);
    reconciler.step(|_| None).unwrap();
    site.advance(SECOND / 2);
    doubt(&pay, "b");
    reconciler.step(|_| None).unwrap();
    site.advance(SECOND / 2);
    let too_large = |_: &_| Some(Resolution::Happened(vec![0; 2 << 20]));
    assert!(reconciler.step(too_large).is_err());
    let asked = reconciler.step(|doubt| {
        assert_eq!(doubt.key(), b"a", "the other one waits");
        None
    });
    let asked = asked.unwrap();
    assert_eq!((asked.unknown(), asked.waiting()), (1, 1));
    site.advance(SECOND / 2);
    let asked = reconciler.step(|_| None).unwrap();
    assert_eq!((asked.unknown(), asked.waiting()), (1, 1), "b");
    assert_eq!(
        reconciler.retry_after(),
        Some(SECOND + SECOND / 2),
        "a, after two seconds in all"
    );
}

pub(crate) fn reconcile_walks_all_doubts_of_all_namespaces_and_leaves_the_unknown_ones(
    world: &dyn World,
) {
    let mut site = Site::new(world);
    let (most, least) = (Policy::at_most_once(), Policy::at_least_once());
    let pay = site.store.namespace("pay", most.clone()).unwrap();
    let mail = site.store.namespace("mail", least.clone()).unwrap();
    let keys = ["done", "declined", "never", "unknown"];
    let held: Vec<Lease> = keys.iter().map(|key| claim(&pay, key)).collect();
    claim(&mail, "unsure").doubt("timed out").unwrap();
    drop((pay, mail));
    site.crash();
    drop(held);
    let pay = site.store.namespace("pay", most).unwrap();
    let alive = claim(&pay, "alive");
    site.advance(MINUTE);
    let mut met = Vec::new();
    let reconciled = site.store.reconcile(|doubt| {
        met.push(format!(
            "{}/{}",
            doubt.namespace(),
            doubt.key().escape_ascii()
        ));
        match doubt.key() {
            b"done" => Some(Resolution::Happened(b"found".to_vec())),
            b"declined" => Some(Resolution::Failed(b"found".to_vec())),
            b"unknown" => None,
            _ => Some(Resolution::NeverHappened),
        }
    });
    let reconciled = reconciled.unwrap();
    assert_eq!(
        met,
        [
            "pay/done",
            "pay/declined",
            "pay/never",
            "pay/unknown",
            "mail/unsure",
            "pay/alive"
        ]
    );
    assert_eq!(
        (
            reconciled.resolved(),
            reconciled.unknown(),
            reconciled.holder_alive()
        ),
        (4, 1, 1)
    );
    let again = site.store.reconcile(|_| None).unwrap();
    assert_eq!((again.resolved(), again.unknown()), (0, 2));
    let mail = site.store.namespace("mail", least).unwrap();
    assert_eq!(claim(&mail, "unsure").attempt(), 1);
    alive.complete("in the end").unwrap();
    site.validate();
}
