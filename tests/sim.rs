//! The engine in a deterministic simulation: crashes within every write, lost and torn writes,
//! wrong clocks, restarts; thousands of histories, each of them one seed.
//!
//! `HAPAX_SIM_SEEDS=100000 cargo test --release --features sim --test sim` runs a hundred thousand of
//! them; `HAPAX_SIM_SEED=n` repeats the one that failed, `HAPAX_SIM_TRACE=1` says what happens in it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

#[path = "sim/attempts.rs"]
mod attempts;
#[path = "sim/audit.rs"]
mod audit;
#[path = "sim/handler.rs"]
mod handler;
#[path = "sim/model.rs"]
mod model;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use hapax::sim::{Fault, Faults, Report, Simulation, each_seed};
use hapax::{BatchClaim, Claim, ClaimItem, ClaimOptions, Durability, Policy};

use crate::handler::{Shared, World, namespace, run};
use crate::model::{Met, secs};

const WINDOW: Duration = Duration::from_millis(50);

/// One seed in two has an `Interval` store.
fn window(seed: u64) -> Option<Duration> {
    (seed % 2 == 0).then_some(WINDOW)
}

/// A history that is compared with the model.
fn simulate(simulation: Simulation, window: Option<Duration>) -> (Report, Met) {
    let durability = window.map_or(Durability::Sync, Durability::Interval);
    simulate_as(simulation, durability, window)
}

/// As [`simulate`]; the rules of the store and those of the model are given separately.
fn simulate_as(
    simulation: Simulation,
    durability: Durability,
    window: Option<Duration>,
) -> (Report, Met) {
    let shared: Shared = Rc::new(RefCell::new(World::new(window)));
    let (at_open, at_run) = (Rc::clone(&shared), Rc::clone(&shared));
    let report = simulation
        .builder(move |builder| builder.durability(durability))
        .at_open(move |store, ended| {
            let mut world = at_open.borrow_mut();
            world.model.reopened(ended);
            let store_secs = secs(store.stats().store_time());
            world.model.check(store_secs, |(index, key)| {
                namespace(store, index)?.get([key])
            });
            if let Ok(checked) = audit::check(store) {
                world.model.met.audited += checked;
            }
        })
        .run(move |actor| run(actor, Rc::clone(&at_run)));
    let met = shared.borrow().model.met;
    (report, met)
}

fn any(seed: u64) -> (Report, Met) {
    simulate(Simulation::new(seed).steps(1500), window(seed))
}

#[test]
fn any_history_keeps_the_promises() {
    let mut total = Report::default();
    let mut met = Met::default();
    each_seed(400, |seed| {
        let (report, new) = any(seed);
        total.add(&report);
        met += new;
    });
    println!("{total:#?}\n{met:#?}");
}

/// Without any other fault the power is cut at the first change of the medium, at the second, and so
/// on to the last: within `open`, commit, roll, compaction and close.
#[test]
fn every_change_of_the_medium_can_be_the_last() {
    let mut cuts = 0;
    for seed in 0..2 {
        let simulation = || {
            let faults = Faults::none().rate(Fault::Restart, 100);
            Simulation::new(seed).steps(400).faults(faults)
        };
        let (whole, _) = simulate(simulation(), window(seed));
        for change in 1..=whole.changes() {
            simulate(simulation().cut_power_at(change), window(seed));
        }
        cuts += whole.changes();
    }
    assert!(cuts > 50, "{cuts}");
    println!("{cuts} changes were the last of their process");
}

#[test]
fn a_seed_repeats_itself_exactly() {
    for seed in 0..10 {
        let (first, _) = any(seed);
        let (second, _) = any(seed);
        assert_eq!(first, second);
        let (other, _) = any(seed ^ 1 << 40);
        assert_ne!(first.digest(), other.digest());
    }
}

/// A check that cannot fail proves nothing.
fn is_found_out(run: impl Fn(u64)) -> bool {
    (0..40).any(|seed| catch_unwind(AssertUnwindSafe(|| run(seed))).is_err())
}

/// On a disk that lies about its syncs the marks and the frames contradict each other: it is refused.
#[test]
fn a_disk_that_lies_is_found_out() {
    assert!(is_found_out(|seed| {
        let faults = Faults::none()
            .rate(Fault::PowerCut, 100)
            .rate(Fault::LyingSync, 3000);
        simulate(Simulation::new(seed).steps(1500).faults(faults), None);
    }));
}

/// The model misses what is lost: an `Interval` store that is taken for a `Sync` one does not pass.
#[test]
fn a_store_that_acknowledges_too_early_is_found_out() {
    assert!(is_found_out(|seed| {
        let faults = Faults::none().rate(Fault::PowerCut, 100);
        let simulation = Simulation::new(seed).steps(1500).faults(faults);
        simulate_as(simulation, Durability::Interval(WINDOW), None);
    }));
}

/// Found by a simulation: an at-most-once claim waits until its record is on the medium. When that took
/// longer than the lease, the key was in doubt by then, and could be resolved; the caller was handed
/// the lapsed grant all the same, and ran. Now the lease begins when the grant is handed out.
#[test]
fn a_grant_that_lapses_while_it_is_written_is_not_handed_out() {
    let granted = Rc::new(RefCell::new(0));
    for seed in 0..20 {
        let granted = Rc::clone(&granted);
        let faults = Faults::none().rate(Fault::SlowWrite, 10_000);
        let simulation = Simulation::new(seed).steps(1000).faults(faults);
        simulation.run(move |actor| {
            let granted = Rc::clone(&granted);
            async move {
                let policy = Policy::at_most_once().lease(Duration::from_secs(1));
                let pay = actor.store().namespace("pay", policy)?;
                let key = actor.below(100).to_be_bytes();
                let claims = if actor.chance(50) {
                    vec![pay.claim_async(key, ClaimOptions::new()).await?]
                } else {
                    let claims = pay.claim_many_async([ClaimItem::new(key)]).await?;
                    let alone = |claim| match claim {
                        BatchClaim::Claim(claim) => claim,
                        other => panic!("{other:?}"),
                    };
                    claims.into_iter().map(alone).collect()
                };
                for claim in claims {
                    if let Claim::Granted(lease) = claim {
                        assert!(!lease.is_lost(), "handed out after its time");
                        *granted.borrow_mut() += 1;
                        lease.complete_async("paid").await.ok();
                    }
                }
                Ok(())
            }
        });
    }
    assert!(*granted.borrow() > 100);
}
