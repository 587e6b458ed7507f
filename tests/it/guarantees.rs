//! The two guarantees, their policies, and tokens that never repeat.

use std::time::Duration;

use hapax::{
    Claim, Durability, ErrorKind, FencingToken, KeyState, Lease, Namespace, Policy, Resolution,
    Store,
};

use crate::contract_support::{
    DAY, HOUR, MINUTE, SECOND, World, both, claim, completed, failed, granted, in_doubt,
    in_progress, state, with_print,
};

fn crashed(world: &mut World, work: Namespace, policy: &Policy) -> Namespace {
    drop(work);
    world.crash();
    world.namespace(policy.clone())
}

// AtLeastOnce.

#[test]
fn at_least_once_a_crash_leaves_what_the_last_record_says() {
    let mut world = World::new();
    let policy = Policy::at_least_once();
    let work = world.namespace(policy.clone());
    let _new = claim(&work, "absent");
    claim(&work, "released").release("first").unwrap();
    let _second = claim(&work, "released");
    let checkpointed = claim(&work, "checkpointed");
    checkpointed.checkpoint("half").unwrap();
    claim(&work, "done").complete("done").unwrap();
    let frames = world.store.stats().last_frame();
    let _memory_only = claim(&work, "costs nothing");
    assert_eq!(
        world.store.stats().last_frame(),
        frames,
        "a claim needs no record"
    );

    let work = crashed(&mut world, work, &policy);
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
    world.store.validate();
}

#[test]
fn at_least_once_lapses_count_as_attempts() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once().max_attempts(3));
    for attempt in 1..=3 {
        #[expect(clippy::mem_forget, reason = "a holder that is silent for ever")]
        let lapse = |lease: Lease| std::mem::forget(lease);
        let lease = claim(&work, "key");
        assert_eq!(lease.attempt(), attempt);
        lapse(lease);
        world.clock.advance(MINUTE);
    }
    let answer = failed(work.claim("key").unwrap());
    assert_eq!(answer.attempts(), 3);
    assert!(!answer.error().is_empty(), "it says why");
}

#[test]
fn at_least_once_the_answer_that_ends_the_last_attempt_is_judged_as_any_other() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once().max_attempts(1));
    let _lease = granted(work.claim_with("key", with_print(&work, "a")).unwrap());
    world.clock.advance(MINUTE);
    let answer = failed(work.claim_with("key", with_print(&work, "a")).unwrap());
    assert!(answer.fingerprint_compared());
}

#[test]
fn at_least_once_work_that_kills_its_process_is_stopped_by_max_attempts() {
    let mut world = World::new();
    let policy = Policy::at_least_once().max_attempts(3);
    let mut work = world.namespace(policy.clone());
    claim(&work, "key").release("first").unwrap();
    for attempt in 2..=3 {
        let lease = claim(&work, "key");
        assert_eq!(lease.attempt(), attempt);
        work = crashed(&mut world, work, &policy);
    }
    let answer = failed(work.claim("key").unwrap());
    assert_eq!((answer.attempts(), answer.error()), (3, &b"first"[..]));
    world.store.validate();
}

#[test]
fn at_least_once_an_unclaimed_lapsed_key_expires_after_attempt_retention() {
    for checkpoint in [false, true] {
        let world = World::new();
        let policy = Policy::at_least_once()
            .attempt_retention(HOUR)
            .lease(SECOND);
        let work = world.namespace(policy);
        let lease = claim(&work, "key");
        if checkpoint {
            lease.checkpoint("half").unwrap();
        }
        // The store's clock leans back while the wall clock is behind; the clock of leases does
        // not.
        world.clock.step_wall(-86_400);
        world.clock.advance(SECOND);
        world.clock.advance(HOUR);
        world.store.validate();
        world.clock.advance(HOUR);
        assert_eq!(state(&work, "key"), None);
        assert_eq!(
            lease.complete("late").unwrap_err().kind(),
            ErrorKind::NotHeld
        );
        assert_eq!(claim(&work, "key").attempt(), 1);
        world.store.validate();
    }
}

#[test]
fn at_least_once_a_checkpoint_outlives_the_lapse_as_its_record_does() {
    // What is in memory must be what recovery would find: the record lives on store time, which
    // leans back here, and the lapsed key in memory on the monotonic clock.
    let mut world = World::new();
    let policy = Policy::at_least_once()
        .attempt_retention(HOUR)
        .lease(SECOND);
    let work = world.namespace(policy.clone());
    let lease = claim(&work, "key");
    lease.checkpoint("half").unwrap();
    world.clock.step_wall(-86_400);
    world.clock.advance(SECOND);
    world.clock.advance(HOUR);
    world.store.validate();
    assert_eq!(state(&work, "key"), Some(KeyState::Released));
    let work = crashed(&mut world, work, &policy);
    assert_eq!(state(&work, "key"), Some(KeyState::Released));
    assert_eq!(claim(&work, "key").last_checkpoint(), b"half");
    drop(lease);
}

