//! Leases that their holders never give back.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

use std::time::Duration;

use hapax::testing::ManualClock;
use hapax::{Claim, ErrorKind, Lease, Namespace, Policy, Store};

fn granted(space: &Namespace, key: &str) -> Lease {
    match space.claim(key).unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("{other:?}"),
    }
}

#[expect(clippy::mem_forget, reason = "that is what this is about")]
fn forget(lease: Lease) {
    std::mem::forget(lease);
}

/// A lease moves to another thread, is shared, and outlives every handle; so do waiting futures.
#[test]
fn what_users_hold_goes_anywhere() {
    fn goes_anywhere<T: Send + Sync + 'static>() {}
    fn can_be_sent<T: Send + 'static>() {}
    goes_anywhere::<Store>();
    goes_anywhere::<Namespace>();
    goes_anywhere::<Lease>();
    goes_anywhere::<Claim>();
    goes_anywhere::<hapax::Doubt>();
    goes_anywhere::<hapax::Ticket>();
    goes_anywhere::<hapax::Error>();
    can_be_sent::<hapax::Pending<hapax::Result<Claim>>>();
}

/// A holder that was taken over stays superseded, also once nothing is known any more of the holder that took
/// over. The simulation met it in one history of some hundred thousand: the older holder had written a checkpoint, the newer one
/// lapsed and was forgotten, and store time had been slower than the clock of the leases; so the
/// checkpoint was the newest record of the key, and its holder was let in again.
#[test]
fn a_holder_stays_superseded_when_the_newer_one_is_forgotten() {
    let clock = ManualClock::new();
    let store = Store::in_memory().clock(&clock).open().unwrap();
    let (minute, day) = (Duration::from_secs(60), Duration::from_secs(24 * 60 * 60));
    let policy = Policy::at_least_once().lease(minute).attempt_retention(day);
    let least = store.namespace("least", policy).unwrap();
    clock.step_wall(-30 * 24 * 60 * 60);
    for settles in [
        (|lease: Lease| lease.complete("late")) as fn(Lease) -> hapax::Result<()>,
        |lease| lease.fail("late"),
        |lease| lease.release("late"),
        |lease| lease.doubt("late"),
        |lease| lease.renew(),
        |lease| lease.checkpoint("late"),
        |lease| lease.detach().map(drop),
    ] {
        // The older holder lapsed, or nothing was known of it any more but its record.
        for idle in [minute, minute + day] {
            let older = granted(&least, "key");
            older.checkpoint("half").unwrap();
            clock.advance(idle);
            if idle > day {
                older.checkpoint("more").unwrap();
            }
            let newer = granted(&least, "key");
            assert!(newer.token() > older.token());
            forget(newer);
            clock.advance(minute);
            clock.advance(day);
            store.validate();
            let refused = settles(older).unwrap_err();
            assert!(
                matches!(refused.kind(), ErrorKind::Superseded | ErrorKind::NotHeld),
                "{refused}"
            );
            // Its record expires in the end, and the holder that had taken over is forgotten then.
            clock.advance(day);
            store.validate();
            assert!(least.get("key").unwrap().is_none());
        }
    }
}
