//! Waits that end without a grant, and grants that no caller took.

use hapax::{ClaimOptions, ErrorKind, KeyState, Limits, Policy, Resolution};

use crate::site::answers::{
    claim, completed, granted, in_doubt, in_progress, mismatch, state, with_print,
};
use crate::site::polls::patient;
use crate::site::site::{Site, both, total};
use crate::site::times::{HOUR, MINUTE, SECOND, secs};
use crate::world::settings::Settings;
use crate::world::world::World;

// Giving up.

pub(crate) fn a_waiter_is_answered_in_progress_at_its_deadline_and_touches_nothing(
    world: &dyn World,
) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let options = ClaimOptions::new().metadata("holder");
        let lease = granted(work.claim_with("key", options).unwrap());
        let brief = ClaimOptions::new().wait(10 * SECOND).metadata("waiter");
        let mut waiter = site.queued(&work, brief);
        let patient = site.queued(&work, patient());
        let look = || {
            let info = work.get("key").unwrap().unwrap();
            (
                info.state(),
                info.token(),
                secs(info.recorded_at()),
                info.metadata().to_vec(),
            )
        };
        let before = look();
        site.advance(9 * SECOND);
        assert!(site.poll(&mut waiter).is_pending());
        site.advance(SECOND);
        let busy = in_progress(site.ready(waiter).unwrap());
        assert_eq!(busy.metadata(), b"holder");
        site.is_left(busy.lease_left(), 50 * SECOND);
        drop(patient);
        assert_eq!(look(), before);
        assert_eq!(site.store.stats().waiters(), 0);
        lease.complete("done").unwrap();
        site.validate();
    }
}

pub(crate) fn a_batch_never_waits_for_a_key(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let _lease = claim(&work, "key");
    let item = hapax::ClaimItem::new("key").options(patient());
    assert_eq!(site.ready(work.claim_many_async([item])).unwrap().len(), 1);
}

// Grants that are never delivered.

pub(crate) fn a_grant_to_a_waiter_that_has_gone_passes_to_the_next(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let lease = claim(&work, "key");
        lease.checkpoint("half").unwrap();
        let first = site.queued(&work, patient());
        let second = site.queued(&work, patient());
        lease.release("again").unwrap();
        site.rest();
        drop(first);
        let lease = granted(site.ready(second).unwrap());
        assert_eq!(
            (lease.attempt(), lease.last_checkpoint()),
            (2, &b"half"[..])
        );
        assert_eq!(lease.last_reason(), b"again");
        assert_eq!(total(&site.store, "hapax_withdrawn_grants_total"), 1);
        lease.complete("done").unwrap();
        site.validate();
    }
}

pub(crate) fn an_untaken_grant_after_a_lapse_counts_no_attempt(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let first = claim(&work, "key");
    first.checkpoint("half").unwrap();
    let waiter = site.queued(&work, patient());
    site.advance(MINUTE);
    drop(waiter);
    let second = claim(&work, "key");
    assert_eq!(
        (second.attempt(), second.last_checkpoint()),
        (2, &b"half"[..])
    );
    site.validate();
}

pub(crate) fn a_withdrawn_grant_leaves_a_released_key_as_it_was(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy.clone());
        let options = with_print(&work, "a").metadata("first");
        let lease = granted(work.claim_with("key", options).unwrap());
        lease.checkpoint("half").unwrap();
        let other = granted(work.claim("other").unwrap());
        // In line without a fingerprint, so not compared; granted at the release, never polled.
        let waiter = site.queued(&work, patient().metadata("waiter"));
        lease.release("again").unwrap();
        drop(waiter);
        let info = work.get("key").unwrap().unwrap();
        assert_eq!((info.state(), info.attempt()), (KeyState::Released, 1));
        assert_eq!(
            (info.metadata(), info.body()),
            (&b"first"[..], &b"half"[..])
        );
        assert_eq!(info.reason(), b"again");
        other.complete("done").unwrap();
        site.validate();
    }
}

// Limits and ends.

pub(crate) fn a_waiter_over_a_limit_is_answered_at_once(world: &dyn World) {
    let limits = [
        Limits::new().waiters_per_key(2),
        Limits::new().waiters(2),
        Limits::new().waiters_per_key(2).waiters(2),
    ];
    for limit in limits {
        let site = Site::with(world, Settings::new().limits(limit));
        let work = site.namespace(Policy::at_least_once());
        let lease = claim(&work, "key");
        let mut line = site.queue(&work, 2);
        in_progress(site.ready(work.claim_async("key", patient())).unwrap());
        drop(line.pop());
        line.push(site.queued(&work, patient()));
        lease.complete("done").unwrap();
        assert_eq!(site.sweep(line).0.len(), 2);
    }
}

pub(crate) fn waiting_for_another_request_is_a_mismatch_at_once(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let _lease = granted(work.claim_with("key", with_print(&work, "a")).unwrap());
    let other = work.claim_async("key", with_print(&work, "b").wait(HOUR));
    assert_eq!(mismatch(site.ready(other).unwrap()).labels(), ["body"]);
}

pub(crate) fn a_waiter_that_turns_out_to_ask_for_something_else_decides_again(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    let a = site.queued(&work, with_print(&work, "a").wait(HOUR));
    let b = site.queued(&work, with_print(&work, "b").wait(HOUR));
    lease.release("again").unwrap();
    let lease = granted(site.ready(a).unwrap());
    assert_eq!(mismatch(site.ready(b).unwrap()).labels(), ["body"]);
    lease.complete("of a").unwrap();
}

pub(crate) fn forgetting_a_running_key_lets_a_waiter_run(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    let waiters = site.queue(&work, 2);
    site.operator()
        .forget_forced("work", "key", lease.token())
        .unwrap();
    let (answers, rest) = site.sweep(waiters);
    assert_eq!((answers.len(), rest.len()), (1, 1));
    assert_eq!(granted(answers.into_iter().next().unwrap()).attempt(), 1);
}

pub(crate) fn inserting_a_lapsed_key_answers_its_waiters(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_most_once());
    let lease = claim(&work, "key");
    site.advance(MINUTE);
    let doubt = in_doubt(work.claim_with("key", patient()).unwrap());
    doubt
        .resolve(Resolution::Happened(b"found".to_vec()))
        .unwrap();
    completed(work.claim_with("key", patient()).unwrap());
    drop(lease);
    assert_eq!(state(&work, "key"), Some(KeyState::Completed));
}

pub(crate) fn close_wakes_waiters_with_closed(world: &dyn World) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let _lease = claim(&work, "key");
        let waiters = site.queue(&work, 3);
        site.store.close().unwrap();
        for waiter in waiters {
            assert_eq!(site.ready(waiter).unwrap_err().kind(), ErrorKind::Closed);
        }
    }
}