// AtMostOnce.

#[test]
fn at_most_once_the_claim_is_durable_before_granted_at_every_durability() {
    for durability in [Durability::Sync, Durability::Interval(MINUTE)] {
        let mut world = World::with(|builder| builder.durability(durability));
        let policy = Policy::at_most_once();
        let work = world.namespace(policy.clone());
        let lease = claim(&work, "key");
        let token = lease.token();
        let work = crashed(&mut world, work, &policy);
        let doubt = in_doubt(work.claim("key").unwrap());
        assert_eq!(
            (doubt.token(), doubt.attempt(), doubt.reason()),
            (token, 1, &b"the process ended without an outcome"[..])
        );
        assert!(!doubt.holder_alive());
        world.clock.advance(25 * DAY);
        in_doubt(work.claim("key").unwrap());
        assert_eq!(world.store.doubts().unwrap().map(Result::unwrap).count(), 1);
        world.store.validate();
    }
}

#[test]
fn at_most_once_each_resolution_settles_the_doubt_and_raises_the_token() {
    for restart in [false, true] {
        let mut world = World::new();
        let policy = Policy::at_most_once();
        let work = world.namespace(policy.clone());
        for key in ["happened", "failed", "never"] {
            let lease = claim(&work, key);
            lease.checkpoint("half").unwrap();
            drop(lease);
        }
        let work = if restart {
            crashed(&mut world, work, &policy)
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
        world.store.validate();
    }
}

#[test]
fn at_most_once_an_old_doubt_never_settles_a_newer_one() {
    let world = World::new();
    let work = world.namespace(Policy::at_most_once());
    drop(claim(&work, "key"));
    let old = in_doubt(work.claim("key").unwrap());
    old.resolve(Resolution::NeverHappened).unwrap();
    let second = claim(&work, "key");
    let forced = world
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

#[test]
fn at_most_once_never_happened_is_refused_while_the_holder_is_alive_unless_forced() {
    let world = World::new();
    let work = world.namespace(Policy::at_most_once());
    let lease = claim(&work, "key");
    world.clock.advance(MINUTE);
    let doubt = in_doubt(work.claim("key").unwrap());
    assert!(doubt.holder_alive());
    let error = doubt.resolve(Resolution::NeverHappened).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InUse);
    assert!(error.to_string().contains("stop it first"), "{error}");
    let forced = world
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

#[test]
fn at_most_once_happened_and_failed_settle_a_doubt_whose_holder_is_alive() {
    for resolution in [Resolution::Happened(vec![1]), Resolution::Failed(vec![2])] {
        let world = World::new();
        let work = world.namespace(Policy::at_most_once());
        let lease = claim(&work, "key");
        world.clock.advance(MINUTE);
        in_doubt(work.claim("key").unwrap())
            .resolve(resolution)
            .unwrap();
        assert_eq!(
            lease.fail("late").unwrap_err().kind(),
            ErrorKind::Superseded
        );
    }
}

#[test]
fn at_most_once_a_doubt_that_was_attached_again_is_not_resolved_over_its_holder() {
    let world = World::new();
    let work = world.namespace(Policy::at_most_once());
    let ticket = claim(&work, "key").detach().unwrap();
    world.clock.advance(MINUTE);
    let doubt = in_doubt(work.claim("key").unwrap());
    assert!(!doubt.holder_alive());
    let lease = world.store.attach(&ticket).unwrap();
    let error = doubt.resolve(Resolution::NeverHappened).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InUse);
    lease.complete("done").unwrap();
}

#[test]
fn reconcile_walks_all_doubts_of_all_namespaces_and_leaves_the_unknown_ones() {
    let mut world = World::new();
    let (most, least) = (Policy::at_most_once(), Policy::at_least_once());
    let pay = world.store.namespace("pay", most.clone()).unwrap();
    let mail = world.store.namespace("mail", least.clone()).unwrap();
    let keys = ["done", "declined", "never", "unknown"];
    let held: Vec<Lease> = keys.iter().map(|key| claim(&pay, key)).collect();
    claim(&mail, "unsure").doubt("timed out").unwrap();
    drop((pay, mail));
    world.crash();
    drop(held);
    let pay = world.store.namespace("pay", most).unwrap();
    let alive = claim(&pay, "alive");
    world.clock.advance(MINUTE);
    let mut met = Vec::new();
    let reconciled = world.store.reconcile(|doubt| {
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
    let again = world.store.reconcile(|_| None).unwrap();
    assert_eq!((again.resolved(), again.unknown()), (0, 2));
    let mail = world.store.namespace("mail", least).unwrap();
    assert_eq!(claim(&mail, "unsure").attempt(), 1);
    alive.complete("in the end").unwrap();
    world.store.validate();
}

#[test]
fn forget_of_a_running_or_doubtful_key_is_refused_unless_forced_with_its_token() {
    for policy in both() {
        let world = World::new();
        let work = world.namespace(policy);
        let lease = claim(&work, "key");
        assert_eq!(work.forget("key").unwrap_err().kind(), ErrorKind::InUse);
        let wrong = FencingToken::from_i64(lease.token().as_i64() + 1).unwrap();
        let error = world
            .operator()
            .forget_forced("work", "key", wrong)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Superseded);
        let token = lease.token();
        lease.doubt("unsure").unwrap();
        assert_eq!(work.forget("key").unwrap_err().kind(), ErrorKind::InUse);
        assert_eq!(
            world
                .operator()
                .forget_forced("work", "key", wrong)
                .unwrap_err()
                .kind(),
            ErrorKind::Superseded
        );
        assert!(
            world
                .operator()
                .forget_forced("work", "key", token)
                .unwrap()
        );
        assert_eq!(state(&work, "key"), None);
    }
}

/// A key whose removal was not on the medium yet was removed once more, and the answer said that it
/// had been there.
#[test]
fn forget_of_a_forgotten_key_says_that_it_was_not_there() {
    for durability in [Durability::Sync, Durability::Interval(MINUTE)] {
        let world = World::with(|builder| builder.durability(durability));
        let work = world.namespace(Policy::at_least_once());
        claim(&work, "key").complete("done").unwrap();
        assert!(work.forget("key").unwrap());
        assert!(!work.forget("key").unwrap());
        assert!(!work.forget("never there").unwrap());
    }
}

// Policies.

#[test]
fn a_second_live_handle_with_another_policy_is_refused() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let other = Policy::at_least_once().retention(HOUR);
    let open = |policy: &Policy| world.store.namespace("work", policy.clone());
    assert_eq!(open(&other).unwrap_err().kind(), ErrorKind::PolicyConflict);
    open(&Policy::at_least_once()).unwrap();
    let lease = claim(&work, "key");
    drop(work);
    assert_eq!(
        open(&other).unwrap_err().kind(),
        ErrorKind::PolicyConflict,
        "a lease is a handle"
    );
    lease.complete("done").unwrap();
    open(&other).unwrap();
    let error = open(&Policy::at_most_once().retention(HOUR)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PolicyConflict);
    assert!(error.to_string().contains("change_guarantee"), "{error}");
}

#[test]
fn changing_the_guarantee_is_refused_while_keys_are_in_progress_or_in_doubt() {
    for (from, to) in [both(), {
        let [a, b] = both();
        [b, a]
    }]
    .map(Into::into)
    {
        let world = World::new();
        let work = world.namespace(from);
        let change = || world.store.change_guarantee("work", to.clone());
        let lease = claim(&work, "key");
        assert_eq!(change().unwrap_err().kind(), ErrorKind::InUse);
        lease.doubt("unsure").unwrap();
        assert_eq!(change().unwrap_err().kind(), ErrorKind::InUse);
        let doubt = in_doubt(work.claim("key").unwrap());
        doubt
            .resolve(Resolution::Happened(b"done".to_vec()))
            .unwrap();
        assert_eq!(
            change().unwrap_err().kind(),
            ErrorKind::PolicyConflict,
            "a handle is alive"
        );
        drop((work, doubt));
        let work = change().unwrap();
        assert_eq!(work.policy(), &to);
        assert_eq!(completed(work.claim("key").unwrap()).response(), b"done");
    }
    let world = World::new();
    let error = world
        .store
        .change_guarantee("none", Policy::at_most_once())
        .unwrap_err();
    assert!(
        error.to_string().contains("make it with namespace()"),
        "{error}"
    );
}

#[test]
fn policy_and_guarantee_survive_a_restart() {
    let mut world = World::new();
    drop(world.namespace(Policy::at_least_once()));
    world.crash();
    assert_eq!(world.store.namespaces(), ["work"]);
    let error = world
        .store
        .namespace("work", Policy::at_most_once())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PolicyConflict);
}

