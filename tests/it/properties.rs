//! Random histories, done to the engine and to the model side by side.
//!
//! `PROPTEST_CASES` says how many; `HAPAX_SEED` repeats the histories of a run that printed it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

mod calls;
mod checks;
mod regressions;
mod steps;
mod waits;
mod world;

use std::sync::Mutex;

use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use steps::{Setup, Step};
use world::{Met, World};

fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let given = std::env::var("HAPAX_SEED").ok();
    given.map_or_else(
        || RandomState::new().hash_one(0),
        |seed| seed.parse().unwrap(),
    )
}

pub(crate) fn runner(cases: u32) -> TestRunner {
    let seed = seed();
    println!("HAPAX_SEED={seed}");
    let cases = std::env::var("PROPTEST_CASES").map_or(cases, |cases| cases.parse().unwrap());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

fn replay(setup: Setup, history: &[Step]) -> Met {
    let mut world = World::new(setup);
    for step in history {
        world.step(step);
    }
    world.step(&Step::Crash { keeping: 0 });
    world.step(&Step::Verify);
    world.met
}

#[test]
fn every_answer_is_that_of_a_single_map() {
    let total = Mutex::new(Met::default());
    let history = (steps::setup(), vec(steps::step(), 1..150));
    let result = runner(250).run(&history, |(setup, history)| {
        let met = replay(setup, &history);
        let mut total = total.lock().unwrap();
        total.dropped += met.dropped;
        total.carried += met.carried;
        total.crashes += met.crashes;
        total.lost += met.lost;
        total.jumps += met.jumps;
        total.handed_on += met.handed_on;
        total.withdrawn += met.withdrawn;
        total.let_go += met.let_go;
        total.attached += met.attached;
        total.refused_tickets += met.refused_tickets;
        Ok::<(), TestCaseError>(())
    });
    println!("met {:?}", total.lock().unwrap());
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, (setup, history))) => {
            panic!("{why}\nsetup: {setup:?}\nhistory: {history:?}")
        }
        Err(error) => panic!("{error}"),
    }
}
