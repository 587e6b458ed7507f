//! Calls that are in progress while the store closes.
//!
//! Found by `cargo run --example stress -- --durability interval`: a call that was admitted just
//! before `close` wrote its record after the last commit of `close`, and was acknowledged, as calls
//! do not wait for the medium there. The record was lost although `close` had succeeded. Every
//! change of a key now checks, under its lock, whether the store has been closed.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on stops; clippy knows only the functions marked as tests"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hapax::testing::MemoryLog;
use hapax::{Durability, Policy, Store};

const THREADS: u64 = 3;
const ROUNDS: u64 = 60;

#[test]
fn what_was_acknowledged_while_the_store_was_being_closed_is_there_afterwards() {
    for round in 0..ROUNDS {
        let log = MemoryLog::new();
        let open = || {
            let store = Store::in_memory().log(&log);
            let window = Durability::Interval(Duration::from_secs(60));
            store.durability(window).open().unwrap()
        };
        let store = open();
        let seen = store.namespace("seen", Policy::at_least_once()).unwrap();
        let acknowledged: Vec<AtomicU64> = (0..THREADS).map(|_| AtomicU64::new(0)).collect();
        std::thread::scope(|scope| {
            for (thread, count) in acknowledged.iter().enumerate() {
                let seen = &seen;
                scope.spawn(move || {
                    while seen
                        .insert(format!("{thread}-{}", count.load(Ordering::Relaxed)))
                        .is_ok()
                    {
                        count.fetch_add(1, Ordering::Release);
                    }
                });
            }
            // In the middle of it, at another point each time.
            while acknowledged[0].load(Ordering::Acquire) < 20 + round * 7 {
                std::thread::yield_now();
            }
            store.close().unwrap();
        });
        let store = open();
        let seen = store.namespace("seen", Policy::at_least_once()).unwrap();
        for (thread, count) in acknowledged.iter().enumerate() {
            for serial in 0..count.load(Ordering::Relaxed) {
                let key = format!("{thread}-{serial}");
                assert!(seen.contains(&key).unwrap(), "round {round}: {key} is lost");
            }
        }
        store.close().unwrap();
    }
}
