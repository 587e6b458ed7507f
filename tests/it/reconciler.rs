//! Asks about doubts that stay unknown again, less and less often.

use std::time::Duration;

use hapax::testing::ManualClock;
use hapax::{Claim, Namespace, Policy, Resolution, Store};

const SECOND: Duration = Duration::from_secs(1);

fn open() -> (ManualClock, Store, Namespace) {
    let clock = ManualClock::new();
    let builder = Store::in_memory().clock(&clock).allow_at_most_once();
    let store = builder.open().unwrap();
    let pay = store.namespace("pay", Policy::at_most_once()).unwrap();
    (clock, store, pay)
}

fn doubt(pay: &Namespace, key: &str) {
    let Claim::Granted(lease) = pay.claim(key).unwrap() else {
        panic!("{key} is free")
    };
    lease.doubt("timed out").unwrap();
}

#[test]
fn the_waits_double_up_to_the_longest_and_each_doubt_has_its_own() {
    let (clock, store, pay) = open();
    doubt(&pay, "old");
    let mut reconciler = store.reconciler(SECOND, SECOND * 4);
    for wait in [1, 2, 4, 4, 4] {
        assert_eq!(reconciler.step(|_| None).unwrap().unknown(), 1);
        assert_eq!(reconciler.retry_after(), Some(SECOND * wait));
        clock.advance(SECOND * wait - Duration::from_millis(1));
        assert_eq!(
            reconciler.step(|_| panic!("too early")).unwrap().waiting(),
            1
        );
        clock.advance(Duration::from_millis(1));
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

#[test]
fn a_doubt_that_is_settled_is_not_waited_for() {
    let (clock, store, pay) = open();
    doubt(&pay, "a");
    let mut reconciler = store.reconciler(SECOND, SECOND);
    reconciler.step(|_| None).unwrap();
    clock.advance(SECOND);
    let settled = reconciler.step(|_| Some(Resolution::Happened(b"receipt".to_vec())));
    assert_eq!(settled.unwrap().resolved(), 1);
    assert_eq!(reconciler.retry_after(), None);
    assert!(matches!(pay.claim("a").unwrap(), Claim::Completed(_)));
}

#[test]
fn a_holder_that_is_alive_is_asked_about_later() {
    let (clock, store, pay) = open();
    let Claim::Granted(held) = pay.claim("a").unwrap() else {
        panic!("granted")
    };
    clock.advance(SECOND * 61);
    let mut reconciler = store.reconciler(SECOND, SECOND);
    let never = || |_: &_| Some(Resolution::NeverHappened);
    assert_eq!(reconciler.step(never()).unwrap().holder_alive(), 1);
    assert_eq!(reconciler.retry_after(), Some(SECOND));
    drop(held);
    clock.advance(SECOND);
    assert_eq!(reconciler.step(never()).unwrap().resolved(), 1);
    assert!(matches!(pay.claim("a").unwrap(), Claim::Granted(_)));
}

/// A resolution that was refused ended the step, and with it what was known of the doubts after that
/// one: each was asked about again at once, as if for the first time.
#[test]
fn a_step_that_fails_forgets_no_waits() {
    let (clock, store, pay) = open();
    doubt(&pay, "a");
    let mut reconciler = store.reconciler(SECOND, SECOND * 8);
    reconciler.step(|_| None).unwrap();
    clock.advance(SECOND / 2);
    doubt(&pay, "b");
    reconciler.step(|_| None).unwrap();
    clock.advance(SECOND / 2);
    let too_large = |_: &_| Some(Resolution::Happened(vec![0; 2 << 20]));
    assert!(reconciler.step(too_large).is_err());
    let asked = reconciler.step(|doubt| {
        assert_eq!(doubt.key(), b"a", "the other one waits");
        None
    });
    let asked = asked.unwrap();
    assert_eq!((asked.unknown(), asked.waiting()), (1, 1));
    clock.advance(SECOND / 2);
    let asked = reconciler.step(|_| None).unwrap();
    assert_eq!((asked.unknown(), asked.waiting()), (1, 1), "b");
    assert_eq!(
        reconciler.retry_after(),
        Some(SECOND + SECOND / 2),
        "a, after two seconds in all"
    );
}