#[test]
fn a_change_of_retention_never_moves_existing_records() {
    for (before, after) in [(HOUR, DAY), (DAY, HOUR)] {
        let mut world = World::new();
        let policy = |kept| {
            Policy::at_least_once()
                .retention(kept)
                .failed_retention(kept)
                .attempt_retention(kept)
        };
        let work = world.namespace(policy(before));
        claim(&work, "done").complete("done").unwrap();
        claim(&work, "failed").fail("failed").unwrap();
        claim(&work, "released").release("again").unwrap();
        let expiry = |work: &Namespace| {
            ["done", "failed", "released"].map(|key| work.get(key).unwrap().unwrap().expires_at())
        };
        let was = expiry(&work);
        let work = crashed(&mut world, work, &policy(after));
        assert_eq!(expiry(&work), was);
        claim(&work, "new").complete("new").unwrap();
        world.clock.advance(2 * HOUR);
        assert_eq!(state(&work, "done").is_some(), before == DAY);
        assert_eq!(state(&work, "failed").is_some(), before == DAY);
        assert_eq!(state(&work, "released").is_some(), before == DAY);
        assert_eq!(state(&work, "new").is_some(), after == DAY);
    }
}

// Tokens.

#[test]
fn tokens_never_repeat_across_reopen_and_lost_tails() {
    let mut world = World::with(|builder| builder.durability(Durability::Interval(MINUTE)));
    let mut last = None;
    for round in 0..12 {
        let work = world.namespace(Policy::at_least_once());
        for key in 0..4 {
            let lease = claim(&work, &format!("{round} {key}"));
            assert!(Some(lease.token()) > last, "round {round}");
            last = Some(lease.token());
            lease.complete("maybe lost").unwrap();
        }
        drop(work);
        match round % 3 {
            0 => world.log.crash(),
            1 => world.log.crash_keeping(1),
            _ => world.store.close().unwrap(),
        }
        world.store = world
            .builder()
            .durability(Durability::Interval(MINUTE))
            .open()
            .unwrap();
    }
}

