use std::sync::Arc;
use std::time::Duration;

use super::{change, claimed, key, written};
use crate::backend::{Backend, Expect};
use crate::runtime::sync::{Mutex, block_on};
use crate::sim::{ReferenceBackend, Server, Skew};

type Told = Arc<Mutex<Vec<(&'static str, u64)>>>;

/// Tells when each sleep has ended.
fn sleep(client: &ReferenceBackend, told: &Told, name: &'static str, span_ms: u64) {
    let (backend, told) = (client.clone(), Arc::clone(told));
    client.spawn(Box::pin(async move {
        backend.sleep(span_ms).await;
        told.lock().push((name, backend.mono_ms()));
    }));
}

#[test]
fn sleeps_end_in_the_order_of_their_moments_with_the_clock_there() {
    let server = Server::new();
    let client = server.client();
    let told = Told::default();
    sleep(&client, &told, "long", 300);
    sleep(&client, &told, "short", 100);
    sleep(&client, &told, "as short", 100);
    sleep(&client, &told, "none", 0);
    assert_eq!(*told.lock(), [("none", 0)]);
    server.clock().advance(Duration::from_millis(99));
    assert_eq!(told.lock().len(), 1);
    let began_ms = server.now_ms();
    server.clock().advance(Duration::from_millis(1000));
    assert_eq!(
        told.lock()[1..],
        [("short", 100), ("as short", 100), ("long", 300)]
    );
    assert_eq!((client.mono_ms(), server.now_ms()), (1099, began_ms + 1000));
    assert_eq!(client.tasks(), 0);
}

#[test]
fn a_task_that_sleeps_again_and_again_runs_all_its_rounds() {
    let server = Server::new();
    let client = server.client();
    let told = Told::default();
    let (backend, rounds) = (client.clone(), Arc::clone(&told));
    client.spawn(Box::pin(async move {
        for _ in 0..4 {
            backend.sleep(250).await;
            rounds.lock().push(("round", backend.mono_ms()));
        }
    }));
    server.clock().advance(Duration::from_millis(750));
    let moments: Vec<_> = told.lock().iter().map(|(_, ms)| *ms).collect();
    assert_eq!(moments, [250, 500, 750]);
}

#[test]
fn a_sleep_that_is_dropped_stops_no_clock() {
    let server = Server::new();
    let client = server.client();
    let mut sleep = client.sleep(10);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(sleep.as_mut().poll(&mut context).is_pending());
    drop(sleep);
    server.clock().advance(Duration::from_millis(20));
    assert_eq!(client.mono_ms(), 20);
}

#[test]
fn a_process_sleeps_by_its_own_clock() {
    let server = Server::new();
    let slow = server.client_with(Skew::default().offset_ms(5000).drift_per_mille(-500));
    assert_eq!(slow.mono_ms(), 5000);
    let told = Told::default();
    sleep(&slow, &told, "slow", 100);
    server.clock().advance(Duration::from_millis(199));
    assert!(told.lock().is_empty());
    server.clock().advance(Duration::from_millis(1));
    assert_eq!(*told.lock(), [("slow", 5100)]);
}

#[test]
fn a_watch_ends_when_a_row_changes() {
    let server = Server::new();
    let (client, other) = (server.client(), server.client());
    let told = Told::default();
    let (watch, ended) = (client.watch(vec![key("a"), key("b")]), Arc::clone(&told));
    client.spawn(Box::pin(async move {
        watch.await;
        ended.lock().push(("changed", 0));
    }));
    written(&other, change(&key("c"), 1, Expect::Absent, claimed(7)));
    assert!(told.lock().is_empty(), "no row of its own");
    written(&other, change(&key("b"), 2, Expect::Absent, claimed(7)));
    assert_eq!(told.lock().len(), 1);
    // The change comes between the call and the first look at it.
    let early = client.watch(vec![key("d")]);
    written(&other, change(&key("d"), 3, Expect::Absent, claimed(7)));
    block_on(early);
    let leaving = client.watch(vec![key("d")]);
    block_on(other.leave(7)).unwrap();
    block_on(leaving);
}
