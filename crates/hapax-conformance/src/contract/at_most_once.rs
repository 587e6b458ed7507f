//! At-most-once: an effect is never started twice on its own, and a doubt is settled once.

use hapax::{ErrorKind, KeyState, Namespace, Policy, Resolution};

use crate::site::answers::{claim, completed, failed, in_doubt, state};
use crate::site::site::{Site, durabilities};
use crate::site::times::{DAY, MINUTE};
use crate::world::settings::Settings;
use crate::world::world::World;

fn crashed(site: &mut Site, work: Namespace, policy: &Policy) -> Namespace {
    drop(work);
    site.crash();
    site.namespace(policy.clone())
}

pub(crate) fn the_claim_is_durable_before_granted_at_every_durability(world: &dyn World) {
    for durability in durabilities(world, MINUTE) {
        let mut site = Site::with(world, Settings::new().durability(durability));
        let policy = Policy::at_most_once();
        let work = site.namespace(policy.clone());
        let lease = claim(&work, "key");
        let token = lease.token();
        let work = crashed(&mut site, work, &policy);
        let doubt = in_doubt(work.claim("key").unwrap());
        assert_eq!(
            (doubt.token(), doubt.attempt(), doubt.reason()),
            (token, 1, &b"the process ended without an outcome"[..])
        );
        assert!(!doubt.holder_alive());
        site.advance(25 * DAY);
        in_doubt(work.claim("key").unwrap());
        assert_eq!(site.store.doubts().unwrap().map(Result::unwrap).count(), 1);
        site.validate();
    }
}

pub(crate) fn each_resolution_settles_the_doubt_and_raises_the_token(world: &dyn World) {
    for restart in [false, true] {
        let mut site = Site::new(world);
        let policy = Policy::at_most_once();
        let work = site.namespace(policy.clone());
        for key in ["happened", "failed", "never"] {
            let lease = claim(&work, key);
            lease.checkpoint("half").unwrap();
            drop(lease);
        }
        let work = if restart {
            crashed(&mut site, work, &policy)
        } else {
            work
        };
        let resolve = |key: &str, resolution: Resolution| {
            let doubt = in_doubt(work.claim(key).unwrap());
            doubt.resolve(resolution.clone()).unwrap();
            let info = work.get(key).unwrap().unwrap();
            assert!(info.token() > doubt.token(), "the token is raised");
            let error = doubt.resolve(resolution).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Superseded, "an old doubt");
            assert_eq!(error.current().unwrap().state(), info.state());
        };
        resolve("happened", Resolution::Happened(b"receipt".to_vec()));
        resolve("failed", Resolution::Failed(b"declined".to_vec()));
        resolve("never", Resolution::NeverHappened);
        assert_eq!(
            completed(work.claim("happened").unwrap()).response(),
            b"receipt"
        );
        assert_eq!(failed(work.claim("failed").unwrap()).error(), b"declined");
        let lease = claim(&work, "never");
        assert_eq!(
            (lease.attempt(), lease.last_checkpoint()),
            (1, &b"half"[..])
        );
        drop(lease);
        site.validate();
    }
}

pub(crate) fn an_old_doubt_never_settles_a_newer_one(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_most_once());
    drop(claim(&work, "key"));
    let old = in_doubt(work.claim("key").unwrap());
    old.resolve(Resolution::NeverHappened).unwrap();
    let second = claim(&work, "key");
    let forced = site
        .operator()
        .resolve_forced(&old, Resolution::NeverHappened);
    let error = forced.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Superseded);
    assert_eq!(error.current().unwrap().token(), second.token());
    drop(second);
    let error = old.resolve(Resolution::Happened(Vec::new())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Superseded);
    assert_eq!(state(&work, "key"), Some(KeyState::InDoubt));
}

pub(crate) fn never_happened_is_refused_while_the_holder_is_alive_unless_forced(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_most_once());
    let lease = claim(&work, "key");
    site.advance(MINUTE);
    let doubt = in_doubt(work.claim("key").unwrap());
    assert!(doubt.holder_alive());
    let error = doubt.resolve(Resolution::NeverHappened).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InUse);
    assert!(error.to_string().contains("stop it first"), "{error}");
    let forced = site
        .operator()
        .resolve_forced(&doubt, Resolution::NeverHappened);
    forced.unwrap();
    assert!(lease.is_lost());
    let second = claim(&work, "key");
    assert!(second.token() > lease.token());
    assert_eq!(
        lease.complete("late").unwrap_err().kind(),
        ErrorKind::Superseded
    );
}

pub(crate) fn happened_and_failed_settle_a_doubt_whose_holder_is_alive(world: &dyn World) {
    for resolution in [Resolution::Happened(vec![1]), Resolution::Failed(vec![2])] {
        let site = Site::new(world);
        let work = site.namespace(Policy::at_most_once());
        let lease = claim(&work, "key");
        site.advance(MINUTE);
        in_doubt(work.claim("key").unwrap())
            .resolve(resolution)
            .unwrap();
        assert_eq!(
            lease.fail("late").unwrap_err().kind(),
            ErrorKind::Superseded
        );
    }
}

pub(crate) fn a_doubt_that_was_attached_again_is_not_resolved_over_its_holder(world: &dyn World) {
    let site = Site::new(world);
    let work = site.namespace(Policy::at_most_once());
    let ticket = claim(&work, "key").detach().unwrap();
    site.advance(MINUTE);
    let doubt = in_doubt(work.claim("key").unwrap());
    assert!(!doubt.holder_alive());
    let lease = site.store.attach(&ticket).unwrap();
    let error = doubt.resolve(Resolution::NeverHappened).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InUse);
    lease.complete("done").unwrap();
}