#[test]
fn tokens_go_on_rising_when_the_counter_runs_out() {
    let last_counter = (1 << 32) - 1;
    let mut world = World::with(|builder| builder.first_token_counter(last_counter));
    let mut last = None;
    for round in 0..3 {
        let work = world.namespace(Policy::at_most_once());
        for key in 0..3 {
            let lease = claim(&work, &format!("{round} {key}"));
            assert!(Some(lease.token()) > last && lease.token().as_i64() > 0);
            last = Some(lease.token());
            lease.complete("done").unwrap();
        }
        drop(work);
        world.log.crash();
        world.store = world
            .builder()
            .first_token_counter(last_counter)
            .open()
            .unwrap();
        world.store.validate();
    }
}

#[test]
fn a_token_goes_through_a_number_and_a_string() {
    let world = World::new();
    let lease = claim(&world.namespace(Policy::at_least_once()), "key");
    let token = lease.token();
    assert_eq!(FencingToken::from_i64(token.as_i64()), Some(token));
    assert_eq!(FencingToken::from_i64(-1), None);
    let json = serde_json::to_string(&token).unwrap();
    assert_eq!(json, format!("\"{token}\""), "JSON numbers lose bits");
    assert_eq!(serde_json::from_str::<FencingToken>(&json).unwrap(), token);
    serde_json::from_str::<FencingToken>("\"9223372036854775808\"").unwrap_err();
    serde_json::from_str::<FencingToken>("7").unwrap_err();
}

// One process owns the directory.

#[test]
fn at_open_every_older_holder_is_superseded_without_a_lease_to_wait_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = Store::open(&path).unwrap();
    let least = store.namespace("least", Policy::at_least_once()).unwrap();
    let most = store.namespace("most", Policy::at_most_once()).unwrap();
    let held = (claim(&least, "key"), claim(&most, "key"));
    store.close().unwrap();
    assert!(held.0.is_lost() && held.1.is_lost());
    drop((store, least, most));
    let store = Store::open(&path).unwrap();
    let least = store.namespace("least", Policy::at_least_once()).unwrap();
    let most = store.namespace("most", Policy::at_most_once()).unwrap();
    let lease = claim(&least, "key");
    assert!(lease.token() > held.0.token());
    assert!(matches!(most.claim("key").unwrap(), Claim::InDoubt(_)));
    assert_eq!(
        held.0.complete("late").unwrap_err().kind(),
        ErrorKind::Closed
    );
    in_progress(least.claim("key").unwrap());
    assert!(lease.lease_left() > Duration::ZERO);
}
