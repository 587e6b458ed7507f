//! Limits of the keys of a store: new ones are refused, and holders complete.

use hapax::{BatchClaim, Claim, ErrorKind, Limits};

use crate::contract::limits::site_and_work;
use crate::site::answers::{claim, completed, in_progress, refused};
use crate::site::times::{DAY, MINUTE};
use crate::world::world::World;

pub(crate) fn at_capacity_of_live_keys_new_claims_are_refused_and_holders_complete(
    world: &dyn World,
) {
    let (site, work) = site_and_work(world, Limits::new().live_keys(3));
    claim(&work, "done").complete("done").unwrap();
    let held = claim(&work, "held");
    claim(&work, "released").release("again").unwrap();
    let words = ["3 keys", "raise live_keys"];
    refused(work.claim("new"), ErrorKind::AtCapacity, &words);
    refused(work.insert("new"), ErrorKind::AtCapacity, &words);
    let batch = work.claim_many(["done", "new", "held", "new"]).unwrap();
    assert!(matches!(&batch[0], BatchClaim::Claim(Claim::Completed(_))));
    assert!(
        matches!(&batch[1], BatchClaim::Refused(error) if error.kind() == ErrorKind::AtCapacity)
    );
    assert!(matches!(&batch[2], BatchClaim::Claim(Claim::InProgress(_))));
    assert!(matches!(&batch[3], BatchClaim::RepeatOf { index: 1, .. }));
    completed(work.claim("done").unwrap());
    in_progress(work.claim("held").unwrap());
    claim(&work, "released").complete("in the end").unwrap();
    held.checkpoint("half").unwrap();
    held.complete("done").unwrap();
    refused(work.claim("new"), ErrorKind::AtCapacity, &words);
    work.forget("done").unwrap();
    site.advance(10 * MINUTE);
    claim(&work, "new").complete("room again").unwrap();
    site.advance(2 * DAY);
    assert_eq!(site.store.stats().keys(), 0);
    site.validate();
}

pub(crate) fn at_capacity_of_running_keys_new_claims_are_refused_and_holders_complete(
    world: &dyn World,
) {
    let (site, work) = site_and_work(world, Limits::new().running_keys(2));
    let (one, _two) = (claim(&work, "one"), claim(&work, "two"));
    let words = ["2 keys are running", "raise running_keys"];
    refused(work.claim("three"), ErrorKind::AtCapacity, &words);
    in_progress(work.claim("one").unwrap());
    assert!(work.insert("marked").unwrap(), "it is not running");
    one.complete("done").unwrap();
    let three = claim(&work, "three");
    site.advance(MINUTE);
    assert_eq!(
        claim(&work, "two").attempt(),
        2,
        "a take-over needs no more room"
    );
    three.complete("late").unwrap();
}
