//! Grants that are taken back because the waiting claim has given up: the key is as before.

use hapax::{ClaimOptions, ErrorKind, KeyState, Namespace, Pending, Policy, Result};

use crate::site::answers::{claim, granted, with_print};
use crate::site::site::Site;
use crate::site::times::{HOUR, MINUTE, secs};
use crate::world::world::World;

fn waits(site: &Site, work: &Namespace, options: ClaimOptions) -> Pending<Result<hapax::Claim>> {
    site.waiting(work.claim_async("key", options.wait(HOUR)))
}

/// A waiter was granted a lapsed key and gave up. The holder that had lapsed was superseded all the
/// same, so its outcome was refused, and the next claim met the waiter's fingerprint and retention.
pub(crate) fn a_lapsed_holder_is_current_again_once_the_grant_after_it_is_withdrawn(
    world: &dyn World,
) {
    for policy in [
        Policy::at_least_once(),
        Policy::at_least_once().max_attempts(5),
    ] {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let options = ClaimOptions::new().metadata("first").retention(2 * HOUR);
        let holder = granted(work.claim_with("key", options).unwrap());
        holder.checkpoint("half").unwrap();
        let options = with_print(&work, "other").retention(9 * HOUR);
        let waiter = waits(&site, &work, options.metadata("second"));
        site.advance(MINUTE);
        assert_ne!(work.get("key").unwrap().unwrap().token(), holder.token());
        drop(waiter);
        site.validate();
        let info = work.get("key").unwrap().unwrap();
        assert_eq!((info.token(), info.attempt()), (holder.token(), 1));
        assert_eq!(
            (info.metadata(), info.body()),
            (&b"first"[..], &b"half"[..])
        );
        assert_eq!(info.fingerprint(), None);
        holder.complete("late").unwrap();
        let info = work.get("key").unwrap().unwrap();
        assert_eq!(
            (info.state(), info.body()),
            (KeyState::Completed, &b"late"[..])
        );
        let kept = secs(info.expires_at().unwrap()) - secs(info.recorded_at());
        assert_eq!(kept, 2 * 3600 + 1);
        site.validate();
    }
}

/// No caller comes back: the key is claimed as if the waiter had never been there.
pub(crate) fn a_withdrawn_grant_after_a_lapse_counts_no_attempt(world: &dyn World) {
    for restarts in [false, true] {
        let mut site = Site::new(world);
        let policy = Policy::at_least_once().max_attempts(3);
        let work = site.namespace(policy.clone());
        claim(&work, "key").release("busy").unwrap();
        let holder = claim(&work, "key");
        for _ in 0..4 {
            let waiter = waits(&site, &work, ClaimOptions::new());
            site.advance(MINUTE);
            drop(waiter);
            holder.renew().unwrap();
        }
        site.advance(MINUTE);
        if restarts {
            drop(work);
            site.store.sync().unwrap();
            site.crash();
        }
        let work = site.namespace(policy);
        let next = claim(&work, "key");
        assert_eq!((next.attempt(), next.last_reason()), (3, &b"busy"[..]));
        if !restarts {
            assert_eq!(
                holder.complete("late").unwrap_err().kind(),
                ErrorKind::Superseded
            );
        }
    }
}

/// Of several who wait, the next one is granted when the first gives up, and it takes over from the
/// lapsed holder as the first one had.
pub(crate) fn waiters_behind_a_withdrawn_grant_decide_again(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_least_once());
    let holder = claim(&work, "key");
    let first = waits(&site, &work, ClaimOptions::new());
    let mut second = waits(&site, &work, ClaimOptions::new());
    site.advance(MINUTE);
    assert!(site.poll(&mut second).is_pending());
    drop(first);
    let std::task::Poll::Ready(Ok(claim)) = site.poll(&mut second) else {
        panic!("it is its turn")
    };
    assert_eq!(granted(claim).attempt(), 2);
    assert_eq!(
        holder.complete("late").unwrap_err().kind(),
        ErrorKind::Superseded
    );
    site.validate();
}

/// A key was released to a claim that had given up: the next claim meets what it was released with,
/// under each guarantee.
pub(crate) fn a_withdrawn_grant_restores_what_it_was_made_from(world: &dyn World) {
    for policy in [
        Policy::at_least_once(),
        Policy::at_most_once(),
        Policy::at_least_once().max_attempts(7),
    ] {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let holder = granted(work.claim_with("key", with_print(&work, "one")).unwrap());
        holder.checkpoint("half").unwrap();
        let waiter = waits(&site, &work, with_print(&work, "one").retention(9 * HOUR));
        holder.release("busy").unwrap();
        drop(waiter);
        let info = work.get("key").unwrap().unwrap();
        assert_eq!((info.state(), info.attempt()), (KeyState::Released, 1));
        assert_eq!((info.reason(), info.body()), (&b"busy"[..], &b"half"[..]));
        let second = granted(work.claim_with("key", with_print(&work, "one")).unwrap());
        assert_eq!(
            (second.attempt(), second.last_checkpoint()),
            (2, &b"half"[..])
        );
        site.validate();
    }
}

/// A waiter that was never polled lost its grant to a lapse, and the next waiter lost it to another
/// lapse. Neither ever ran, so once both have given up, in either order, the key is back with the
/// last holder that ran.
pub(crate) fn two_unfetched_grants_in_a_row_lead_back_to_the_holder_before_them(world: &dyn World) {
    for first_goes_first in [false, true] {
        let site = Site::new(world);
        let work = site.namespace(Policy::at_least_once());
        let options = ClaimOptions::new().metadata("ran");
        let holder = granted(work.claim_with("key", options).unwrap());
        let first = waits(&site, &work, ClaimOptions::new());
        site.advance(MINUTE);
        let second = waits(&site, &work, ClaimOptions::new());
        site.advance(MINUTE);
        let gone = if first_goes_first {
            [first, second]
        } else {
            [second, first]
        };
        for waiter in gone {
            drop(waiter);
            site.validate();
        }
        let info = work.get("key").unwrap().unwrap();
        assert_eq!((info.token(), info.attempt()), (holder.token(), 1));
        assert_eq!(info.metadata(), b"ran");
        holder.complete("late").unwrap();
        site.validate();
    }
}
