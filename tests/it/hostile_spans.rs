//! Times at the edges of their integers: each saturates or is refused with a kind. None overflows:
//! the build would panic.

use std::time::Duration;

use hapax::limits::{LEASE_MIN, RETENTION_MAX};
use hapax::scan::KeyFilter;
use hapax::testing::ManualClock;
use hapax::{Claim, ClaimOptions, Durability, Error, ErrorKind, Policy, Store};
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use crate::contract_support::{SECOND, World, claim, granted};
use crate::properties::runner;

/// A span, mostly at an edge.
fn span() -> impl Strategy<Value = Duration> {
    let edges = [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_nanos(999_999),
        LEASE_MIN,
        SECOND,
        RETENTION_MAX - Duration::from_nanos(1),
        RETENTION_MAX,
        RETENTION_MAX + Duration::from_nanos(1),
        Duration::from_millis(u64::from(u32::MAX)),
        Duration::from_secs(u64::from(u32::MAX)),
        Duration::from_secs(u64::from(u32::MAX) + 1),
        Duration::from_nanos(u64::MAX),
        Duration::from_millis(u64::MAX),
        Duration::from_secs(u64::MAX),
        Duration::MAX,
    ];
    prop_oneof![
        4 => proptest::sample::select(edges.to_vec()),
        1 => any::<u64>().prop_map(Duration::from_nanos),
        1 => any::<u64>().prop_map(Duration::from_millis),
        1 => (0..64_u32).prop_map(|bit| Duration::from_millis(1 << bit)),
    ]
}

fn seconds() -> impl Strategy<Value = i64> {
    prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), any::<i64>()]
}

#[track_caller]
fn is_refusal(error: &Error) {
    assert!(
        matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge),
        "{error:?}"
    );
}

#[derive(Debug, Clone)]
struct Spans {
    policy: [Option<Duration>; 4],
    options: [Option<Duration>; 3],
    at_most_once: bool,
    attempts: Option<u32>,
    ceiling: Duration,
    moves: Vec<(Duration, i64)>,
}

fn spans() -> impl Strategy<Value = Spans> {
    let some = || proptest::option::weighted(0.4, span());
    let options = [some().boxed(), some().boxed(), some().boxed()];
    let policy = [
        some().boxed(),
        some().boxed(),
        some().boxed(),
        some().boxed(),
    ];
    let moves = proptest::collection::vec((span(), seconds()), 0..6);
    let attempts = prop_oneof![
        Just(None),
        Just(Some(0)),
        Just(Some(u32::MAX)),
        Just(Some(1))
    ];
    (policy, options, any::<bool>(), attempts, span(), moves).prop_map(
        |(policy, options, at_most_once, attempts, ceiling, moves)| Spans {
            policy,
            options,
            at_most_once,
            attempts,
            ceiling,
            moves,
        },
    )
}

/// Claims with these spans, and lets time leap; the result is a refusal or a store that works.
fn run(spans: &Spans) {
    let clock = ManualClock::new();
    let builder = Store::in_memory()
        .clock(&clock)
        .shards(2)
        .allow_at_most_once();
    let store = builder.open().unwrap();
    let mut policy = if spans.at_most_once {
        Policy::at_most_once()
    } else {
        Policy::at_least_once()
    };
    let set: [fn(Policy, Duration) -> Policy; 4] = [
        Policy::lease,
        Policy::retention,
        Policy::failed_retention,
        Policy::attempt_retention,
    ];
    for (span, set) in spans.policy.iter().zip(set) {
        policy = span.map_or(policy.clone(), |span| set(policy, span));
    }
    if let Some(attempts) = spans.attempts {
        policy = policy.max_attempts(attempts);
    }
    let work = match store.namespace("work", policy) {
        Ok(work) => work,
        Err(error) => return is_refusal(&error),
    };
    let mut options = ClaimOptions::new();
    let set: [fn(ClaimOptions, Duration) -> ClaimOptions; 3] = [
        ClaimOptions::wait,
        ClaimOptions::lease,
        ClaimOptions::retention,
    ];
    for (span, set) in spans.options.iter().zip(set) {
        options = span.map_or(options.clone(), |span| set(options, span));
    }
    let lease = match work.claim_with("key", options.clone()) {
        Ok(Claim::Granted(lease)) => lease,
        Ok(other) => panic!("no other caller exists: {other:?}"),
        Err(error) => return is_refusal(&error),
    };
    lease.keep_alive(spans.ceiling).unwrap();
    lease.checkpoint("half").unwrap();
    let mut waiter = work.claim_async("key", options);
    let _ = crate::contract_support::poll(&mut waiter);
    for (by, wall) in &spans.moves {
        clock.step_wall(*wall);
        clock.advance(*by);
        // Rounded up to the millisecond.
        let most = RETENTION_MAX.max(spans.ceiling.saturating_add(LEASE_MIN));
        assert!(lease.lease_left() <= most);
        store.validate();
    }
    drop(waiter);
    if let Err(refused) = lease.complete("done") {
        assert!(!spans.moves.is_empty(), "{refused}");
    }
    assert!(
        store
            .scan(KeyFilter::new())
            .unwrap()
            .all(|info| info.is_ok())
    );
    store.validate();
    store.close().unwrap();
}

/// Runs a property under a seed that is printed; `HAPAX_SEED` gives another run the same one.
fn holds<S: Strategy>(inputs: &S, property: impl Fn(S::Value)) {
    let result = runner(400).run(inputs, |input| {
        property(input);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn spans_at_the_edges_of_integers_saturate_or_are_refused() {
    holds(&spans(), |spans| run(&spans));
}

#[test]
fn options_of_a_store_at_the_edges_are_refused_or_work() {
    let shards = prop_oneof![0..=(1_usize << 16), any::<usize>()];
    let window = prop_oneof![span(), (1..=60_000_u64).prop_map(Duration::from_millis)];
    let options = (window, span(), span(), shards);
    holds(&options, |(window, deadline, offline, shards)| {
        let builder = Store::in_memory().clock(&ManualClock::new());
        let builder = builder.write_deadline(deadline).max_offline(offline);
        let builder = builder.durability(Durability::Interval(window));
        // Each shard takes memory, so a valid number is reduced to a small one.
        let few = if shards <= 1 << 16 {
            shards % 64
        } else {
            shards
        };
        match builder.shards(few).open() {
            Ok(store) => {
                let work = store.namespace("work", Policy::at_least_once()).unwrap();
                claim(&work, "key").complete("done").unwrap();
                store.close().unwrap();
            }
            Err(error) => is_refusal(&error),
        }
    });
}

/// 584 million years: the monotonic clock ends, and nothing else does.
#[test]
fn the_end_of_the_monotonic_clock_is_a_moment_like_any_other() {
    let world = World::new();
    let work = world.namespace(Policy::at_least_once());
    let lease = claim(&work, "key");
    for _ in 0..3 {
        world.clock.advance(Duration::MAX);
        world.store.validate();
    }
    assert!(lease.is_lost(), "its lease has passed");
    let refused = lease.complete("late").unwrap_err();
    assert_eq!(
        refused.kind(),
        ErrorKind::NotHeld,
        "its attempt is forgotten"
    );
    let waits = ClaimOptions::new().wait(Duration::MAX);
    granted(work.claim_with("another", waits).unwrap())
        .complete("ok")
        .unwrap();
    world.store.validate();
    world.store.close().unwrap();
}
