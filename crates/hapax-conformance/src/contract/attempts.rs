//! `max_attempts` against work that kills its process: each claim is stored before it is
//! granted, so every attempt counts.

use hapax::{BatchClaim, Claim, ClaimOptions, Durability, KeyState, Namespace, Policy};

use crate::site::answers::{claim, completed, die, failed, granted, state};
use crate::site::polls::patient;
use crate::site::site::Site;
use crate::site::times::{HOUR, MINUTE, SECOND};
use crate::world::settings::Settings;
use crate::world::world::World;

fn of_batch(mut answers: Vec<BatchClaim>) -> Claim {
    match answers.remove(0) {
        BatchClaim::Claim(claim) => claim,
        other => panic!("{other:?}"),
    }
}

type Ask = fn(&Site, &Namespace) -> Claim;

const WAYS: [(&str, Ask); 4] = [
    ("claim", |_, space| space.claim("key").unwrap()),
    ("claim_async", |site, space| {
        site.ready(space.claim_async("key", ClaimOptions::new()))
            .unwrap()
    }),
    ("claim_many", |_, space| {
        of_batch(space.claim_many(["key"]).unwrap())
    }),
    ("claim_many_async", |site, space| {
        of_batch(site.ready(space.claim_many_async(["key"])).unwrap())
    }),
];

/// The first attempt left no record, and no call waited for the record of the second. Work that
/// killed its process at once was granted again after each restart, forever.
pub(crate) fn a_job_that_kills_its_process_fails_for_good_after_its_last_attempt(
    world: &dyn World,
) {
    for (way, ask) in WAYS {
        let mut site = Site::new(world);
        let policy = Policy::at_least_once().max_attempts(3);
        for attempt in 1..=3 {
            let space = site.namespace(policy.clone());
            let lease = granted(ask(&site, &space));
            assert_eq!(lease.attempt(), attempt, "{way}");
            die(lease);
            drop(space);
            site.crash();
            site.validate();
        }
        let space = site.namespace(policy.clone());
        let answer = failed(ask(&site, &space));
        assert_eq!(answer.attempts(), 3, "{way}");
        assert!(!answer.error().is_empty(), "it says why");
        assert_eq!(failed(ask(&site, &space)).attempts(), 3, "and stays so");
    }
}

pub(crate) fn attempts_that_are_handed_over_and_taken_over_are_counted_too(world: &dyn World) {
    let mut site = Site::new(world);
    let policy = Policy::at_least_once().max_attempts(4);
    let space = site.namespace(policy.clone());
    let first = claim(&space, "key");
    let second = site.queued(&space, patient());
    first.release("again").unwrap();
    die(granted(site.ready(second).unwrap()));
    // The third takes the key over from the second, whose lease has lapsed, while it waits.
    let third = site.queued(&space, patient());
    site.advance(MINUTE);
    let third = granted(site.ready(third).unwrap());
    assert_eq!(third.attempt(), 3);
    die(third);
    drop(space);
    site.crash();
    let space = site.namespace(policy.clone());
    let fourth = claim(&space, "key");
    assert_eq!(fourth.attempt(), 4);
    die(fourth);
    drop(space);
    site.crash();
    let space = site.namespace(policy);
    assert_eq!(failed(space.claim("key").unwrap()).attempts(), 4);
    site.validate();
}

pub(crate) fn a_counted_attempt_settles_as_any_other(world: &dyn World) {
    let mut site = Site::new(world);
    let policy = Policy::at_least_once().max_attempts(2);
    let space = site.namespace(policy.clone());
    claim(&space, "done").complete("receipt").unwrap();
    claim(&space, "failed").fail("no").unwrap();
    claim(&space, "released").release("again").unwrap();
    drop(claim(&space, "dropped"));
    let ticket = claim(&space, "detached").detach().unwrap();
    drop(space);
    site.crash();
    let space = site.namespace(policy);
    let done = completed(space.claim("done").unwrap());
    assert_eq!((done.response(), done.attempts()), (&b"receipt"[..], 1));
    assert_eq!(failed(space.claim("failed").unwrap()).error(), b"no");
    let lease = claim(&space, "released");
    assert_eq!((lease.attempt(), lease.last_reason()), (2, &b"again"[..]));
    assert_eq!(claim(&space, "dropped").attempt(), 2);
    let lease = site.store.attach(&ticket).unwrap();
    lease.complete("later").unwrap();
    assert_eq!(state(&space, "detached"), Some(KeyState::Completed));
    site.validate();
}

pub(crate) fn under_an_interval_an_attempt_is_counted_once_its_window_has_passed(
    world: &dyn World,
) {
    let window = Durability::Interval(SECOND);
    let policy = Policy::at_least_once().max_attempts(1).lease(HOUR);
    for (passes, policy) in [
        (true, policy.clone()),
        (false, policy.clone()),
        (false, policy.durability(Durability::Sync)),
    ] {
        let mut site = Site::with(world, Settings::new().durability(window));
        let space = site.namespace(policy.clone());
        die(claim(&space, "key"));
        if passes {
            site.advance(SECOND);
        }
        drop(space);
        site.crash();
        let space = site.namespace(policy.clone());
        let is_counted = matches!(space.claim("key").unwrap(), Claim::Failed(_));
        let is_synced = policy != Policy::at_least_once().max_attempts(1).lease(HOUR);
        assert_eq!(is_counted, passes || is_synced, "{policy:?}");
    }
}

pub(crate) fn without_a_limit_of_attempts_a_claim_is_not_written(world: &dyn World) {
    let site = Site::new(world);
    let (plain, counted) = (
        Policy::at_least_once(),
        Policy::at_least_once().max_attempts(9),
    );
    let plain = site.store.namespace("plain", plain).unwrap();
    let counted = site.store.namespace("counted", counted).unwrap();
    let frames = |space: &Namespace| {
        let before = site.last_frame();
        die(claim(space, "key"));
        site.last_frame().unwrap() - before.unwrap()
    };
    assert_eq!((frames(&plain), frames(&counted)), (0, 1));
}
