//! At-least-once: an effect may run again if its holder died, and each run counts.

use hapax::{KeyState, Lease, Namespace, Policy};

use crate::site::answers::{claim, completed, failed, granted, state, with_print};
use crate::site::site::Site;
use crate::site::times::MINUTE;
use crate::world::world::World;

fn crashed(site: &mut Site, work: Namespace, policy: &Policy) -> Namespace {
    drop(work);
    site.crash();
    site.namespace(policy.clone())
}

pub(crate) fn a_crash_leaves_what_the_last_record_says(world: &dyn World) {
    let mut site = Site::new(world);
    let policy = Policy::at_least_once();
    let work = site.namespace(policy.clone());
    let _new = claim(&work, "absent");
    claim(&work, "released").release("first").unwrap();
    let _second = claim(&work, "released");
    let checkpointed = claim(&work, "checkpointed");
    checkpointed.checkpoint("half").unwrap();
    claim(&work, "done").complete("done").unwrap();
    let frames = site.last_frame();
    let _memory_only = claim(&work, "costs nothing");
    assert_eq!(site.last_frame(), frames, "a claim needs no record");

    let work = crashed(&mut site, work, &policy);
    assert_eq!(state(&work, "absent"), None);
    assert_eq!(claim(&work, "absent").attempt(), 1);
    assert_eq!(state(&work, "released"), Some(KeyState::Released));
    let lease = claim(&work, "released");
    assert_eq!((lease.attempt(), lease.last_reason()), (2, &b"first"[..]));
    assert_eq!(state(&work, "checkpointed"), Some(KeyState::Released));
    let lease = claim(&work, "checkpointed");
    assert_eq!(
        (lease.attempt(), lease.last_checkpoint()),
        (2, &b"half"[..])
    );
    completed(work.claim("done").unwrap());
    site.validate();
}

pub(crate) fn lapses_count_as_attempts(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().max_attempts(3));
    for attempt in 1..=3 {
        #[expect(clippy::mem_forget, reason = "a holder that is silent for ever")]
        let lapse = |lease: Lease| std::mem::forget(lease);
        let lease = claim(&work, "key");
        assert_eq!(lease.attempt(), attempt);
        lapse(lease);
        site.advance(MINUTE);
    }
    let answer = failed(work.claim("key").unwrap());
    assert_eq!(answer.attempts(), 3);
    assert!(!answer.error().is_empty(), "it says why");
}

pub(crate) fn the_answer_that_ends_the_last_attempt_is_judged_as_any_other(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once().max_attempts(1));
    let _lease = granted(work.claim_with("key", with_print(&work, "a")).unwrap());
    site.advance(MINUTE);
    let answer = failed(work.claim_with("key", with_print(&work, "a")).unwrap());
    assert!(answer.fingerprint_compared());
}

pub(crate) fn work_that_kills_its_process_is_stopped_by_max_attempts(world: &dyn World) {
    let mut site = Site::new(world);
    let policy = Policy::at_least_once().max_attempts(3);
    let mut work = site.namespace(policy.clone());
    claim(&work, "key").release("first").unwrap();
    for attempt in 2..=3 {
        let lease = claim(&work, "key");
        assert_eq!(lease.attempt(), attempt);
        work = crashed(&mut site, work, &policy);
    }
    let answer = failed(work.claim("key").unwrap());
    assert_eq!((answer.attempts(), answer.error()), (3, &b"first"[..]));
    site.validate();
}
